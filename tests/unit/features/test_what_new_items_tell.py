"""At a split point only the catalogue knows new items: nothing in it may come from later events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import shop

from features.dataset import Dataset
from features.ingest.tables import Tables
from features.prepare import prepare, read_raw
from features.profiles.item_content import ITEM_CONTENT

PRICE_BAND = ITEM_CONTENT.index("price_band")


def dataset_of(tmp_path: Path, *overrides: str) -> Dataset:
    config = shop.make_config(
        shop.write_shop(tmp_path / "raw", num_users=30), tmp_path / "workspace", *overrides
    )
    prepare(config, now=shop.NOW)
    return Dataset.open(config.workspace / "dataset")


def test_a_price_band_is_of_the_catalogues_own_price(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path)
    assert (dataset.item_content[:, PRICE_BAND] > 0).all()
    assert dataset.has_catalogue


def test_a_price_that_was_only_paid_makes_no_band(tmp_path: Path) -> None:
    """It is shown, as the median paid; but only items that sell, sooner or later, have one."""
    raw = shop.write_shop(tmp_path / "raw", num_users=30)
    items = pl.read_csv(raw / "items.csv", infer_schema=False).drop("price")
    items.write_csv(raw / "items.csv")
    config = shop.make_config(raw, tmp_path / "workspace")
    prepare(config, now=shop.NOW)
    dataset = Dataset.open(config.workspace / "dataset")
    assert (dataset.item_content[:, PRICE_BAND] == 0).all()
    shown = pl.read_parquet(dataset.folder / "items.parquet")["price"]
    assert shown.null_count() < len(shown)


def test_without_a_catalogue_there_are_no_new_items_to_describe(tmp_path: Path) -> None:
    raw = shop.write_shop(tmp_path / "raw", num_users=30)
    config = shop.make_config(raw, tmp_path / "workspace")
    without = config.model_copy(
        update={"data": config.data.model_copy(update={"items": None, "item_columns": {}})}
    )
    prepare(without, now=shop.NOW)
    dataset = Dataset.open(config.workspace / "dataset")
    assert not dataset.has_catalogue
    assert not np.asarray(dataset.item_content[:, PRICE_BAND]).any()


def test_the_sources_say_what_of_their_catalogue_came_from_events(tmp_path: Path) -> None:
    (tmp_path / "UserBehavior.csv").write_text(
        "1,11,5,pv,1511544070\n1,12,5,buy,1511561733\n", encoding="utf-8"
    )
    config = shop.make_config(shop.write_shop(tmp_path / "raw", num_users=30), tmp_path / "workspace")
    taobao = {"reader": "taobao", "events": tmp_path / "UserBehavior.csv"}
    raw = read_raw(type(config.data).model_validate(taobao))
    assert raw.items is not None
    assert raw.items.from_events == ("id",)
    prepare(config, now=shop.NOW)
    assert Tables.open(config.workspace / "tables").manifest["items_from_events"] == []
