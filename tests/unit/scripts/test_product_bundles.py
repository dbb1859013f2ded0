"""`shopkeeper product-bundles` over prepared files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl
import pytest
from command_line import RunMain, runner
from odd_shop import NOW, Row, bought, settings, write_settings

from features.prepare import prepare

PRICES = {"bread": 2.0, "butter": 3.5, "jam": 4.0, "salt": 1.0, "tea": 5.0}


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    return runner(monkeypatch, capsys)


def baskets() -> list[dict[str, object]]:
    """Bread, butter and jam are breakfast; salt and tea are bought alone."""
    sets = [["bread", "butter", "jam"]] * 12 + [["salt"], ["tea"]] * 14
    return [bought(f"u{number}", item, day=number) for number, one in enumerate(sets) for item in one]


def catalogue(**changed: Mapping[str, object]) -> list[dict[str, object]]:
    return [
        {
            "id": item,
            "title": item.capitalize(),
            "product_type": f"Food > {item.capitalize()}",
            "price": price,
            "availability": "in_stock",
            **changed.get(item, {}),
        }
        for item, price in PRICES.items()
    ]


def prepared(folder: Path, events: Iterable[Row], items: Iterable[Row] = ()) -> Path:
    """The settings' YAML."""
    config = settings(folder, events, "prepare.max_rejected_share=1", items=items)
    prepare(config, now=NOW)
    return write_settings(config)


def test_bundles_have_titles_figures_and_the_sum_of_prices(shopkeeper: RunMain, tmp_path: Path) -> None:
    yaml, table = prepared(tmp_path, baskets(), catalogue()), tmp_path / "bundles.csv"
    done = shopkeeper("product-bundles", "-c", yaml, "--table", table)
    assert done.status == 0, done.err
    line = next(line for line in done.out.splitlines() if "Bread + Butter + Jam" in line)
    assert line.split()[-1] == "9.50"
    assert line.split()[-5:-1] == ["12", "30.00%", "100%", "11.1"]
    found = pl.read_csv(table)
    assert found["size"].value_counts(sort=True).rows() == [(2, 3), (3, 1)]
    pair = found.filter(pl.col("size") == 2).sort("price").row(0, named=True)
    assert {pair["item_id_1"], pair["item_id_2"]} == {"bread", "butter"}
    assert (pair["together"], pair["price"], pair["title_3"]) == (12, 5.5, None)
    assert "salt" not in found["item_id_1"].to_list()


def test_a_missing_price_is_said_and_what_is_sold_out_is_in_no_bundle(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    items = catalogue(jam={"availability": "out_of_stock"}, butter={"price": ""})
    rows = [row for row in baskets() if row["item_id"] != "jam"] + [
        {**row, "price": 3} for row in baskets() if row["item_id"] == "jam"
    ]
    yaml = prepared(tmp_path, rows, items)
    done = shopkeeper("product-bundles", "-c", yaml)
    assert done.status == 0, done.err
    assert [line.split()[-1] for line in done.out.splitlines() if "Bread" in line] == ["unknown"]
    found = pl.read_parquet(tmp_path / "shop" / "product_bundles.parquet")
    assert found["price"].to_list() == [None]
    assert found.select("item_id_1", "item_id_2").row(0) in {("bread", "butter"), ("butter", "bread")}


def test_where_everything_was_brought_back_it_says_that_there_is_nothing(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    back = [{**row, "event_type": "refund"} for row in baskets()]
    yaml = prepared(tmp_path, [*baskets(), *back], catalogue())
    done = shopkeeper("product-bundles", "-c", yaml)
    assert done.status == 0, done.err
    assert not done.out
    assert "No bundles: no two products stand together in 10 baskets" in done.err
    assert len(pl.read_parquet(tmp_path / "shop" / "product_bundles.parquet")) == 0


def test_a_category_that_contains_itself_is_a_path_like_any_other(
    shopkeeper: RunMain, tmp_path: Path
) -> None:
    loop = {"bread": {"product_type": "Food > Bread > Food > Bread"}, "jam": {"product_type": "Bread > Food"}}
    yaml = prepared(tmp_path, baskets(), catalogue(**loop))
    done = shopkeeper("product-bundles", "-c", yaml)
    assert done.status == 0, done.err
    assert "Bread + Butter + Jam" in done.out


def test_another_kind_of_file_is_refused_before_anything_is_read(shopkeeper: RunMain, tmp_path: Path) -> None:
    done = shopkeeper("product-bundles", "--out", tmp_path, "--table", "bundles.xlsx")
    assert done.status == 2
    assert "--table bundles.xlsx: name a .parquet or a .csv file." in done.err
    done = shopkeeper("product-bundles", "--out", tmp_path)
    assert done.status == 2
    assert "shopkeeper prepare" in done.err
