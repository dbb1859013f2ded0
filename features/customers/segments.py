"""Segments: everybody who shares a stage, a tier, a level, a group or a tag, with what they bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from configs.settings.customers import CustomersConfig
from features.customers.life_stage import stage_conditions
from features.customers.profile_columns import TAG
from features.customers.value_tiers import tier_conditions

SEGMENTS_SCHEMA: Final = {
    "kind": pl.String,
    "name": pl.String,
    "condition": pl.String,
    "where": pl.String,
    "people": pl.Int64,
    "share": pl.Float64,
    "orders": pl.Int64,
    "revenue": pl.Float64,
    "revenue_share": pl.Float64,
    "average_order": pl.Float64,
}
"""One row a segment: `condition` in plain words, `where` as SQL for `--where`; revenue is net of refunds, an
average order before them. Money is null in a shop without prices."""

EVERYBODY: Final = "everybody"
FIGURES: Final = ("orders", "bought", "spent")
"""Columns of the profiles that figures are sums of"""


@dataclass(frozen=True)
class Segments:
    """What is shown."""

    table: pl.DataFrame
    """`SEGMENTS_SCHEMA`, of segments with enough people"""
    too_small: list[str] = field(default_factory=list)
    """`kind: name` of those with fewer, but somebody"""
    empty: list[str] = field(default_factory=list)
    """The same of those with nobody"""


@dataclass(frozen=True)
class _Segment:
    kind: str
    name: str
    condition: str
    where: str
    people: pl.Expr


def segments(
    profiles: pl.DataFrame, groups: pl.DataFrame, *, bounds: dict[str, float], rules: CustomersConfig
) -> Segments:
    """Every segment of the rules, in their order. `groups`: `GROUPS_SCHEMA`; `bounds`: `tier_bounds`."""
    rows: list[dict[str, object]] = []
    too_small: list[str] = []
    empty: list[str] = []
    whole = profiles.select(FIGURES)
    for one in [
        _Segment("all", EVERYBODY, "all customers", "", pl.lit(value=True)),
        *_all(groups, bounds, rules),
    ]:
        people = profiles.lazy().filter(one.people).select(FIGURES).collect()
        if len(people) < rules.min_group_size:
            (too_small if len(people) else empty).append(f"{one.kind}: {one.name}")
            continue
        described = {"kind": one.kind, "name": one.name, "condition": one.condition, "where": one.where}
        rows.append({**described, **_figures(people, whole)})
    return Segments(pl.DataFrame(rows, schema=SEGMENTS_SCHEMA), too_small, empty)


def _figures(people: pl.DataFrame, whole: pl.DataFrame) -> dict[str, float | None]:
    """The figures of `SEGMENTS_SCHEMA` for some of all customers; both have the columns `FIGURES`."""
    orders, revenue, total = (
        _sum(*pair) for pair in ((people, "orders"), (people, "spent"), (whole, "spent"))
    )
    has_prices = people["spent"].count() > 0
    return {
        "people": len(people),
        "share": len(people) / len(whole),
        "orders": int(orders),
        "revenue": revenue if has_prices else None,
        "revenue_share": revenue / total if has_prices and total > 0 else None,
        "average_order": _sum(people, "bought") / orders if has_prices and orders else None,
    }


def _sum(people: pl.DataFrame, column: str) -> float:
    return float(people[column].sum())


def _all(groups: pl.DataFrame, bounds: dict[str, float], rules: CustomersConfig) -> Iterator[_Segment]:
    for stage, words in stage_conditions(rules).items():
        yield _equal("life stage", stage, words, column="life_stage")
    for tier, words in tier_conditions(bounds).items():
        yield _equal("value tier", tier, words, column="value_tier")
    for level in sorted(rules.levels, key=lambda name: -rules.levels[name]):
        words = f"{rules.levels[level]:,.10g} points or more within {rules.level_days:g} days"
        yield _equal("level", level, words, column="level")
    for group, name, apart in groups.select("group", "group_name", "apart").iter_rows():
        yield _Segment("group", f"{group}: {name}", apart, f'"group" = {group}', pl.col("group") == group)
    for tag, condition in rules.tags.items():
        yield _Segment("tag", tag, condition, TAG + tag, pl.col(TAG + tag))


def _equal(kind: str, value: str, words: str, *, column: str) -> _Segment:
    quoted = value.replace("'", "''")
    return _Segment(kind, value, words, f"{column} = '{quoted}'", pl.col(column) == value)
