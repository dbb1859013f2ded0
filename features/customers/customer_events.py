"""The events of the tables as small columns: one streamed read, all that profiles are computed from."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from features.core import columns as c
from features.core.forgotten import Forgotten
from features.core.ids import user_key_expr
from features.customers.profile_columns import USER

TIME: Final = "time"
DAY: Final = "day"
HOUR: Final = "hour"
WEEKDAY: Final = "weekday"
ITEM: Final = "item"
ORDER: Final = "order"
VISIT: Final = "visit"
COUPON: Final = "has_coupon"
CHANNEL: Final = "channel"
DEVICE: Final = "device"
SOURCE: Final = "source"
CONTEXTS: Final = (CHANNEL, DEVICE, SOURCE)
"""Columns of an event that only some shops have."""

_EVENT_TYPE: Final = pl.Enum(c.EVENT_TYPES)


def customer_events(
    events: pl.LazyFrame,
    *,
    time_zone: str,
    before: datetime | None = None,
    forgotten: Forgotten | None = None,
) -> pl.DataFrame:
    """One row an event of the tables `before` a time: ids as Categoricals, orders and visits as hashes, days
    and hours by the clock of `time_zone`. What users did before they were `forgotten` is left out."""
    found = events.collect_schema().names()
    local = pl.col(c.TIMESTAMP).dt.convert_time_zone(time_zone)
    own_day = local.dt.date().cast(pl.String)
    chosen = [
        user_key_expr().cast(pl.Categorical).alias(USER),
        pl.col(c.EVENT_TYPE).cast(_EVENT_TYPE),
        pl.col(c.TIMESTAMP).alias(TIME),
        local.dt.date().alias(DAY),
        local.dt.hour().alias(HOUR),
        local.dt.weekday().alias(WEEKDAY),
        pl.col(c.ITEM_ID).cast(pl.Categorical).alias(ITEM),
        pl.col(c.QUANTITY, c.PRICE),
        pl.coalesce(c.TRANSACTION_ID, c.SESSION_ID, own_day).hash().alias(ORDER),
        pl.coalesce(c.SESSION_ID, own_day).hash().alias(VISIT),
        (pl.col("coupon").is_not_null() if "coupon" in found else pl.lit(value=False)).alias(COUPON),
        *(
            pl.col(name).cast(pl.Categorical) if name in found else pl.lit(None, pl.Categorical).alias(name)
            for name in CONTEXTS
        ),
    ]
    wanted = events if before is None else events.filter(pl.col(c.TIMESTAMP) < before)
    read = wanted.select(chosen).drop_nulls(USER).collect(engine="streaming")
    return read if forgotten is None else without_forgotten(read, forgotten)


def without_forgotten(events: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    """The events without what users did before they were forgotten."""
    users = pl.DataFrame({USER: events[USER].unique()})
    until = users.with_columns(forgotten.times(users[USER]).alias("_until")).drop_nulls()
    if until.is_empty():
        return events
    kept = events.join(until, on=USER, how="left", maintain_order="left")
    is_theirs = pl.col(TIME).dt.epoch("us") < pl.col("_until")
    return kept.filter(~is_theirs.fill_null(value=False)).drop("_until")
