"""Numbers as text: groups of thousands, decimals, and what stays refused."""

from __future__ import annotations

import polars as pl
import pytest

from features.ingest.casting import as_numbers
from features.readers.raw_table import RawTable, no_rejected


def read(texts: list[str], *, decimal: str = ".", whole: bool = False) -> list[float | None]:
    """The numbers of a price column, beside one plain number, so that the column as a whole is usable."""
    frame = pl.DataFrame({"price": [*texts, "1"]})
    raw = RawTable(name="events", where="sales.csv", frame=frame, rejected=no_rejected(), decimal=decimal)
    numbers, bad = as_numbers(raw, "price", whole=whole)
    assert bad.to_list() == [value is None for value in numbers.to_list()]
    return numbers.to_list()[:-1]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,249.00", 1249.0),
        ("1,249,000.5", 1_249_000.5),
        ("-12,000", -12_000.0),
        ("1 249.00", 1249.0),
        ("1\N{NARROW NO-BREAK SPACE}249.00", 1249.0),
        ("1’249.00", 1249.0),
        ("1'249", 1249.0),
        ("1249.00", 1249.0),
        ("1e3", 1000.0),
        ("1,24", None),
        ("1,2490", None),
        ("12,34,567.00", None),
        ("0,735", None),
        ("1.249,00", None),
        ("1,249,00", None),
        (",249", None),
    ],
)
def test_groups_of_thousands_with_a_decimal_point(text: str, number: float | None) -> None:
    assert read([text]) == [number]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.249,00", 1249.0),
        ("1.249", 1249.0),
        ("0,735", 0.735),
        ("0.735", None),
        ("2.50", None),
        ("1,249.00", None),
    ],
)
def test_groups_of_thousands_with_a_decimal_comma(text: str, number: float | None) -> None:
    assert read([text], decimal=",") == [number]


@pytest.mark.parametrize(("text", "number"), [("12.00", 12), ("3.0", 3), ("1,249.00", 1249), ("1.5", None)])
def test_decimals_that_hold_whole_numbers_are_whole(text: str, number: int | None) -> None:
    assert read([text], whole=True) == [number]
