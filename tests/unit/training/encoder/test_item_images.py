"""Image files of items, drawn here: thumbnails in the dataset, and an input of the item tower."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shop

from configs.exceptions import ConfigError, DataError
from configs.schema import Config
from features.dataset import Dataset
from features.ingest.item_images import NUM_BYTES, SIDE, read_item_images
from features.prepare import prepare
from features.splits import split_points
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.export.bundle import build_bundle
from training.runs.run import Run

Image = pytest.importorskip("PIL.Image")
AISLES = sorted(shop.AISLES)


def draw(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> None:
    """A square of the colour in the middle of something grey."""
    image = Image.new("RGB", size, (128, 128, 128))
    side = min(size) // 2
    image.paste(
        colour,
        ((size[0] - side) // 2, (size[1] - side) // 2, (size[0] + side) // 2, size[1] // 2 + side // 2),
    )
    image.save(path)


def colour_of(aisle: str) -> tuple[int, int, int]:
    place = AISLES.index(aisle)
    return 255 * (place & 1), 255 * (place >> 1 & 1), 255 * (place >> 2 & 1)


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """The small shop, where a picture alone tells the aisle of an item; two files are no pictures."""
    raw = shop.write_shop(tmp_path / "raw", num_users=60)
    folder = tmp_path / "images"
    folder.mkdir()
    items = pl.read_csv(raw / "items.csv", infer_schema=False)
    new = pl.DataFrame({"sku": [f"new-{aisle}" for aisle in AISLES]})
    items = pl.concat([items, new], how="diagonal").with_columns(
        name=pl.lit(None, pl.String),
        aisle=pl.lit("Shop"),
        price=pl.lit(None, pl.String),
        image_path=pl.col("sku") + ".png",
    )
    for item in items["sku"]:
        draw(folder / f"{item}.png", colour_of(item.removeprefix("new-").rstrip("0123456789")))
    (folder / "bread1.png").write_text("no picture")
    (folder / "bread2.png").unlink()
    items.write_csv(raw / "items.csv")
    return raw


def settings(raw: Path, workspace: Path) -> Config:
    folder = f"data.image_folder={raw.parent / 'images'}"
    tower = ("encoder.model=two_tower", "training.refit_epochs=0", "training.max_epochs=6")
    return shop.make_config(raw, workspace, folder, *tower)


def test_a_picture_places_a_new_item_and_a_file_that_is_none_is_counted(drawn: Path, tmp_path: Path) -> None:
    config = settings(drawn, tmp_path / "workspace")
    report = prepare(config, now=shop.NOW)
    (remark,) = (one for one in report.remarks if "image" in one)
    assert remark.startswith(
        "86 of 88 items with an image_path have an image; the first that has none: bread"
    )
    dataset = Dataset.open(config.workspace / "dataset")
    ids = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
    assert sorted(ids[place] for place in np.flatnonzero(~dataset.item_images.any(axis=1))) == [
        "bread1",
        "bread2",
    ]
    run = Run.create(tmp_path, name="test")
    fit_encoders(dataset, split_points(dataset, config.split), config=config, run=run)
    encoder = load_encoder(run.folder, dataset, point="full", config=config)
    point = split_points(dataset, config.split)[2]
    bundle = build_bundle(dataset, point, encoder=encoder, ranker=None, config=config, made_by={})
    vectors = bundle.retrievers["encoder"].item_vectors  # type: ignore[attr-defined]
    new = vectors[[ids.index(f"new-{aisle}") for aisle in AISLES]]
    of_aisle = [
        [place for place, one in enumerate(ids) if one.rstrip("0123456789") == aisle] for aisle in AISLES
    ]
    centres = np.stack([vectors[places].mean(axis=0) for places in of_aisle])
    nearest = (new @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T).argmax(axis=1)
    assert np.mean(nearest == np.arange(len(AISLES))) >= 0.5  # an eighth by chance
    assert bundle.item_encoder is not None
    without = bundle.item_encoder.vectors(pl.DataFrame({"product_type": ["Shop"]}))
    assert without.any()
    assert not np.isclose(new, without).all(axis=1).any()


def test_a_thumbnail_is_the_middle_of_the_picture(tmp_path: Path) -> None:
    for size in ((300, 100), (100, 300), (20, 20)):
        draw(tmp_path / "a.png", (255, 0, 0), size)
        found = read_item_images(tmp_path, pl.DataFrame({"id": ["a"], "image_path": ["a.png"]}))
        assert found.thumbnails.shape == (1, NUM_BYTES)
        pixels = found.thumbnails.reshape(SIDE, SIDE, 3)
        np.testing.assert_array_equal(pixels[SIDE // 2, SIDE // 2], [255, 1, 1])
        np.testing.assert_array_equal(pixels[0, 0], [128] * 3)
    Image.new("L", (9, 9), 0).save(tmp_path / "black.gif")
    found = read_item_images(tmp_path, pl.DataFrame({"id": ["a"], "image_path": ["black.gif"]}))
    assert found.thumbnails.any()  # zeros would mean no picture


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = pl.DataFrame({"id": ["a"], "image_path": ["a.png"]})
    with pytest.raises(DataError, match=r"no such folder \(data\.image_folder"):
        read_item_images(tmp_path / "absent", items)
    with pytest.raises(DataError, match="the catalogue has no column 'image_path'"):
        read_item_images(tmp_path, items.drop("image_path"))
    with pytest.raises(DataError, match=r"none of the 1 files .*FileNotFoundError"):
        read_item_images(tmp_path, items)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigError, match=r"pip install 'shopkeeper\[images\]'"):
        read_item_images(tmp_path, items)
