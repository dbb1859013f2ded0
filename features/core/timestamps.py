"""Parses times in the formats that shops use into microseconds, UTC."""

from __future__ import annotations

import polars as pl

UTC_MICROSECONDS = pl.Datetime("us", "UTC")

SMALLEST_UNIX = 1e8
"""Seconds: March 1973. A smaller number is not read as a time."""

_FORMATS_WITH_ZONE = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
_FORMATS_IN_UTC = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y%m%d")


def parse_timestamps(values: pl.Series) -> pl.Series:
    """Datetimes (us, UTC) from datetimes, dates, unix times or text; null where a value cannot be parsed.

    Text is ISO 8601 with `T` or a space, with or without a zone (UTC is assumed), a date alone, `20240131`,
    or a unix time. The size of a unix time tells its unit: seconds, milliseconds, microseconds or
    nanoseconds. A number too small for 1973 (the day number of a spreadsheet, a rank) is not a time.
    """
    dtype = values.dtype
    if isinstance(dtype, pl.Datetime):
        utc = values.dt.convert_time_zone("UTC") if dtype.time_zone else values.dt.replace_time_zone("UTC")
        return utc.dt.cast_time_unit("us")
    if dtype == pl.Date:
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if dtype.is_integer() and values.drop_nulls().is_between(19_000_101, 20_991_231).all():
        return _from_text(values.cast(pl.String))
    if dtype.is_numeric():
        return _from_unix(values)
    return _from_text(values.cast(pl.String))


def parse_formatted(text: pl.Series, time_format: str) -> pl.Series:
    """Datetimes (us, UTC) from text in one strftime format; null where it does not match. Raises
    PolarsError."""
    text = text.str.strip_chars()
    has_zone = any(letter in time_format for letter in ("%z", "%:z", "%#z", "%+"))
    if has_zone:
        return text.str.to_datetime(time_format, strict=False, time_unit="us", time_zone="UTC")
    return text.str.to_datetime(time_format, strict=False, time_unit="us").dt.replace_time_zone("UTC")


def _from_text(text: pl.Series) -> pl.Series:
    text = (
        text.str.strip_chars()
        .str.replace(r"^(\d{4}-\d\d-\d\d) +", "${1}T")
        .str.replace(r" ?(?:Z|z|UTC|GMT)$", "+0000")
    )
    parsed = pl.Series(text.name, [None] * len(text), dtype=UTC_MICROSECONDS)
    for format_ in _FORMATS_WITH_ZONE + _FORMATS_IN_UTC:
        missing = parsed.is_null() & text.is_not_null()
        if not missing.any():
            return parsed
        if format_ in _FORMATS_WITH_ZONE:
            found = text.str.to_datetime(format_, strict=False, time_unit="us", time_zone="UTC")
        elif format_ == "%Y%m%d":
            days = text.set(~text.str.contains(r"^(?:19|20)\d{6}$").fill_null(value=False), None)
            found = (
                days.str.to_date(format_, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
            )
        elif "H" in format_:
            found = text.str.to_datetime(format_, strict=False, time_unit="us").dt.replace_time_zone("UTC")
        else:
            found = (
                text.str.to_date(format_, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
            )
        parsed = parsed.zip_with(~missing, found)
    if not (parsed.is_null() & text.is_not_null()).any():
        return parsed
    return parsed.zip_with(parsed.is_not_null(), _from_unix(text.cast(pl.Float64, strict=False)))


def _from_unix(numbers: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"number": numbers})
    number, size = pl.col("number"), pl.col("number").abs()
    microseconds = (
        pl.when(size < SMALLEST_UNIX)
        .then(None)
        .when(size < 1e11)
        .then(number * 1e6)
        .when(size < 1e14)
        .then(number * 1e3)
        .when(size < 1e17)
        .then(number.cast(pl.Float64))
        .otherwise(number / 1e3)
    )
    exact = (
        microseconds.round().cast(pl.Int64, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    return frame.select(exact.alias(numbers.name)).to_series()
