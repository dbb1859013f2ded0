"""Casts raw columns to the types of the tables. A column without any usable value is an error with an
example."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import polars as pl

from configs.exceptions import ConfigError, DataError
from features.core.categorical import on_distinct
from features.core.ids import clean_ids, ids_of_column
from features.core.timestamps import parse_formatted, parse_timestamps
from features.readers.raw_table import COLUMN_SETTING, RawTable

_CURRENCY_CODE: Final = r"\s+([A-Z]{3})\s*$"


def as_ids(raw: RawTable, column: str) -> pl.Series:
    """The ids of a column as text, see `features.core.ids`: blanks as null, and 12.0 as 12."""
    ids = ids_of_column(raw.frame[column], column=raw.name_in_file(column), where=raw.where)
    if ids is None:
        raise _wrong_type(raw, column, expected="text or whole numbers")
    _check_plain(raw, column, ids)
    return ids


def as_categorical_ids(raw: RawTable, column: str) -> pl.Series:
    """`as_ids` as a Categorical column."""
    values = raw.frame[column]
    if values.dtype == pl.String:
        values = values.cast(pl.Categorical)
    if values.dtype != pl.Categorical:
        return as_ids(raw, column).cast(pl.Categorical)
    _check_plain(raw, column, values.unique().cast(pl.String))
    return _cleaned_on_distinct(values, clean_ids)


def as_text(raw: RawTable, column: str) -> pl.Series:
    """Text as it is, with blanks as null. A column of whole numbers as floats is read without their .0."""
    values = raw.frame[column]
    if isinstance(values.dtype, (pl.Struct, pl.List)) and column == "attributes":
        return raw.frame.select(
            pl.struct(column).struct.json_encode().str.json_path_match(f"$.{column}").alias(column)
        ).to_series()
    if values.dtype.is_float():
        values = values.fill_nan(None)
        if ((values == values.floor()) & (values.abs() < 2**53)).all():
            values = values.cast(pl.Int64)
    if not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise _wrong_type(raw, column, expected="text or whole numbers")
    return _without_blanks(values.cast(pl.String))


def as_categorical_text(raw: RawTable, column: str) -> pl.Series:
    """`as_text` as a Categorical column."""
    values = raw.frame[column]
    if values.dtype != pl.Categorical:
        return as_text(raw, column).cast(pl.Categorical)
    return _cleaned_on_distinct(values, _without_blanks)


def _cleaned_on_distinct(values: pl.Series, clean: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply `clean` to a Categorical column. Most need nothing, and are returned as they are."""
    names = values.unique().cast(pl.String)
    if clean(names).equals(names):
        return values
    return on_distinct(values, clean).cast(pl.Categorical)


def _without_blanks(text: pl.Series) -> pl.Series:
    blank = text.str.strip_chars().str.len_bytes() == 0
    return text.set(blank, None) if blank.any() else text


def as_prices(raw: RawTable, column: str) -> list[pl.Series]:
    """`as_numbers`, and `_currency_<column>`: the code in a price such as 15.00 USD, as the Google Merchant
    feed prescribes it (a number, a space, an ISO 4217 code); null elsewhere."""
    code = pl.Series(f"_currency_{column}", [None] * len(raw.frame), dtype=pl.String)
    if column in raw.frame.columns and raw.frame.schema[column] == pl.String:
        text = raw.frame[column]
        code = text.str.extract(_CURRENCY_CODE).alias(code.name)
        if code.null_count() < len(code):
            plain = text.str.replace(_CURRENCY_CODE, "").alias(column)
            raw = replace(raw, frame=raw.frame.with_columns(plain))
    return [*as_numbers(raw, column, whole=False), code]


def as_numbers(raw: RawTable, column: str, *, whole: bool) -> list[pl.Series]:
    """(the numbers, `_bad_<column>`: true where a value is not a number). An absent column is all null."""
    dtype = pl.Int64 if whole else pl.Float64
    if column not in raw.frame.columns:
        length = len(raw.frame)
        return [
            pl.Series(column, [None] * length, dtype=dtype),
            pl.repeat(value=False, n=length, eager=True).alias(f"_bad_{column}"),
        ]
    values = raw.frame[column]
    expected = "whole numbers" if whole else "numbers"
    if values.dtype in (pl.String, pl.Categorical, pl.Enum):
        values = _plain_numbers(as_text(raw, column).str.strip_chars(), raw.decimal)
    elif not (values.dtype.is_numeric() or values.dtype == pl.Null):
        raise _wrong_type(raw, column, expected=expected)
    if values.dtype.is_float():
        values = values.fill_nan(None)  # pandas' missing value
    if whole and values.dtype.is_integer() and values.is_between(-(2**53), 2**53, closed="none").all():
        return _checked(raw, column, values, values.cast(pl.Int64), expected=expected)
    numbers = values.cast(pl.Float64, strict=False)
    usable = numbers.is_finite()
    if whole:
        usable = usable & (numbers == numbers.floor()) & (numbers.abs() < 2**53)
    if not usable.all(ignore_nulls=True):
        numbers = numbers.set(~usable.fill_null(value=False), None)
    numbers = numbers.cast(dtype)
    return _checked(raw, column, values, numbers, expected=expected)


def _check_plain(raw: RawTable, column: str, text: pl.Series) -> None:
    """Raise DataError when all values are lists or objects as JSON, which JSON lines and CSV give as text."""
    values = text.drop_nulls()
    if column == "attributes" or values.is_empty():
        return
    if values.head(1).str.contains(_NESTED).all() and values.str.contains(_NESTED).all():
        raise _wrong_type(raw, column, expected="text or whole numbers")


_NESTED: Final = r'(?s)^\s*(?:\[\s*(?:[\[{"].*|[-\d.,\s]*)\]|\{\s*(?:".*)?\})\s*$'
"""A list or an object in JSON: `[{"id": "4051"}]`, `[1, 2]`, `{}`, but not `[new] soap`."""


def as_timestamps(raw: RawTable, column: str) -> list[pl.Series]:
    """(times in us UTC, `_bad_<column>`)."""
    values = raw.frame[column]
    if values.dtype in (pl.String, pl.Categorical, pl.Enum):
        values = as_text(raw, column)
    elif not (
        values.dtype.is_numeric()
        or values.dtype in (pl.Date, pl.Null)
        or isinstance(values.dtype, pl.Datetime)
    ):
        raise _wrong_type(raw, column, expected="times")
    if raw.timestamp_format and values.dtype == pl.String:
        return _checked(
            raw,
            column,
            values,
            _formatted(values, raw.timestamp_format),
            expected=f"times like {raw.timestamp_format}",
        )
    expected = "times such as 2024-01-31T12:00:00Z, 2024-01-31 12:00, 2024-01-31 or unix seconds"
    return _checked(raw, column, values, parse_timestamps(values), expected=expected)


def _formatted(text: pl.Series, time_format: str) -> pl.Series:
    try:
        return parse_formatted(text, time_format)
    except pl.exceptions.PolarsError as error:
        raise ConfigError(
            f"data.timestamp_format={time_format!r} cannot be used ({str(error).splitlines()[0]}): give a "
            "strftime format with year, month and day, such as '%d.%m.%Y %H:%M'."
        ) from None


def _plain_numbers(text: pl.Series, decimal: str) -> pl.Series:
    """1,249.00 → 1249.00; with a decimal comma 1.249,00 and 0,5 → 1249.00 and 0.5.

    Thousands are groups of three digits, apart by the other of point and comma, by a space or by an
    apostrophe. What is neither such a number nor one without groups is no number: 1,24 may be 1.24 or 124.
    """
    point, other = re.escape(decimal), "," if decimal == "." else "."
    between = rf"[{other}\s’']"
    grouped = text.str.contains(rf"^[+-]?[1-9]\d{{0,2}}(?:{between}\d{{3}})+(?:{point}\d*)?$")
    if decimal == ".":
        if not grouped.any():
            return text
        return text.str.replace_all(between, "").zip_with(grouped, text)
    plain = text.str.replace_all(between, "").str.replace(",", ".", literal=True)
    is_number = grouped | text.str.contains(r"^[+-]?\d+(?:,\d*)?$") | text.is_null()
    return plain.zip_with(is_number, "not a number: " + text)


def _checked(
    raw: RawTable, column: str, found: pl.Series, cast: pl.Series, *, expected: str
) -> list[pl.Series]:
    bad = cast.is_null() & found.is_not_null()
    if len(found) > 1 and bad.any() and cast.null_count() == len(cast):
        raise _wrong_type(raw, column, expected=expected)
    return [cast.alias(column), bad.alias(f"_bad_{column}")]


def _wrong_type(raw: RawTable, column: str, *, expected: str) -> DataError:
    values = raw.frame[column].drop_nulls()
    example = repr(values[0]) if len(values) else "nothing"
    where = COLUMN_SETTING[raw.name]
    is_nested = values.dtype.is_nested() or values.head(1).cast(pl.String).str.contains(_NESTED).any()
    remedy = _NESTED_REMEDY if is_nested else _REMEDIES[expected.split()[0]]
    dtype = "a list or an object" if is_nested else str(values.dtype)
    return DataError(
        f"{raw.where}: column {raw.name_in_file(column)!r} should hold {expected}, but its type is {dtype} "
        f"and it begins with {example}. {remedy}If the {column} is in another column, name that in "
        f"data.{where}: {{{column}: <your column>}}."
    )


_NESTED_REMEDY: Final = (
    "Write one row for each value of the list, with columns of text and numbers. data.reader=ga4 reads the "
    "export of Google Analytics 4 as it is. "
)


_REMEDIES = {
    "times": "Set data.timestamp_format to their format, such as '%d.%m.%Y %H:%M'. ",
    "numbers": "If the decimal separator is a comma, set data.decimal=','; write a currency as a code after "
    "the number (15.00 USD), not as a sign. ",
    "whole": "",
    "text": "",
}
"""First word of `expected` → the remedy."""
