"""The printed tables of `shopkeeper segments`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl
from rich.table import Table
from rich.text import Text

from configs.settings.customers import CustomersConfig
from features.customers.compute import Customers, Moved
from features.customers.read_me import moment
from features.customers.segments import Segments, segments
from features.customers.value_tiers import tier_bounds

TITLES: Final = {
    "life stage": "Life stages: where people stand between their first order and their last",
    "value tier": "Value tiers: by what people spent",
    "level": "Membership levels",
    "group": "Groups: people who buy alike",
    "tag": "Tags: rules of your own",
}


def render_segments(
    found: Customers, chosen: pl.DataFrame, *, rules: CustomersConfig, where: str | None
) -> Iterator[Table | Text]:
    """A table for each kind of segment, of the chosen customers; after it, what is not shown."""
    shown = found.segments
    if where is not None:
        bounds = tier_bounds(found.profiles, rules.value_tiers)
        shown = segments(chosen, found.groups, bounds=bounds, rules=rules)
    yield _headline(shown, found, where)
    for kind, title in TITLES.items():
        rows = shown.table.filter(pl.col("kind") == kind)
        if len(rows):
            yield _segment_table(rows, title)
            if kind == "life stage":
                yield Text(_cycle(found, rules))
    if shown.too_small:
        names = ", ".join(shown.too_small)
        yield Text(f"Not shown, because fewer than {rules.min_group_size} people are in it: {names}")
    if shown.empty:
        yield Text(f"Nobody is in: {', '.join(shown.empty)}")


def _cycle(found: Customers, rules: CustomersConfig) -> str:
    return (
        "A purchase cycle is a customer's own usual pause between orders; for whoever bought on one or two "
        f"days it is the shop's, {found.shop_cycle:g} days. Less than {rules.min_cycle_days:g} days count as "
        f"{rules.min_cycle_days:g}."
    )


def render_moves(moved: Moved) -> Table | Text:
    """Who went where since the earlier state; who stayed is left out."""
    since = moment(moved.since.as_of) if moved.since else ""
    rows = moved.table.filter(pl.col("before") != pl.col("now"))
    if rows.is_empty():
        return Text(f"Moves since {since}: none that may be shown.")
    table = Table(title=f"Moves since {since}", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "from", "to"):
        table.add_column(heading)
    table.add_column("people", justify="right")
    table.add_column("of those before", justify="right")
    for kind, before, now, people, share in rows.iter_rows():
        table.add_row(kind, Text(before), Text(now), f"{people:,}", f"{share:.0%}")
    return table


def _headline(shown: Segments, found: Customers, where: str | None) -> Text:
    if shown.table.is_empty():
        return Text("Fewer customers than may be shown.")
    whole = shown.table.row(0, named=True)
    parts = [f"{whole['people']:,} customers", f"{whole['orders']:,} orders"]
    if whole["revenue"] is not None:
        parts.append(f"revenue {whole['revenue']:,.2f}")
    if whole["average_order"] is not None:
        parts.append(f"{whole['average_order']:,.2f} an order")
    which = f" for whom {where}" if where else ""
    return Text(f"{', '.join(parts)}{which}. As of {moment(found.as_of)}.")


def _segment_table(rows: pl.DataFrame, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for heading in ("people", "share", "orders", "revenue", "share of it", "an order"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("who that is", overflow="fold")
    for row in rows.iter_rows(named=True):
        table.add_row(
            Text(row["name"]),  # no markup: names may hold [/b]
            f"{row['people']:,}",
            f"{row['share']:.0%}",
            f"{row['orders']:,}",
            _number(row, "revenue"),
            "" if row["revenue_share"] is None else f"{row['revenue_share']:.0%}",
            _number(row, "average_order"),
            Text(row["condition"]),
        )
    return table


def _number(row: Mapping[str, Any], name: str) -> str:
    return "" if row[name] is None else f"{row[name]:,.2f}"
