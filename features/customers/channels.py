"""From the tables of a shop to what each channel contributed, in one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.schema import Config
from features.core.forgotten import Forgotten
from features.customers.agreed_events import agreed_events, attribute_of_users
from features.customers.attribution import channel_credits
from features.customers.channel_events import CHANNEL, channel_columns, orders, visits
from features.customers.consent import LiveAttributes
from features.customers.paths import NOT_KNOWN, ORDER, PATH, paths, touches
from features.customers.price_levels import item_table
from features.customers.shoppers import SHOPPER, Shoppers, shoppers
from features.customers.small_channels import Grouped, small_remarks, with_other
from features.ingest.tables import Tables

NUM_PATHS: Final = 200
PATHS_SCHEMA: Final = {
    "path": pl.String,
    "orders": pl.Int64,
    "shoppers": pl.Int64,
    "revenue": pl.Float64,
}
"""One row a way to an order, the same channel in a row counted once"""

NOT_CAUSE: Final = (
    "This describes the paths of those who bought. It does not show what a channel caused: who comes by it "
    "might have bought without it. To find that out, leave a random part of the people without it (a "
    "holdout) and compare."
)


@dataclass(frozen=True)
class Channels:
    """What `shopkeeper channels` computes."""

    table: pl.DataFrame
    """`attribution.CREDITS_SCHEMA`; empty where the whole shop has too few shoppers"""
    paths: pl.DataFrame
    """`PATHS_SCHEMA`, of paths with enough shoppers"""
    shoppers: Shoppers
    columns: list[str]
    """The columns of events that name a channel"""
    as_of: datetime
    num_visits: int
    orders: int
    revenue: float | None
    remarks: list[str] = field(default_factory=list)


def compute_channels(
    tables: Tables,
    config: Config,
    *,
    as_of: datetime | None = None,
    forgotten: Forgotten | None = None,
    live: LiveAttributes = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Channels:
    """What each channel contributed to the orders `before` a time: by default, all of them.

    Raises DataError where there is no order, or no event says where its visitor came from, and ConfigError.
    """
    rules = config.channels
    events = agreed_events(tables, config.customers, before=as_of, forgotten=forgotten, live=live)
    columns = channel_columns(events, rules)
    progress("Finding out which ids are one shopper")
    emails = attribute_of_users(tables, rules.email_attribute, live=live, forgotten=forgotten)
    people = shoppers(events, emails, rules)
    progress(f"Reading the visits of {people.num_shoppers:,} shoppers")
    items = item_table(tables.items.collect(), category_levels=config.customers.category_levels)
    bought = orders(events, people.table, items)
    _require_order(bought, tables, as_of)
    all_visits = visits(events, people.table, columns)
    last: datetime = all_visits.select(pl.col("end").max()).item()
    moment = as_of or last + timedelta(microseconds=1)
    on_paths = paths(
        touches(all_visits, gap_minutes=config.prepare.session_gap_minutes),
        bought,
        lookback_days=rules.lookback_days,
        as_of=moment,
    )
    grouped = with_other(on_paths, min_shoppers=rules.min_shoppers)
    table = channel_credits(grouped.touches, bought)
    if not grouped.is_shown:
        table = table.clear()
    return Channels(
        table=table,
        paths=_top_paths(grouped.touches, bought, min_shoppers=rules.min_shoppers),
        shoppers=people,
        columns=columns,
        as_of=moment,
        num_visits=len(all_visits),
        orders=len(bought),
        revenue=float(bought["revenue"].sum()) if bought["revenue"].count() else None,
        remarks=[
            *people.remarks,
            *_remarks(all_visits, bought, grouped, table),
            *small_remarks(grouped, min_shoppers=rules.min_shoppers),
        ],
    )


def _require_order(bought: pl.DataFrame, tables: Tables, as_of: datetime | None) -> None:
    if bought.is_empty():
        when = f" before {as_of.isoformat()}" if as_of else ""
        raise DataError(
            f"{tables.folder}: there is no purchase{when}, so no path leads to an order. Credits need events "
            "of the type purchase."
        )


def _top_paths(found: pl.DataFrame, bought: pl.DataFrame, *, min_shoppers: int) -> pl.DataFrame:
    is_repeat = pl.col(CHANNEL) == pl.col(CHANNEL).shift(1).over(PATH)
    ways = (
        found.filter(pl.col(ORDER).is_not_null(), ~is_repeat.fill_null(value=False))
        .group_by(ORDER, SHOPPER, maintain_order=True)
        .agg(pl.col(CHANNEL).str.join(" > ").alias("path"))
        .join(bought.select(ORDER, "revenue"), on=ORDER)
    )
    money = pl.col("revenue").sum() if bought["revenue"].count() else pl.lit(None)
    grouped = ways.group_by("path").agg(
        pl.len().alias("orders"), pl.col(SHOPPER).n_unique().alias("shoppers"), money.alias("revenue")
    )
    return (
        grouped.filter(pl.col("shoppers") >= min_shoppers)
        .select(pl.col(name).cast(kind) for name, kind in PATHS_SCHEMA.items())
        .sort("orders", "path", descending=[True, False])
        .head(NUM_PATHS)
    )


def _remarks(
    all_visits: pl.DataFrame, bought: pl.DataFrame, grouped: Grouped, table: pl.DataFrame
) -> list[str]:
    found = []
    if unknown := all_visits[CHANNEL].null_count():
        found.append(
            f"{unknown:,} of {len(all_visits):,} visits do not say where they came from. They count only "
            f"where nothing else is known of a path, as {NOT_KNOWN!r}."
        )
    if len(table) == 1 and not grouped.names:
        found.append("There is one channel, so every credit is its own.")
    missing = bought["revenue"].null_count()
    if missing == len(bought):
        found.append("No price, in events or catalogue: orders are credited, and no revenue.")
    elif missing:
        found.append(f"{missing:,} of {len(bought):,} orders have no price, and count as 0.")
    return found


def joined_text(people: Shoppers) -> list[str]:
    """How ids became shoppers, a sentence a rule."""
    words = {
        "login": ("by login (a visitor's id stands in an event with a user_id)", "devices"),
        "order": ("by order (one order number stands on them)", "orders"),
        "email": ("by hashed e-mail address", "addresses"),
    }
    found = [f"{len(people.table):,} ids are {people.num_shoppers:,} shoppers."]
    for rule, count in people.joined.items():
        how, what = words[rule]
        refused = people.refused[rule]
        shared = f"; {refused:,} {what} that too many share joined nobody" if refused else ""
        found.append(f"{count:,} ids were joined {how}{shared}.")
    return found
