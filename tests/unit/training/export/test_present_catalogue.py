"""A bundle gets an edited catalogue without training: what was learnt stays, the catalogue is new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shop

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.dataset import Dataset
from features.neighbour_table import NeighbourTable
from features.prepare import prepare
from features.splits import split_points
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from training.encoder.load import load_encoder
from training.export.present_catalogue import Renewed, with_present_catalogue
from training.queries import query_at
from training.runs.run import DATASET_FILES, Run, require_same_dataset, require_same_training_data

NEW = "aaa-new"
"""Sorts before every item without events: their indices move."""


@pytest.fixture(scope="module")
def edited(shop_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The small shop with another stock, price and title, and a new item."""
    folder = tmp_path_factory.mktemp("edited")
    items = pl.read_csv(shop_csv / "items.csv", infer_schema=False)
    first = pl.col("sku") == "bread1"
    items = items.with_columns(
        availability=pl.when(first).then(pl.lit("out_of_stock")).otherwise("availability"),
        price=pl.when(first).then(pl.lit("99.00")).otherwise("price"),
        name=pl.when(pl.col("sku") == "bread2").then(pl.lit("Loaf")).otherwise("name"),
    )
    new = {
        "sku": NEW,
        "name": "New bread",
        "aisle": "Shop > Bread",
        "price": "1.50",
        "sale_price": "",
        "availability": "in_stock",
    }
    pl.concat([items, pl.DataFrame(new).select(items.columns)]).write_csv(folder / "items.csv")
    (folder / "events.csv").write_bytes((shop_csv / "events.csv").read_bytes())
    config = shop.make_config(folder, folder / "workspace")
    prepare(config, now=shop.NOW)
    return Dataset.open(config.workspace / "dataset")


@pytest.fixture(scope="module")
def renewed(tiny_bundle: Path, edited: Dataset, shop_config: Config) -> Renewed:
    return with_present_catalogue(Bundle.open(tiny_bundle), edited, config=shop_config)


def test_stock_prices_titles_and_new_items_are_no_training_data(
    shop_dataset: Dataset, edited: Dataset, tiny_run: Run, tmp_path: Path
) -> None:
    assert edited.fingerprint != shop_dataset.fingerprint
    assert edited.training_data == shop_dataset.training_data
    run = Run(tmp_path)
    run.update(dataset=shop_dataset.fingerprint, training_data=shop_dataset.training_data)
    require_same_training_data(run, edited)
    with pytest.raises(ArtefactError, match="was trained on other data"):
        require_same_dataset(run, edited)


def test_newer_events_and_other_categories_are(shop_csv: Path, tmp_path: Path, shop_dataset: Dataset) -> None:
    for name, (file, before, now) in {
        "events": ("events.csv", "purchase,2024-01-0", "Product Viewed,2024-01-0"),
        "categories": ("items.csv", "Shop > Tea", "Shop > Drinks"),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        for path in shop_csv.glob("*.csv"):
            text = path.read_text()
            changed = text.replace(before, now, 1) if path.name == file else text
            (folder / path.name).write_text(changed)
        config = shop.make_config(folder, folder / "workspace")
        prepare(config, now=shop.NOW)
        assert Dataset.open(config.workspace / "dataset").training_data != shop_dataset.training_data, name


def test_what_was_learnt_stays_and_what_the_catalogue_says_is_new(
    renewed: Renewed, tiny_bundle: Path, edited: Dataset, shop_dataset: Dataset, shop_config: Config
) -> None:
    before, after = Pipeline.load(tiny_bundle), Pipeline(renewed.bundle)
    assert after.bundle.num_items == before.bundle.num_items + 1
    titles = dict(zip(after.bundle.item_ids, after.bundle.titles, strict=True))
    assert titles["bread2"] == "Loaf"
    assert not after.bundle.recommendable[after.bundle.item_index["bread1"]]
    full_before, full_after = (split_points(one, shop_config.split)[2] for one in (shop_dataset, edited))
    assert after.bundle.ranker is not None
    assert before.bundle.ranker is not None
    assert after.bundle.ranker.graph == before.bundle.ranker.graph
    places = np.array([after.bundle.item_index[item] for item in before.bundle.item_ids], np.int32)
    for user in range(20):
        known = before.know(query_at(shop_dataset, full_before, user))
        again = after.know(query_at(edited, full_after, user))
        for name, found in known.retrieved.items():
            if isinstance(before.bundle.retrievers[name], NeighbourTable):
                continue  # it is made of what the catalogue says
            scores = again.retrieved[name].at(places)
            assert found.at(np.arange(len(places), dtype=np.int32)) == pytest.approx(scores), name


def test_without_an_item_tower_new_items_stay_out_and_are_counted(renewed: Renewed) -> None:
    bundle = renewed.bundle
    assert (renewed.num_described, renewed.num_left_out) == (0, 1)
    assert not bundle.can_be_shown[bundle.item_index[NEW]]


def test_weights_of_a_run_are_found_by_item_id(
    tiny_run: Run, edited: Dataset, shop_dataset: Dataset, shop_config: Config, tmp_path: Path
) -> None:
    """An item that nobody touched has moved; the others keep their vectors."""
    run = Run(tmp_path)
    run.update(dataset=shop_dataset.fingerprint, training_data=shop_dataset.training_data)
    (tmp_path / "encoder-full.pt").write_bytes((tiny_run.folder / "encoder-full.pt").read_bytes())
    with pytest.raises(ArtefactError, match="another catalogue"):
        load_encoder(tmp_path, edited, point="full", config=shop_config)
    for name in DATASET_FILES:
        (tmp_path / name).write_bytes((shop_dataset.folder / name).read_bytes())
    before = load_encoder(tiny_run.folder, shop_dataset, point="full", config=shop_config)
    after = load_encoder(tmp_path, edited, point="full", config=shop_config)
    old, new = (
        pl.read_parquet(one.folder / "items.parquet")["id"].to_list() for one in (shop_dataset, edited)
    )
    weights = [one.items.ids.weight.detach().numpy() for one in (before, after)]
    assert old.index("paper9") != new.index("paper9")
    for item in old:
        assert np.array_equal(weights[0][old.index(item)], weights[1][new.index(item)])
