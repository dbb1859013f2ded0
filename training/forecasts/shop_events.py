"""Tables → what forecasts look at: bought and returned lines, and visits, with numbers in place of ids.

Every row says only what was known at its time, so that the rows before a moment are what was known then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from configs.exceptions import DataError, TooLittleDataError
from configs.settings.customers import CustomersConfig
from features.core import columns as c
from features.core.columns import MICROSECONDS_PER_DAY
from features.core.forgotten import Forgotten
from features.customers.agreed_events import KEY, agreed_events
from features.customers.consent import LiveAttributes
from features.ingest.tables import Tables

DISCOUNT: Final = 0.05
"""A line is discounted where its unit price is so much below the highest that was paid for the item so far:
present prices of the catalogue would tell of later days."""


@dataclass(frozen=True)
class ShopEvents:
    """What all customers, everybody who ever bought, bought, returned and looked at, by time."""

    lines: pl.DataFrame
    """user (u32), time (i64, microseconds), category (u32), is_refund, value (f64, price times quantity; null
    without a price), quantity, discounted, new_item, new_category: whether the user buys it for the first
    time"""
    visits: pl.DataFrame
    """user, time, session (u32), is_view, is_cart: every event that is no purchase and no refund"""
    users: pl.DataFrame
    """user (u32, the row), user_id: the key of the user, see `features.core.ids`, ascending"""
    categories: pl.DataFrame
    """category (u32), name: the path of the catalogue"""
    first_time: int
    """Of the first event, microseconds"""
    end: int
    """Just after the last event, microseconds"""
    currency: str | None

    @property
    def has_prices(self) -> bool:
        """Whether a purchase has one."""
        return bool(self.lines.select((~pl.col("is_refund") & (pl.col("value") > 0)).any()).item())

    @property
    def span_days(self) -> float:
        """From the first event to the last."""
        return (self.end - self.first_time) / MICROSECONDS_PER_DAY


def read_shop_events(
    tables: Tables,
    rules: CustomersConfig,
    *,
    forgotten: Forgotten | None = None,
    live: LiveAttributes = (),
) -> ShopEvents:
    """Read a shop's tables, without who was `forgotten` and who did not agree to `rules.consent` profiles.

    `live` are the attributes that the server has of users. Raises DataError without times, ConfigError where
    nobody was asked, TooLittleDataError without a purchase.
    """
    if tables.manifest["clock"] != "real":
        raise DataError(
            "Forecasts are about days, and the data has no times (data.clock=ordinal). Name the column of "
            "times with data.event_columns.timestamp and prepare again."
        )
    events = _read(agreed_events(tables, rules, forgotten=forgotten, live=live))
    if not (events[c.EVENT_TYPE] == "purchase").any():
        raise TooLittleDataError(_no_purchase(events, rules))
    lazy = events.lazy()
    users = _customers(lazy).collect()
    numbers = users.lazy().select("key", "user")
    lines, visits = pl.collect_all([_lines(lazy, numbers, tables), _visits(lazy, numbers)])
    categories = lines.select("category", "name").unique("category").drop_nulls()
    return ShopEvents(
        lines=lines.drop("name"),
        visits=visits,
        users=users.drop("key"),
        categories=categories.with_columns(pl.col("name").cast(pl.String)).sort("name"),
        first_time=int(events["time"].min()),  # type: ignore[arg-type]
        end=int(events["time"].max()) + 1,  # type: ignore[arg-type]
        currency=tables.manifest["currency"],
    )


def _read(events: pl.LazyFrame) -> pl.DataFrame:
    """The columns that are needed. Codes of Categoricals hold as long as this frame is there."""
    return events.select(
        pl.col(KEY).cast(pl.Categorical).alias("key"),
        pl.col(c.ITEM_ID, c.SESSION_ID).cast(pl.Categorical),
        pl.col(c.EVENT_TYPE).cast(pl.Enum(c.EVENT_TYPES)),
        pl.col(c.TIMESTAMP).dt.epoch("us").alias("time"),
        pl.col(c.QUANTITY).cast(pl.Float64).fill_null(1.0),
        pl.col(c.PRICE).cast(pl.Float64),
    ).collect()


def _no_purchase(events: pl.DataFrame, rules: CustomersConfig) -> str:
    attribute = rules.consent.get("profiles")
    if events.is_empty() and attribute is not None:
        return f"No event is of a user who agreed to customers.consent.profiles={attribute}: no forecasts."
    found = events[c.EVENT_TYPE].value_counts(sort=True).head(5)
    counts = ", ".join(f"{count:,} {name}" for name, count in found.iter_rows())
    return (
        f"The shop has no purchase ({counts or 'no events'}), so nothing can be forecast. Prepare its "
        "purchases: data.event_types maps the words of your file to ours."
    )


def _customers(events: pl.LazyFrame) -> pl.LazyFrame:
    """`ShopEvents.users`, and the Categorical `key`."""
    bought = events.filter(pl.col(c.EVENT_TYPE) == "purchase").select(pl.col("key").unique())
    named = bought.with_columns(pl.col("key").cast(pl.String).alias(c.USER_ID))
    return named.sort(c.USER_ID).with_row_index("user")


def _lines(events: pl.LazyFrame, numbers: pl.LazyFrame, tables: Tables) -> pl.LazyFrame:
    """`ShopEvents.lines`, and the name of each one's category beside its code."""
    catalogue = tables.items.select(
        pl.col(c.ID).cast(pl.Categorical).alias(c.ITEM_ID),
        pl.col(c.PRODUCT_TYPE).cast(pl.Categorical).alias("name"),
    )
    item, price = pl.col(c.ITEM_ID).to_physical(), pl.col(c.PRICE)
    return (
        events.filter(pl.col(c.EVENT_TYPE).is_in(("purchase", "refund")))
        .join(numbers, on="key", maintain_order="left")
        .join(catalogue, on=c.ITEM_ID, how="left", maintain_order="left")
        .with_columns(
            pl.col("name").to_physical().alias("category"),
            (pl.col(c.EVENT_TYPE) == "refund").alias("is_refund"),
            (price * pl.col(c.QUANTITY)).alias("value"),
        )
        .with_columns(
            (price < (1 - DISCOUNT) * price.cum_max().over(item)).fill_null(value=False).alias("discounted"),
            _is_first(item).alias("new_item"),
            _is_first(pl.col("category")).alias("new_category"),
        )
        .select(
            *("user", "time", "category", "name", "is_refund", "value", "quantity", "discounted"),
            *("new_item", "new_category"),
        )
    )


def _is_first(code: pl.Expr) -> pl.Expr:
    """Whether a row is the user's first with this code; a refund of something is never its first."""
    pair = pl.when(~pl.col("is_refund")).then(pl.col("user").cast(pl.Int64) * 2**32 + code)
    return pair.is_first_distinct() & pair.is_not_null()


def _visits(events: pl.LazyFrame, numbers: pl.LazyFrame) -> pl.LazyFrame:
    kind = pl.col(c.EVENT_TYPE)
    return (
        events.filter(~kind.is_in(("purchase", "refund")))
        .join(numbers, on="key", maintain_order="left")
        .select(
            "user",
            "time",
            pl.col(c.SESSION_ID).to_physical().alias("session"),
            (kind == "view_item").alias("is_view"),
            (kind == "add_to_cart").alias("is_cart"),
        )
    )
