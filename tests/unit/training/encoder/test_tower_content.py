"""A shop whose titles, or whose vectors, alone say what aisle an item is of: the item tower learns it, and
new items profit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shop
import torch

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.dataset import Dataset
from features.prepare import prepare
from features.splits import split_points
from models.encoder import Encoder
from models.item_vectors import ItemTower
from serving.recommend.item_encoder import VOCABULARY_FILE, ItemEncoder
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.export.bundle import build_bundle
from training.export.onnx_graphs import export_item_encoder
from training.runs.run import DATASET_FILES, Run

AISLES = sorted(shop.AISLES)
TOWER = ("encoder.model=two_tower", "training.refit_epochs=0")


def raw_shop(folder: Path) -> Path:
    """The small shop with one category for everything, and a new item of each aisle that nobody knows."""
    raw = shop.write_shop(folder, num_users=60)
    items = pl.read_csv(raw / "items.csv", infer_schema=False).with_columns(
        aisle=pl.lit("Shop"), price=pl.lit(None, pl.String)
    )
    new = pl.DataFrame({"sku": [f"new-{aisle}" for aisle in AISLES], "name": [f"<b>{a}</b>" for a in AISLES]})
    pl.concat([items, new], how="diagonal").write_csv(raw / "items.csv")
    ids = items["sku"].to_list()
    vectors = np.eye(len(AISLES))[[AISLES.index(one.rstrip("0123456789")) for one in ids]]
    noise = 0.1 * np.random.default_rng(0).normal(size=vectors.shape)
    np.save(raw / "vectors.npy", np.concatenate([vectors + noise, np.eye(len(AISLES))]))
    (raw / "vectors.txt").write_text("\n".join([*ids, *new["sku"].to_list()]))
    return raw


def prepared(raw: Path, workspace: Path, *overrides: str) -> tuple[Config, Dataset]:
    config = shop.make_config(raw, workspace, *TOWER, *overrides)
    prepare(config, now=shop.NOW)
    return config, Dataset.open(config.workspace / "dataset")


def trained(config: Config, dataset: Dataset, folder: Path) -> Run:
    run = Run.create(folder, name="test")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    return run


def full(config: Config, dataset: Dataset, run: Run) -> Encoder:
    return load_encoder(run.folder, dataset, point="full", config=config)


def item_encoder(encoder: Encoder, dataset: Dataset, folder: Path) -> ItemEncoder:
    assert isinstance(encoder.item_tower, ItemTower)
    path = folder / "items.onnx"
    export_item_encoder(encoder, encoder.item_tower, path, max_difference=1e-4)
    return ItemEncoder(path.read_bytes(), pl.read_parquet(dataset.folder / VOCABULARY_FILE))


def aisles_of_nearest(vectors: np.ndarray, encoder: Encoder, dataset: Dataset) -> list[str]:
    """Of each vector, the aisle whose items are the nearest on average."""
    ids = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
    with torch.no_grad():
        trained = encoder.item_vectors(torch.arange(len(ids))).numpy()
    centres = {
        aisle: trained[[place for place, one in enumerate(ids) if one.rstrip("0123456789") == aisle]].mean(0)
        for aisle in AISLES
    }
    scores = np.stack([vectors @ (centre / np.linalg.norm(centre)) for centre in centres.values()], axis=1)
    return [list(centres)[place] for place in scores.argmax(axis=1)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_shop(tmp_path_factory.mktemp("content") / "raw")


@pytest.fixture(scope="module")
def by_title(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Dataset, Run]:
    folder = tmp_path_factory.mktemp("by_title")
    config, dataset = prepared(raw, folder / "workspace", "training.max_epochs=3")
    return config, dataset, trained(config, dataset, folder)


def test_a_new_item_is_placed_by_its_title_in_the_server_too(
    by_title: tuple[Config, Dataset, Run], tmp_path: Path
) -> None:
    config, dataset, run = by_title
    encoder = full(config, dataset, run)
    live = item_encoder(encoder, dataset, tmp_path)
    rows = pl.DataFrame({"title": [f"{aisle.upper()} no. 99" for aisle in AISLES], "product_type": "Shop"})
    vectors = live.vectors(rows)
    found = aisles_of_nearest(vectors, encoder, dataset)
    assert np.mean([one == aisle for one, aisle in zip(found, AISLES, strict=True)]) >= 0.75
    np.testing.assert_allclose(live.vectors(rows[:1]), vectors[:1], rtol=1e-4, atol=1e-5)
    coded = live.vectors(rows.select("product_type"))
    assert coded.any(axis=1).all()  # the category alone gives a vector, the same for all
    assert len(np.unique(coded.round(4), axis=0)) == 1
    assert not live.vectors(pl.DataFrame({"id": ["a"]})).any()


def test_without_item_text_titles_say_nothing(raw: Path, tmp_path: Path) -> None:
    config, dataset = prepared(raw, tmp_path / "w", "encoder.item_text=false", "training.max_epochs=0")
    encoder = full(config, dataset, trained(config, dataset, tmp_path))
    live = item_encoder(encoder, dataset, tmp_path)
    rows = pl.DataFrame({"title": ["Tea", "Bread"], "product_type": "Shop"})
    assert len(np.unique(live.vectors(rows).round(4), axis=0)) == 1


def test_a_new_item_is_placed_by_its_given_vector(raw: Path, tmp_path: Path) -> None:
    config, dataset = prepared(
        raw,
        tmp_path / "workspace",
        f"data.item_vectors={raw / 'vectors.npy'}",
        "encoder.item_text=false",
        "training.max_epochs=3",
    )
    run = trained(config, dataset, tmp_path)
    encoder = full(config, dataset, run)
    point = split_points(dataset, config.split)[2]
    bundle = build_bundle(dataset, point, encoder=encoder, ranker=None, config=config, made_by={})
    vectors = bundle.retrievers["encoder"].item_vectors  # type: ignore[attr-defined]
    places = [bundle.item_index[f"new-{aisle}"] for aisle in AISLES]
    assert bundle.can_be_shown[places].all()
    found = aisles_of_nearest(vectors[places], encoder, dataset)
    assert np.mean([one == aisle for one, aisle in zip(found, AISLES, strict=True)]) >= 0.75
    live = bundle.item_encoder
    assert live is not None
    rows = pl.DataFrame({"product_type": ["Shop"]})
    missing = live.vectors(rows)
    assert missing.any()
    nothing, something = np.zeros((1, len(AISLES))), np.eye(len(AISLES))[:1]
    np.testing.assert_allclose(live.vectors(rows, made_elsewhere={"given": nothing}), missing)
    assert not np.allclose(live.vectors(rows, made_elsewhere={"given": something}), missing)
    with pytest.raises(
        ArtefactError, match="given vectors of the items have 3 numbers, and the model reads 8"
    ):
        live.vectors(rows, made_elsewhere={"given": np.ones((1, 3))})


def test_weights_of_a_dataset_with_other_vectors_are_refused(
    raw: Path, by_title: tuple[Config, Dataset, Run], tmp_path: Path
) -> None:
    _, dataset, run = by_title
    for name in DATASET_FILES:
        (run.folder / name).write_bytes((dataset.folder / name).read_bytes())
    run.update(dataset=dataset.fingerprint)
    other, with_vectors = prepared(raw, tmp_path / "w", f"data.item_vectors={raw / 'vectors.npy'}")
    with pytest.raises(ArtefactError, match="belong to another catalogue"):
        full(other, with_vectors, run)


def test_a_model_without_an_item_tower_says_that_it_reads_no_vectors(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("encoder.model=sasrec", "training.max_epochs=1", "training.refit_epochs=0")
    config, dataset = prepared(raw, tmp_path / "w", f"data.item_vectors={raw / 'vectors.npy'}", *settings)
    trained(config, dataset, tmp_path)
    said = " ".join(capsys.readouterr().err.split())
    assert "nothing of what data.item_vectors or data.text_model gave" in said
