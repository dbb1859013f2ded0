"""Point-in-time features of users and items for a whole table of events at once: lazy passes that see only
the past.

`user_features.py` says what each number is, and is the plain reference. Tables of events have the columns of
`EVENT_COLUMNS`, in the order of users and, within one, of time.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.profiles.user_features import USER_NUMBERS

EVENT_COLUMNS: Final = ("user", "time", "kind", "price", "category")
"""User index, microseconds, event type's code, unit price (NaN or null where unknown), category of the item
(-1 without one)."""

FAVOURITE: Final = "category"
"""The column of the favourite category, beside those of `USER_NUMBERS`."""

_STATE: Final = ("counted", "refunded", "money", "first", "last", "log_prices", "num_prices", FAVOURITE)


def user_features_before_events(
    events: pl.LazyFrame, *, profile_event_types: tuple[str, ...], has_times: bool
) -> pl.LazyFrame:
    """A row an event, in their order: its user as of its own time. Events of one moment see the same past,
    none of them."""
    states = _states(events, profile_event_types=profile_event_types)
    found = events.select("user", "time").join_asof(
        states, on="time", by="user", strategy="backward", allow_exact_matches=False, check_sortedness=False
    )
    return found.select(*_numbers(pl.col("time"), has_times=has_times), pl.col(FAVOURITE).fill_null(-1))


def user_features_as_of(
    events: pl.LazyFrame, *, as_of: int, profile_event_types: tuple[str, ...], has_times: bool
) -> pl.LazyFrame:
    """A row for each user with a counted or refunded event strictly before `as_of`, by `user`."""
    states = _states(events.filter(pl.col("time") < as_of), profile_event_types=profile_event_types)
    last = states.filter(_is_new("user", beside=-1))
    return last.select("user", *_numbers(pl.lit(as_of), has_times=has_times), pl.col(FAVOURITE).fill_null(-1))


def item_features_as_of(events: pl.LazyFrame, *, as_of: int, days: float) -> pl.LazyFrame:
    """A row for each item with an event strictly before `as_of`: when it came, how it sells, what it costs.

    `events` has item, time, price and weight. `age_days` counts from the first event, `popularity` sums the
    weights in the `days` before `as_of` and `popularity_before` those in as many days before that. Prices are
    of one unit, null where unknown.
    """
    window = int(days * MICROSECONDS_PER_DAY)
    price, is_recent = pl.col("price").filter(pl.col("price") > 0), pl.col("time") >= as_of - window
    is_earlier = (pl.col("time") >= as_of - 2 * window) & ~is_recent
    return (
        events.filter(pl.col("time") < as_of)
        .with_columns(pl.col("price").cast(pl.Float64).fill_nan(None))
        .sort("time", maintain_order=True)
        .group_by("item")
        .agg(
            ((as_of - pl.col("time").min()) / MICROSECONDS_PER_DAY).alias("age_days"),
            pl.col("weight").filter(is_recent).sum().alias("popularity"),
            pl.col("weight").filter(is_earlier).sum().alias("popularity_before"),
            price.mean().alias("mean_price"),
            price.last().alias("last_price"),
        )
        .sort("item")
    )


def _states(events: pl.LazyFrame, *, profile_event_types: tuple[str, ...]) -> pl.LazyFrame:
    """A row for each moment that changed a user: user, time, and the running sums after it.

    Within a moment the smaller category comes last, so that it is the favourite among those that draw level
    in it.
    """
    event_types, refunds = (
        [EVENT_TYPE_CODE[kind] for kind in profile_event_types],
        [EVENT_TYPE_CODE["refund"]] if "purchase" in profile_event_types else [],
    )
    is_new_user, time, price = _is_new("user", beside=1), pl.col("time"), pl.col("_price")
    paid = pl.when(pl.col("_counts") & (price > 0)).then(price)
    level = pl.col("user").cast(pl.Int64) * 2**32 + pl.col("_votes")  # ascends from user to user
    rows = (
        events.filter(pl.col("kind").is_in(event_types + refunds))
        .select(
            "user",
            "time",
            "category",
            pl.col("kind").is_in(event_types).alias("_counts"),
            pl.col("price").cast(pl.Float64).fill_nan(None).fill_null(0.0).alias("_price"),
        )
        .sort("user", "category", "time", maintain_order=True)
        .with_columns(
            _so_far(pl.col("_counts"), restart=_is_new("user", "category", beside=1)).alias("_votes")
        )
        .sort("user", "time", "category", descending=[False, False, True], maintain_order=True)
        .with_columns(
            _so_far(pl.col("_counts"), restart=is_new_user).alias("counted"),
            (pl.col("_counts") & (pl.col("category") >= 0)).alias("_is_vote"),
        )
    )
    is_favourite = pl.col("_is_vote") & (level == pl.when("_is_vote").then(level).cum_max())
    sums = rows.with_columns(
        _so_far(~pl.col("_counts"), restart=is_new_user).alias("refunded"),
        pl.when("_counts").then(price).otherwise(-price).cum_sum().over("user").alias("money"),
        _latest(time, where=pl.col("_counts"), restart=is_new_user).alias("last"),
        _latest(time, where=pl.col("_counts") & (pl.col("counted") == 1), restart=is_new_user).alias("first"),
        paid.log().fill_null(0.0).cum_sum().over("user").alias("log_prices"),
        _so_far(paid.is_not_null(), restart=is_new_user).alias("num_prices"),
        _latest(pl.col("category"), where=is_favourite, restart=is_new_user).alias(FAVOURITE),
    )
    return sums.filter(_is_new("user", "time", beside=-1)).select("user", "time", *_STATE)


def _so_far(flags: pl.Expr, *, restart: pl.Expr) -> pl.Expr:
    """How many are True up to each row, anew at each `restart`: the same as a window over groups, several
    times faster."""
    total = flags.cast(pl.Int64).cum_sum()
    return total - pl.when(restart).then(total - flags.cast(pl.Int64)).forward_fill()


def _latest(values: pl.Expr, *, where: pl.Expr, restart: pl.Expr) -> pl.Expr:
    """The last value up to each row of those picked by `where`, -1 before the first; anew at each
    `restart`."""
    return pl.when(where).then(values).when(restart).then(-1).forward_fill()


def _is_new(*columns: str, beside: int) -> pl.Expr:
    """True where the columns differ from those of the row before (1) or after (-1)."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(beside)) for name in columns)


def _numbers(as_of: pl.Expr, *, has_times: bool) -> list[pl.Expr]:
    """The columns of `USER_NUMBERS` (float32); a user without a counted event has zeros."""

    def days_since(time: pl.Expr) -> pl.Expr:
        return (as_of - time) / MICROSECONDS_PER_DAY if has_times else pl.lit(0.0)

    values = {
        "recency_days": days_since(pl.col("last")).log1p(),
        "frequency": (pl.col("counted") - pl.col("refunded")).clip(lower_bound=0).cast(pl.Float64).log1p(),
        "money": pl.col("money").clip(lower_bound=0).log1p(),
        "tenure_days": days_since(pl.col("first")).log1p(),
        "mean_log_price": pl.when(pl.col("num_prices") > 0).then(pl.col("log_prices") / pl.col("num_prices")),
    }
    is_known = pl.col("counted") > 0
    return [
        pl.when(is_known).then(values[name]).fill_null(0.0).cast(pl.Float32).alias(name)
        for name in USER_NUMBERS
    ]
