"""The printed tables of `shopkeeper returns`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import polars as pl
from rich.table import Table
from rich.text import Text

from configs.settings.returns import ReturnsConfig
from features.customers.returns import Returns

NUM_ROWS: Final = 10
LONGEST_TITLE: Final = 40


def render_returns(found: Returns, rules: ReturnsConfig, titles: Mapping[str, str]) -> Iterator[Table | Text]:
    """The shop, its categories and products, warnings, customers, and what fits instead. `titles`: those of
    products."""
    yield _headline(found)
    if len(found.categories) > 1:
        yield _rates(found.categories, "category", {}, "What comes back, by category")
    yield _rates(found.products, "item", titles, "Products that come back most often")
    yield Text(
        f"An interval of {rules.level:.0%} stands in brackets: rates of few order lines are drawn towards "
        "the category's, and say little."
    )
    yield from _warnings(found.warnings, rules, titles)
    above = int(found.customers["clearly_above"].sum())
    yield Text(f"{above:,} of {len(found.customers):,} customers send back clearly more than the rest.")
    if len(found.instead):
        yield _instead(found.instead, titles)


def _headline(found: Returns) -> Text:
    share = found.returned_lines / found.lines
    money = (
        f", {found.returned_value:,.2f} of {found.value:,.2f}"
        if found.value is not None and found.returned_value is not None
        else ""
    )
    return Text(
        f"{found.returned_lines:,} of {found.lines:,} order lines came back ({share:.1%}){money}. As of "
        f"{found.as_of:%Y-%m-%d %H:%M} UTC."
    )


def _rates(rows: pl.DataFrame, by: str, titles: Mapping[str, str], title: str) -> Table:
    table = _table(title, ("order lines", "came back", "rate", "interval", "value back"))
    for row in rows.filter(pl.col("returned_lines") > 0).head(NUM_ROWS).iter_rows(named=True):
        name = row[by]
        table.add_row(
            _name(name, titles) if name is not None else Text("without a category"),
            f"{row['lines']:,}",
            f"{row['returned_lines']:,}",
            f"{row['rate']:.1%}",
            f"{row['shrunk_rate']:.1%} ({row['low']:.1%} to {row['high']:.1%})",
            "" if row["returned_value"] is None else f"{row['returned_value']:,.2f}",
        )
    return table


def _warnings(found: pl.DataFrame, rules: ReturnsConfig, titles: Mapping[str, str]) -> Iterator[Table | Text]:
    warned = found.filter("is_warning")
    if found.is_empty():
        return
    if warned.is_empty():
        yield Text(
            f"No warning: none of {len(found):,} products that were tested comes back clearly more often "
            "than before."
        )
        return
    title = f"Warnings: more comes back of what was bought in the last {rules.recent_days:g} days"
    table = _table(title, ("lately", "", "before", "", "compared with", "by chance"))
    for row in warned.iter_rows(named=True):
        table.add_row(
            _name(row["item"], titles),
            f"{row['recent_returned']:,} of {row['recent_lines']:,}",
            f"{row['recent_rate']:.1%}",
            f"{row['compared_returned']:,} of {row['compared_lines']:,}",
            f"{row['compared_rate']:.1%}",
            row["compared_with"],
            f"{row['p_value']:.2g}",
        )
    yield table
    yield Text(
        f"{len(found):,} products were tested. At most {rules.false_discovery_rate:.0%} of the warnings are "
        f"chance, on average; each is about refunds of at least {rules.min_people} customers. What was "
        "bought before counts only as far as it came back within as short a time."
    )


def _instead(found: pl.DataFrame, titles: Mapping[str, str]) -> Table:
    table = _table("What fits instead", ("comes back", "its own", "why"))
    for row in found.head(NUM_ROWS).iter_rows(named=True):
        why = f"{row['why']} ({row['people']:,})" if row["people"] else row["why"]
        table.add_row(
            Text(f"{_name(row['item'], titles)} → {_name(row['instead'], titles)}"),
            f"{row['rate']:.1%}",
            f"{row['rate_instead']:.1%}",
            why,
        )
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _name(item: str, titles: Mapping[str, str]) -> Text:
    title = titles.get(item, "")
    short = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
    return Text(f"{item} {short}".strip())  # no markup: names may hold [/b]
