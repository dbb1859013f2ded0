"""Ids: one form of each, whatever wrote it, and the key of a user, under which a history is kept.

Every id goes through here: of events, users and the catalogue in files, of live events and of requests.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import polars as pl

from configs.exceptions import DataError
from features.core import columns as c

_Text = TypeVar("_Text", pl.Series, pl.Expr)

_WHOLE_FLOAT: Final = r"^(-?[0-9]{1,16})\.0+$"
_ROUNDED: Final = r"^-?(?:[0-9]+\.0+|[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+)$"
_EXACT_BELOW: Final[dict[pl.DataType | type[pl.DataType], int]] = {
    pl.Float16: 2**11,
    pl.Float32: 2**24,
    pl.Float64: 2**53,
}
"""Floating-point type → the first whole number after which not every one has a value of its own."""

ROUNDED: Final = "is a rounded number such as 1.2345E+11, whose last digits are lost: save the ids as text"
"""Continues a sentence about an id for which `is_rounded` holds."""


def clean_id(text: str) -> str:
    """An id without the spaces around it, and `12` for `12.0`, which spreadsheets, pandas and JSON make of
    whole numbers."""
    text = text.strip()
    whole = re.fullmatch(_WHOLE_FLOAT, text)
    return whole[1] if whole and abs(int(whole[1])) < _EXACT_BELOW[pl.Float64] else text


def is_rounded(cleaned: str) -> bool:
    """Whether an id is a number in scientific notation, or a float from 2^53 on: no id of a shop, but what a
    spreadsheet or pandas left of one."""
    return re.fullmatch(_ROUNDED, cleaned) is not None


def clean_ids(text: pl.Series) -> pl.Series:
    """`clean_id` of a column of text; a blank becomes null."""
    text = text.str.strip_chars()
    blank = text.str.len_bytes() == 0
    if blank.any():
        text = text.set(blank, None)
    if not text.str.contains(_WHOLE_FLOAT).any():
        return text
    whole = text.str.extract(_WHOLE_FLOAT)
    exact = whole.cast(pl.Int64).abs() < _EXACT_BELOW[pl.Float64]
    return whole.zip_with(exact.fill_null(value=False), text)


def are_rounded(cleaned: _Text) -> _Text:
    """`is_rounded` of a column of text, or of an expression for one; null where null."""
    return cleaned.str.contains(_ROUNDED)


def ids_of_column(values: pl.Series, *, column: str, where: str) -> pl.Series | None:
    """The cleaned ids of a column of a file as text; None for a type that holds no ids.

    `column` and `where`: its name and its file, for the message. Raises DataError for floats that are not
    exactly whole: a shop's ids were rounded, and several of them may have become one.
    """
    dtype = values.dtype
    if dtype.is_float():
        values = _whole_numbers(values.fill_nan(None), column=column, where=where)
    elif dtype.is_decimal():
        return clean_ids(values.cast(pl.String).str.replace(r"\.0+$", ""))
    elif not (dtype.is_integer() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        return None
    return clean_ids(values.cast(pl.String))


def _whole_numbers(values: pl.Series, *, column: str, where: str) -> pl.Series:
    limit = _EXACT_BELOW[values.dtype]
    inexact = values.filter((values != values.floor()) | (values.abs() >= limit) | values.is_infinite())
    if len(inexact):
        raise DataError(
            f"{where}: column {column!r} holds ids as {values.dtype} (floating-point numbers), and "
            f"{inexact[0]!r} is not a whole number below {limit:,}: digits were lost, and different ids may "
            "have become one. Save the ids as text, or as whole numbers (in pandas: read them with the dtype "
            "'string' or 'Int64')."
        )
    return values.cast(pl.Int64)


VISITOR_PREFIX: Final = "visitor:"


def user_key(*, user_id: str | None, visitor_id: str | None) -> str | None:
    """The user_id where there is one, else `visitor:` and the visitor_id; None without either.

    The prefix keeps the two apart: a web page may send any visitor_id, and must not read a user's history
    with it.
    """
    if user_id:
        return user_id
    return VISITOR_PREFIX + visitor_id if visitor_id else None


def user_key_expr() -> pl.Expr:
    """`user_key` as a Polars expression: the key of each row's user."""
    return pl.coalesce(pl.col(c.USER_ID), pl.concat_str([pl.lit(VISITOR_PREFIX), pl.col(c.VISITOR_ID)]))
