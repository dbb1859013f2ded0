"""Paths: the touches of a shopper on the way to an order, and those that led to none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from features.customers.channel_events import CHANNEL
from features.customers.shoppers import SHOPPER

NOT_KNOWN: Final = "not known"
PATH: Final = "path"
ORDER: Final = "order"
TOUCHES_SCHEMA: Final = {PATH: pl.Int64, ORDER: pl.UInt32, SHOPPER: pl.String, CHANNEL: pl.String}
"""One row a touch, each path's in order; `order` is null on a path that led to none"""


def touches(visits: pl.DataFrame, *, gap_minutes: float) -> pl.DataFrame:
    """SHOPPER, start and CHANNEL of every touch, by shopper and time: a visit, with what follows within the
    gap and comes from the same channel or says none. `visits`: those of `channel_events`."""
    rows = visits.sort(SHOPPER, "start", "end")
    is_first = pl.int_range(pl.len()).over(SHOPPER) == 0
    pause = pl.col("start") - pl.col("end").cum_max().shift(1).over(SHOPPER)
    known = pl.col(CHANNEL).forward_fill().shift(1).over(SHOPPER)
    goes_on = (pause <= timedelta(minutes=gap_minutes)) & (
        pl.col(CHANNEL).is_null() | (pl.col(CHANNEL) == known)
    )
    number = (is_first | ~goes_on.fill_null(value=False)).cum_sum()
    return (
        rows.with_columns(number.alias("_touch"))
        .group_by("_touch", maintain_order=True)
        .agg(pl.col(SHOPPER, "start").first(), pl.col(CHANNEL).drop_nulls().first())
        .with_row_index("touch")
        .drop("_touch")
    )


def paths(
    found: pl.DataFrame, orders: pl.DataFrame, *, lookback_days: float, as_of: datetime
) -> pl.DataFrame:
    """`TOUCHES_SCHEMA`. `found`: the touches; `orders`: those of `channel_events`.

    A touch is on the path to the next order, if that comes within the lookback. The last touch before an
    order is always on its path. Touches that led to no order make paths of their own, parted by pauses longer
    than the lookback; those that may still lead to one are left out. What is not known is left out of a path
    on which something is.
    """
    lookback = timedelta(days=lookback_days)
    next_order = orders.select(SHOPPER, ORDER, pl.col("time")).sort("time")
    ahead = found.sort("start").join_asof(
        next_order, left_on="start", right_on="time", by=SHOPPER, strategy="forward", check_sortedness=False
    )
    leads = (pl.col("time") - pl.col("start") <= lookback).fill_null(value=False)
    own = orders.sort("time").join_asof(
        found.sort("start").select(SHOPPER, "start", "touch", CHANNEL),
        left_on="time",
        right_on="start",
        by=SHOPPER,
        strategy="backward",
        check_sortedness=False,
    )
    columns = (ORDER, SHOPPER, "touch", "start", CHANNEL)
    to_orders = pl.concat([ahead.filter(leads).select(columns), own.select(columns)]).unique(
        (ORDER, "touch"), maintain_order=True
    )
    to_orders = to_orders.with_columns(pl.col(ORDER).cast(pl.Int64).alias(PATH))
    to_none = _to_none(
        ahead.filter(~leads).join(own, on="touch", how="anti"),
        lookback=lookback,
        as_of=as_of,
        first=len(orders),
    )
    everything = pl.concat([to_orders.select(PATH, *columns), to_none.select(PATH, *columns)])
    return _known(everything.sort(PATH, "start", "touch")).select(
        pl.col(name).cast(kind) for name, kind in TOUCHES_SCHEMA.items()
    )


def _to_none(rows: pl.DataFrame, *, lookback: timedelta, as_of: datetime, first: int) -> pl.DataFrame:
    """The touches that led to no order with PATH, numbered from `first`; `order` and `time` are those of the
    next order, if any."""
    rows = rows.sort(SHOPPER, "start", "touch")
    pause = pl.col("start").diff().over(SHOPPER, ORDER)
    is_new = (pause.is_null() | (pause > lookback)).cum_sum()
    is_open = pl.col("time").is_null() & (as_of - pl.col("start") <= lookback)
    return (
        rows.with_columns((is_new.cast(pl.Int64) + (first - 1)).alias(PATH))
        .filter(~is_open.any().over(PATH))
        .with_columns(pl.lit(None, pl.UInt32).alias(ORDER))
    )


def _known(rows: pl.DataFrame) -> pl.DataFrame:
    """Without the touches that say nothing, unless the whole path does: then one stands for all."""
    is_known = pl.col(CHANNEL).is_not_null()
    stays = is_known | (~is_known.any().over(PATH) & (pl.int_range(pl.len()).over(PATH) == 0))
    return rows.filter(stays).with_columns(pl.col(CHANNEL).fill_null(NOT_KNOWN))
