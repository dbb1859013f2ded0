"""Values that shops spell in their own ways, such as event types: mapped to ours, ignored, or rejected with
the value in the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from features.core import columns as c
from features.core.categorical import on_distinct
from features.ingest.casting import as_categorical_text, as_text
from features.readers.raw_table import RawTable

IGNORE: Final = "ignore"
"""Instead of one of our event types: rows of this type are left out."""
NUM_QUOTED: Final = 10
"""This many unknown values, the most frequent ones, are rejected with a reason of their own."""
_MAX_QUOTED_LENGTH: Final = 40
_EVENT_TYPE: Final = pl.Enum(c.EVENT_TYPES)
_OWN_EVENT_TYPES: Final = {name: name for name in c.EVENT_TYPES} | c.EVENT_TYPE_ALIASES


def without_ignored(raw: RawTable) -> tuple[RawTable, dict[str, int]]:
    """(the events without those of an ignored type, the number of rows left out by reason)"""
    ignored = [name for name, ours in (raw.event_types or {}).items() if ours == IGNORE]
    if not ignored or c.EVENT_TYPE not in raw.frame.columns:
        return raw, {}
    words = on_distinct(as_categorical_text(raw, c.EVENT_TYPE), _words)
    is_ignored = words.is_in(ignored).fill_null(value=False)
    counts = words.filter(is_ignored).value_counts(name="count").sort("count", c.EVENT_TYPE, descending=True)
    return replace(raw, frame=raw.frame.filter(~is_ignored)), {
        f"event type {name!r}, which is ignored": count for name, count in counts.iter_rows()
    }


def event_types(raw: RawTable) -> list[pl.Series]:
    """(our event types, `_unknown_event_type`: the file's value where it is none, else null)"""
    names = _OWN_EVENT_TYPES | dict(raw.event_types or {})
    text = as_categorical_text(raw, c.EVENT_TYPE)
    types = on_distinct(text, lambda values: _mapped(_words(values), names, _EVENT_TYPE)).alias(c.EVENT_TYPE)
    return [types, _unknown(text, types)]


def availabilities(raw: RawTable) -> list[pl.Series]:
    """(our availabilities, `_unknown_availability`), null without such a column. A space or a hyphen is read
    as an underscore, true and false as words."""
    if c.AVAILABILITY not in raw.frame.columns:
        text = pl.Series(c.AVAILABILITY, [None] * len(raw.frame), dtype=pl.String)
    elif raw.frame[c.AVAILABILITY].dtype == pl.Boolean:
        text = raw.frame[c.AVAILABILITY].cast(pl.String)
    else:
        text = as_text(raw, c.AVAILABILITY)
    ours = _words(text).str.replace_all(r"[ -]", "_")
    known = _mapped(_words(text), raw.availability or {}, pl.String)
    known = known.fill_null(ours.set(~ours.is_in(c.AVAILABILITIES), None)).alias(c.AVAILABILITY)
    return [known, _unknown(text, known)]


def unknown_value_rules(
    unknown: pl.Series, *, setting: str | None, choices: Iterable[str]
) -> dict[str, pl.Expr]:
    """Reason for rejection → whether a row is rejected for it, for a column `_unknown_<name>`.

    `setting`: the one that maps values to `choices`; None where the reader has none.
    """
    column, name = pl.col(unknown.name), unknown.name.removeprefix("_unknown_")
    values = unknown.drop_nulls().cast(pl.String).value_counts(name="count")
    frequent = values.sort("count", unknown.name, descending=[True, False])[unknown.name].head(NUM_QUOTED)
    remedy = f": map it in {setting} to {' or '.join(choices)}" if setting else ""
    quoted = {f"{name} {_quoted(value)} is not known{remedy}": column == value for value in frequent}
    further = f"{name} is not known ({len(values) - len(frequent):,} further values){remedy}"
    return {**quoted, further: column.is_not_null()}


def _words(text: pl.Series) -> pl.Series:
    return text.str.strip_chars().str.to_lowercase()


def _mapped(words: pl.Series, names: Mapping[str, str], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    return words.replace_strict(dict(names), default=None, return_dtype=dtype)


def _unknown(text: pl.Series, known: pl.Series) -> pl.Series:
    return text.set(known.is_not_null(), None).alias(f"_unknown_{known.name}")


def _quoted(value: str) -> str:
    return repr(value if len(value) <= _MAX_QUOTED_LENGTH else value[:_MAX_QUOTED_LENGTH] + "…")
