"""One form of an id, and the key of a user."""

from __future__ import annotations

import polars as pl
import pytest

from configs.exceptions import DataError
from features.core.ids import (
    are_rounded,
    clean_id,
    clean_ids,
    ids_of_column,
    is_rounded,
    user_key,
    user_key_expr,
)


def test_the_key_of_a_user_is_the_same_for_one_event_and_for_a_column() -> None:
    users = [("ann", None), ("ann", "v1"), (None, "v1"), (None, None)]
    frame = pl.DataFrame(users, schema={"user_id": pl.String, "visitor_id": pl.String}, orient="row")
    expected = [user_key(user_id=user, visitor_id=visitor) for user, visitor in users]
    assert (
        frame.select(user_key_expr().alias("user"))["user"].to_list()
        == expected
        == ["ann", "ann", "visitor:v1", None]
    )


CLEANED = {
    "12": "12",
    "12.0": "12",
    " 12.00 ": "12",
    "-1.0": "-1",
    "0012": "0012",
    "12.5": "12.5",
    "v1.0": "v1.0",
    "9007199254740991.0": "9007199254740991",
    "9007199254740992.0": "9007199254740992.0",
    "123456789012345678": "123456789012345678",
    "4E10": "4E10",
    "1e+16": "1e+16",
    " ": "",
}
ROUNDED_IDS = ("1.2345E+11", "1,23457E+11", "7e+17", "9007199254740992.0", "765432109876555520.0")


def test_an_id_has_one_form_in_files_and_live() -> None:
    assert {text: clean_id(text) for text in CLEANED} == CLEANED
    assert clean_ids(pl.Series([*CLEANED, None])).to_list() == [
        *(text or None for text in CLEANED.values()),
        None,
    ]


@pytest.mark.parametrize("text", [*ROUNDED_IDS, "12.0", "4E10", "1.2", "E+1", "12e+5"])
def test_a_rounded_number_is_told_from_an_id(text: str) -> None:
    expected = text in ROUNDED_IDS
    assert is_rounded(clean_id(text)) == expected
    assert are_rounded(clean_ids(pl.Series([text]))).to_list() == [expected]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
@pytest.mark.parametrize("value", [765432109876555510.0, 1e20, 12.5, float("inf")])
def test_a_column_of_floats_that_are_not_exact_is_an_error(value: float, dtype: pl.DataType) -> None:
    values = pl.Series([12.0, None, value], dtype=dtype)
    with pytest.raises(DataError, match=r"a\.parquet: column 'customer'.*Save the ids as text"):
        ids_of_column(values, column="customer", where="a.parquet")


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([12.0, float("nan"), None]),
        pl.Series([12, None, None], dtype=pl.Float32),
        pl.Series([12, None, None], dtype=pl.UInt64),
        pl.Series(["12.00", None, None]).cast(pl.Decimal(20, 2)),
        pl.Series(["12.0", " ", None], dtype=pl.Categorical),
    ],
)
def test_columns_of_any_type_hold_the_same_ids(values: pl.Series) -> None:
    ids = ids_of_column(values, column="customer", where="a.parquet")
    assert ids is not None
    assert ids.to_list() == ["12", None, None]
    big = pl.Series([2**63 + 1, 12], dtype=pl.UInt64)
    assert ids_of_column(big, column="customer", where="").to_list() == ["9223372036854775809", "12"]  # type: ignore[union-attr]
