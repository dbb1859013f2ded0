"""Items as codes: the dataset's own, and those of an item that arrives later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.dataset import Dataset
from features.profiles import item_content as item_content
from features.profiles.item_content import code_items, item_vocabulary, price_edges

CATALOGUE = pl.DataFrame(
    {
        "product_type": ["Food > Bread > Rye", "Food > Bread > White", " Food >  Tea ", "Soap", None, " "],
        "brand": ["Acme", "Acme", "Zeta", "acme ", None, ""],
        "price": [1.0, 2.0, 3.0, 4.0, None, 0.0],
    }
)


def codes(rows: pl.DataFrame, vocabulary: pl.DataFrame) -> dict[str, list[int]]:
    found = code_items(rows, vocabulary)
    assert found.dtype == np.int32
    return dict(zip(item_content.ITEM_CONTENT, found.T.tolist(), strict=True))


def test_the_levels_of_the_path_brand_and_price_band() -> None:
    found = codes(CATALOGUE, item_vocabulary(CATALOGUE))
    assert found["category_1"] == [1, 1, 1, 2, 0, 0]  # Food, Soap
    assert found["category_2"] == [
        1,
        1,
        2,
        3,
        0,
        0,
    ]  # Food > Bread, Food > Tea, Soap: a path of one level stands in all three
    assert found["category"] == [1, 2, 3, 4, 0, 0]
    assert found["brand"] == [
        1,
        1,
        2,
        3,
        0,
        0,
    ]  # capitals are part of a brand's name, the spaces around it are not
    assert found["price_band"] == [2, 3, 4, 4, 0, 1]


def test_bands_hold_a_tenth_of_the_known_prices_each() -> None:
    catalogue = pl.DataFrame({"price": [float(price) for price in range(1, 101)]})
    vocabulary = item_vocabulary(catalogue)
    assert price_edges(vocabulary) == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    bands = codes(pl.DataFrame({"price": [0.5, 10.0, 19.99, 20.0, 1e9]}), vocabulary)["price_band"]
    assert bands == [1, 2, 2, 3, 10]


def test_what_the_vocabulary_lacks_is_unknown_and_so_is_a_column_that_is_absent_or_empty() -> None:
    vocabulary = item_vocabulary(CATALOGUE)
    late = pl.DataFrame({"product_type": ["Food > Bread > Sourdough", "Toys"], "brand": [None, None]})
    assert codes(late, vocabulary) == {
        "category_1": [1, 0],
        "category_2": [1, 0],
        "category": [0, 0],
        "brand": [0, 0],
        "price_band": [0, 0],
    }
    assert codes(late, item_vocabulary(pl.DataFrame({"id": ["a"]})))["category_1"] == [0, 0]


def test_only_the_most_frequent_values_get_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_content, "MAX_CODES", 2)
    rows = pl.DataFrame({"brand": ["c", "b", "a", "c", "b", "c"]})
    assert codes(rows, item_vocabulary(rows))["brand"] == [1, 2, 0, 1, 2, 1]


def test_the_shops_own_codes_come_back_from_its_catalogue_and_vocabulary(shop_dataset: Dataset) -> None:
    folder = shop_dataset.folder
    vocabulary = pl.read_parquet(folder / "item_vocabulary.parquet")
    catalogue = pl.read_parquet(folder / "items.parquet")
    again = code_items(catalogue.sample(fraction=1, shuffle=True, seed=1), vocabulary)
    order = catalogue.with_row_index().sample(fraction=1, shuffle=True, seed=1)["index"].to_numpy()
    np.testing.assert_array_equal(again, shop_dataset.item_content[order])
    assert shop_dataset.item_content_sizes == (2, 9, 9, 1, 11)
    assert (shop_dataset.item_content.max(axis=0) < shop_dataset.item_content_sizes).all()
    assert price_edges(vocabulary) == shop_dataset.manifest["price_edges"]


def test_a_new_item_of_the_shop_is_coded_without_the_dataset(shop_dataset: Dataset, tmp_path: Path) -> None:
    vocabulary = pl.read_parquet(shop_dataset.folder / "item_vocabulary.parquet")
    vocabulary.write_parquet(tmp_path / "vocabulary.parquet")
    new = pl.DataFrame({"id": ["tea99"], "product_type": ["Shop > Tea"], "brand": ["Acme"], "price": [1e6]})
    found = code_items(new, pl.read_parquet(tmp_path / "vocabulary.parquet"))
    ids = pl.read_parquet(shop_dataset.folder / "items.parquet")["id"].to_list()
    np.testing.assert_array_equal(found[0, :3], shop_dataset.item_content[ids.index("tea1")][:3])
    assert found[0, 3:].tolist() == [0, shop_dataset.item_content_sizes[4] - 1]
