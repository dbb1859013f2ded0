"""The printed tables of `shopkeeper channels`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl
from rich.table import Table
from rich.text import Text

from features.customers.attribution import MODELS
from features.customers.channels import NOT_CAUSE, Channels

NUM_ROWS: Final = 30
NUM_PATHS: Final = 10
HEADINGS: Final = ("first", "last", "position", "Markov")
"""Of `MODELS`, in their order"""


def rendered(found: Channels) -> Iterator[Table | Text]:
    """The shop, orders and revenue by channel, the most frequent paths, and what all of it does not say."""
    revenue = "" if found.revenue is None else f", revenue {found.revenue:,.2f} before refunds"
    yield Text(
        f"{found.orders:,} orders{revenue}, {found.num_visits:,} visits, "
        f"{found.shoppers.num_shoppers:,} shoppers. As of {found.as_of:%Y-%m-%d %H:%M} UTC."
    )
    name = " / ".join(found.columns)
    yield _credits(found.table, name, kind="orders")
    if found.revenue is not None:
        yield _credits(found.table, name, kind="revenue")
    if len(found.paths):
        yield _paths(found.paths)
    yield Text(NOT_CAUSE)


def _credits(found: pl.DataFrame, name: str, *, kind: str) -> Table:
    """A row a channel: `orders` or `revenue` by each model."""
    title = "Orders credited to each channel" if kind == "orders" else "Revenue credited to each channel"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column(name, overflow="fold")
    for heading in ("visits", "shoppers", "orders with it", *HEADINGS):
        table.add_column(heading, justify="right", no_wrap=True)
    decimals = 1 if kind == "orders" else 2
    for row in found.head(NUM_ROWS).iter_rows(named=True):
        table.add_row(
            Text(row["channel"]),  # no markup: names may hold [/b]
            f"{row['touches']:,}",
            f"{row['shoppers']:,}",
            f"{row['orders_with']:,}",
            *(f"{row[f'{kind}_{model}']:,.{decimals}f}" for model in MODELS),
        )
    return table


def _paths(paths: pl.DataFrame) -> Table:
    """The ways that most orders came."""
    table = Table(title="Ways that most orders came", title_justify="left", box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for heading in ("orders", "shoppers", "revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    for path, orders, shoppers, revenue in paths.head(NUM_PATHS).iter_rows():
        table.add_row(
            Text(path), f"{orders:,}", f"{shoppers:,}", "" if revenue is None else f"{revenue:,.2f}"
        )
    return table
