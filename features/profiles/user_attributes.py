"""Attributes of users (age band, region, membership tier …) as integer codes. Shapes: U users, A
attributes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from features.histories import IntArray

MAX_VALUES: Final = 1_000
"""An attribute with more distinct values than this is no category (a name, a postcode, a date of birth) and
is left out."""

MAX_ATTRIBUTES: Final = 64
"""The attributes of most users; the rest are left out."""


@dataclass(frozen=True)
class UserAttributes:
    """Attributes by name, values by frequency."""

    codes: IntArray
    """(U, A) 1 + the place of each user's value, 0 where it is unknown"""
    values: dict[str, list[str]]
    """attribute → its values in the order of their codes, which start at 1"""


def code_attributes(attributes: pl.Series) -> UserAttributes:
    """Code the JSON objects of `users.attributes` (U,), null where there is none.

    An attribute counts with 2 to `MAX_VALUES` distinct values as text. What is no JSON object says nothing.
    """
    texts = pl.DataFrame({"text": attributes.cast(pl.String)})
    distinct = texts.drop_nulls().group_by("text", maintain_order=True).agg(pl.len().alias("count"))
    found = _count(distinct)
    values = {name: [value for value, _ in _by_frequency(counts)] for name, counts in found.items()}
    codes = np.zeros((len(distinct) + 1, len(values)), np.int32)
    columns = [
        (name, {value: code for code, value in enumerate(known, start=1)}) for name, known in values.items()
    ]
    for row, text in enumerate(distinct["text"], start=1):
        user = _parse(text)  # for the second time: a million parsed objects would fill the memory
        codes[row] = [code.get(user.get(name, ""), 0) for name, code in columns]
    places = distinct.select("text", pl.int_range(1, pl.len() + 1).alias("place"))
    which = texts.join(places, on="text", how="left", maintain_order="left")["place"].fill_null(0)
    return UserAttributes(codes=codes[which.to_numpy()], values=values)


def _parse(text: str) -> dict[str, str]:
    """Attribute → value as text, without those that are null or blank."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    values = {name: _as_text(value) for name, value in found.items() if value is not None}
    return {name: value for name, value in values.items() if value}


def _as_text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _count(distinct: pl.DataFrame) -> dict[str, Counter[str]]:
    """Attribute → how many users have each value, for those that count, by name."""
    found: dict[str, Counter[str]] = {}
    for text, num_users in distinct.iter_rows():
        for name, value in _parse(text).items():
            counts = found.setdefault(name, Counter())
            if len(counts) <= MAX_VALUES:
                counts[value] += num_users
    usable = {name: counts for name, counts in found.items() if 2 <= len(counts) <= MAX_VALUES}
    most = sorted(usable, key=lambda name: (-usable[name].total(), name))[:MAX_ATTRIBUTES]
    return {name: usable[name] for name in sorted(most)}


def _by_frequency(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
