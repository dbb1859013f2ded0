"""What is credited to each channel: by the first touch, the last, by position, and by a Markov chain.

It describes the paths of those who bought. It does not show what a channel caused: those who come by it may
have bought anyway.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from features.customers.channel_events import CHANNEL
from features.customers.markov import removal_effects
from features.customers.paths import ORDER, PATH
from features.customers.shoppers import SHOPPER

MODELS: Final = {
    "first": "the first touch",
    "last": "the last touch",
    "position": "position (40 % first, 40 % last, 20 % between)",
    "markov": "a Markov chain",
}
"""Model → what it is called"""

ENDS: Final = 0.4
"""Share of the first touch, and of the last, where there are others between them"""

CREDITS_SCHEMA: Final = {
    CHANNEL: pl.String,
    "touches": pl.Int64,
    "shoppers": pl.Int64,
    "orders_with": pl.Int64,
    **{f"orders_{name}": pl.Float64 for name in MODELS},
    **{f"revenue_{name}": pl.Float64 for name in MODELS},
    "removal_effect": pl.Float64,
}
"""One row a channel. `orders_with`: orders on whose path it stands; the credits of each model sum to all
orders, and to the revenue of all. Revenue is null in a shop without prices."""


def channel_credits(touches: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """`CREDITS_SCHEMA`, the most orders by the Markov chain first. `touches`: those of `paths`; `orders` of
    `channel_events`."""
    on_orders = touches.filter(pl.col(ORDER).is_not_null()).join(
        orders.select(ORDER, "revenue"), on=ORDER, how="left", maintain_order="left"
    )
    shares = position_shares(on_orders)
    revenue = pl.col("revenue").fill_null(0.0)
    rules = ("first", "last", "position")
    by_channel = shares.group_by(CHANNEL).agg(
        pl.col(ORDER).n_unique().alias("orders_with"),
        *(pl.col(rule).sum().alias(f"orders_{rule}") for rule in rules),
        *((pl.col(rule) * revenue).sum().alias(f"revenue_{rule}") for rule in rules),
    )
    seen = touches.group_by(CHANNEL).agg(
        pl.len().alias("touches"), pl.col(SHOPPER).n_unique().alias("shoppers")
    )
    found = seen.join(by_channel, on=CHANNEL, how="left").join(effects(touches), on=CHANNEL, how="left")
    share = pl.col("removal_effect") / pl.col("removal_effect").sum()
    found = found.with_columns(pl.all().exclude(CHANNEL).fill_null(0)).with_columns(
        (share * len(orders)).alias("orders_markov"),
        (share * orders["revenue"].fill_null(0.0).sum()).alias("revenue_markov"),
    )
    if not orders["revenue"].count():
        found = found.with_columns(pl.lit(None).alias(f"revenue_{name}") for name in MODELS)
    return found.select(pl.col(name).cast(kind) for name, kind in CREDITS_SCHEMA.items()).sort(
        "orders_markov", "touches", CHANNEL, descending=[True, True, False]
    )


def position_shares(touches: pl.DataFrame) -> pl.DataFrame:
    """The touches, with the share of their path's order that each rule gives them: `first`, `last`,
    `position`. The shares of a path sum to 1."""
    count, place = pl.len().over(PATH), pl.int_range(pl.len()).over(PATH)
    is_first, is_last = place == 0, place == count - 1
    between = (1 - 2 * ENDS) / (count - 2)
    position = pl.when(count <= 2).then(1 / count).when(is_first | is_last).then(ENDS).otherwise(between)
    return touches.with_columns(
        is_first.cast(pl.Float64).alias("first"),
        is_last.cast(pl.Float64).alias("last"),
        position.alias("position"),
    )


def effects(touches: pl.DataFrame) -> pl.DataFrame:
    """CHANNEL and `removal_effect`, of all paths: those to an order, and those to none."""
    names = touches[CHANNEL].unique().sort()
    rows = touches.with_columns(
        (pl.col(CHANNEL).replace_strict(names, pl.int_range(1, len(names) + 1, eager=True))).alias("to")
    ).with_columns(
        pl.col("to").shift(1).over(PATH).fill_null(0).alias("from"),
        (pl.int_range(pl.len()).over(PATH) == pl.len().over(PATH) - 1).alias("is_last"),
    )
    size = len(names) + 1
    counts = np.zeros((size, size))
    seen = rows.group_by("from", "to").len()
    counts[seen["from"].to_numpy(), seen["to"].to_numpy()] = seen["len"].to_numpy()
    ends = rows.filter("is_last")
    has_order = ends[ORDER].is_not_null().to_numpy()
    last = ends["to"].to_numpy().astype(np.int64)
    to_order = np.bincount(last[has_order], minlength=size).astype(np.float64)
    to_nothing = np.bincount(last[~has_order], minlength=size).astype(np.float64)
    return pl.DataFrame({CHANNEL: names, "removal_effect": removal_effects(counts, to_order, to_nothing)})
