"""Times in each format that shops use, and what is not a time."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from features.core.timestamps import parse_timestamps

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T12:00:00Z",
        "2024-01-31T12:00:00.000000Z",
        "2024-01-31T13:00:00+01:00",
        "2024-01-31 13:00:00 +0100",
        "2024-01-31 14:00:00+02",
        "2024-01-31T12:00Z",
        "2024-01-31 12:00:00",
        "2024-01-31  12:00",
        "2024-01-31 12:00:00 UTC",
        "1706702400",
        "1706702400000",
        "1706702400.0",
        "1706702400000000",
        "1706702400000000000",
    ],
)
def test_a_time_is_read_in_the_forms_that_shops_write(text: str) -> None:
    other = "2020-02-29"  # a column may hold several forms
    assert parse_timestamps(pl.Series([text, other])).to_list() == [NOON, datetime(2020, 2, 29, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["31/01/2024", "noon", "2024-13-01", "nan", "inf"])
def test_what_is_no_time_is_null(text: str) -> None:
    assert parse_timestamps(pl.Series([text])).to_list() == [None]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([NOON]),
        pl.Series([NOON.replace(tzinfo=None)]).cast(pl.Datetime("ns")),
        pl.Series([NOON]).dt.convert_time_zone("Asia/Tokyo"),
        pl.Series([1706702400]),
        pl.Series([1706702400000.0]),
    ],
)
def test_typed_times(values: pl.Series) -> None:
    parsed = parse_timestamps(values)
    assert parsed.dtype == pl.Datetime("us", "UTC")
    assert parsed.to_list() == [NOON]


def test_dates_begin_at_midnight() -> None:
    assert parse_timestamps(pl.Series([date(2024, 1, 31)])).to_list() == [NOON.replace(hour=0)]
    assert parse_timestamps(pl.Series(["20240131"])).to_list() == [NOON.replace(hour=0)]
