"""Names of groups: what sets each apart from all customers, in plain words. Shapes: P people, F numbers, K
groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from features.customers.clusters import Codes, Matrix
from features.customers.group_numbers import NUMBERS, GroupNumber, Scale

NAMED: Final = 3
"""Differences in a name, at most"""

CLEAR: Final = 0.4
"""A difference to the mean of all, in usual distances, that is worth a name"""

FAINT: Final = 0.2
"""That is worth a name where none is clear"""

CLEAR_SHARE: Final = 0.05
CLEAR_RATIO: Final = 1.15
"""What it must be besides: five points of a share, or 15 % more or less. Where all are nearly alike, a tenth
of a point may be a usual distance."""

STILL: Final = 0.15
"""A name of the last run is kept while each of its differences is at least this"""

USUAL: Final = "like most customers"
_BY_NAME: Final = {one.name: one for one in NUMBERS}
_PHRASES: Final = {
    phrase: (one.name, sign) for one in NUMBERS for phrase, sign in ((one.high, 1), (one.low, -1))
}


@dataclass(frozen=True)
class NamedGroup:
    """A group by the words that people know it by."""

    group: int
    name: str
    apart: str
    """The same in figures: `orders in 30 days 4.1, all 1.6`"""


def named_groups(
    data: Matrix, codes: Codes, ids: Codes, scale: Scale, *, last: pl.DataFrame | None
) -> list[NamedGroup]:
    """(K,) the groups of standardised numbers (P, F) with codes (P,) and numbers `ids` (K,). A group that the
    last run named keeps its name while it is true. No two have the same name."""
    overall = data.mean(axis=0)
    means = np.stack([data[codes == code].mean(axis=0) for code in range(len(ids))])
    kept = {} if last is None else dict(last.select("group", "group_name").iter_rows())
    kept = {group: name for group, name in kept.items() if group in ids}
    names: list[str] = []
    for code in range(len(ids)):
        difference = dict(zip(scale.names, means[code] - overall, strict=True))
        plain = dict(zip(scale.names, scale.back(means[code]) - scale.back(overall), strict=True))
        name = kept.get(int(ids[code]))
        if name is None or name in names or not _still_holds(name, difference):
            worth = _worth_a_word(difference, plain, least=CLEAR) or _worth_a_word(
                difference, plain, least=FAINT
            )
            name = _new_name(worth, taken={*names, *kept.values()})
        names.append(name)
    return [
        NamedGroup(
            int(ids[code]), name, _in_figures(name, scale.back(means[code]), scale.back(overall), scale)
        )
        for code, name in enumerate(names)
    ]


def _new_name(difference: dict[str, float], *, taken: set[str]) -> str:
    """Of the largest differences; with more of them, or a number, where the name is taken."""
    ordered = sorted(difference, key=lambda name: -abs(difference[name]))
    phrases = [_phrase(name, difference[name]) for name in ordered]
    for count in range(min(NAMED, len(phrases)), len(phrases) + 1):
        name = ", ".join(phrases[:count]) or USUAL
        if name not in taken:
            return name
    name = ", ".join(phrases[:NAMED]) or USUAL
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"


def _worth_a_word(difference: dict[str, float], plain: dict[str, float], *, least: float) -> dict[str, float]:
    """The differences that are large enough, both in usual distances and in what they mean."""
    return {
        name: far
        for name, far in difference.items()
        if abs(far) >= least
        and abs(plain[name]) >= (float(np.log(CLEAR_RATIO)) if _BY_NAME[name].is_log else CLEAR_SHARE)
    }


def _phrase(name: str, difference: float) -> str:
    return _BY_NAME[name].high if difference > 0 else _BY_NAME[name].low


def _said(name: str) -> list[tuple[str, int]]:
    """The numbers that a name speaks of, and whether they are high (1) or low (-1)."""
    return [_PHRASES[one] for one in name.partition(" (")[0].split(", ") if one in _PHRASES]


def _still_holds(name: str, difference: dict[str, float]) -> bool:
    if name.startswith(USUAL):
        return max((abs(one) for one in difference.values()), default=0.0) < CLEAR
    return all(sign * difference.get(number, 0.0) >= STILL for number, sign in _said(name))


def _in_figures(name: str, own: Matrix, overall: Matrix, scale: Scale) -> str:
    parts = []
    for number, _ in _said(name):
        place, one = scale.names.index(number), _BY_NAME[number]
        parts.append(f"{one.unit} {_figure(own[place], one)} (all {_figure(overall[place], one)})")
    return "; ".join(parts)


def _figure(value: float, one: GroupNumber) -> str:
    if one.is_log:
        return f"{np.expm1(value):,.1f}"
    return f"{max(value, 0.0):.2f}" if one.name == "price_level" else f"{max(value, 0.0):.0%}"
