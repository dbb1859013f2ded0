"""Channels of few shoppers as one, so that no row of the table is about a handful of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from features.customers.channel_events import CHANNEL
from features.customers.paths import NOT_KNOWN
from features.customers.shoppers import SHOPPER

OTHER: Final = "other"
MAX_CHANNELS: Final = 500
"""Those with the most shoppers have a row of their own."""


@dataclass(frozen=True)
class Grouped:
    """The touches of `paths`, with the small channels as `OTHER`."""

    touches: pl.DataFrame
    names: list[str]
    """Of the channels that count as `OTHER`"""
    filled_with: str | None
    """The channel with enough shoppers that is one of them, because they had too few without it"""
    is_shown: bool
    """Whether `OTHER`, if there is one, has enough shoppers: it has not where the whole shop has too few"""


def with_other(touches: pl.DataFrame, *, min_shoppers: int) -> Grouped:
    """The channels of fewer shoppers than `min_shoppers`, `NOT_KNOWN` too, as `OTHER`. Where those
    have fewer together, the smallest of the other channels joins them: were they left out instead, the sum
    over all orders would tell what theirs is."""
    counts = (
        touches.group_by(CHANNEL)
        .agg(pl.col(SHOPPER).n_unique().alias("people"))
        .sort("people", CHANNEL, descending=[True, False])
    )
    large = counts.filter(pl.col("people") >= min_shoppers).head(MAX_CHANNELS)[CHANNEL].to_list()
    small = [name for name in counts[CHANNEL] if name not in set(large)]
    if not small:
        return Grouped(touches, [], None, is_shown=True)
    filled_with = None
    names = [*small, *(name for name in large if name == OTHER)]
    if _people(touches, names) < min_shoppers and large:
        filled_with = large[-1]
        names.append(filled_with)
    is_other = pl.col(CHANNEL).is_in(names)
    named = touches.with_columns(pl.when(is_other).then(pl.lit(OTHER)).otherwise(CHANNEL).alias(CHANNEL))
    return Grouped(named, small, filled_with, is_shown=_people(touches, names) >= min_shoppers)


def _people(touches: pl.DataFrame, names: list[str]) -> int:
    return touches.filter(pl.col(CHANNEL).is_in(names))[SHOPPER].n_unique()


def small_remarks(found: Grouped, *, min_shoppers: int) -> list[str]:
    """What a reader should know of them, in sentences."""
    number = len([name for name in found.names if name != NOT_KNOWN])
    lines = []
    if number and found.is_shown:
        lines.append(
            f"{number:,} channels with fewer than {min_shoppers} shoppers count as {OTHER!r} "
            "(channels.min_shoppers)."
        )
    if NOT_KNOWN in found.names and found.is_shown:
        lines.append(f"{NOT_KNOWN!r} has fewer than {min_shoppers} shoppers, and counts as {OTHER!r}, too.")
    if found.filled_with is not None:
        lines.append(
            f"Together they had fewer than {min_shoppers} shoppers, so {found.filled_with!r} counts as "
            f"{OTHER!r}, too."
        )
    if not found.is_shown:
        lines.append(
            f"All {len(found.names):,} channels together have fewer than {min_shoppers} shoppers "
            "(channels.min_shoppers): they are left out, and no order is credited in the table."
        )
    return lines
