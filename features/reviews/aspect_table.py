"""Product by aspect: how often it is spoken of, and how often with discontent.

A product's share of complaints is drawn to that of the shop (beta-binomial: Gelman et al., Bayesian Data
Analysis, 2.4), and has the interval that goes with it. Shapes: P pairs of a product and an aspect.
"""

from __future__ import annotations

import polars as pl
from scipy.special import betaincinv

from features.core import columns as c
from features.reviews.mentions import ASPECT, LOG_ODDS, NEGATIVE


def aspect_table(mentions: pl.DataFrame, *, prior_mentions: float) -> pl.DataFrame:
    """(item_id, aspect, mentions, unknown, negative, share, expected, low, high, complaint, praise), most
    complained of first.

    `mentions`: reviews whose sentiment is known; `share`: of them, the negative ones; `expected`: that share
    drawn to the shop's; `low` and `high`: its 95 % interval; `complaint` and `praise`: the clearest clauses.
    """
    known = pl.col(NEGATIVE).is_not_null()
    by_clearness = mentions.sort(LOG_ODDS, nulls_last=True, maintain_order=True)
    table = by_clearness.group_by(c.ITEM_ID, ASPECT, maintain_order=True).agg(
        known.sum().alias("mentions"),
        (~known).sum().alias("unknown"),
        pl.col(NEGATIVE).sum().alias("negative"),
        pl.col("clause").filter(pl.col(NEGATIVE)).first().alias("complaint"),
        pl.col("clause")
        .filter(~pl.col(NEGATIVE))
        .sort_by(pl.col(LOG_ODDS).filter(~pl.col(NEGATIVE)), descending=True, nulls_last=True)
        .first()
        .alias("praise"),
    )
    of_shop = ((pl.col("negative").sum() + 1) / (pl.col("mentions").sum() + 2)).over(ASPECT)
    table = table.with_columns(
        (pl.col("negative") / pl.col("mentions")).fill_nan(None).alias("share"),
        (pl.col("negative") + prior_mentions * of_shop).alias("_against"),
        (pl.col("mentions") - pl.col("negative") + prior_mentions * (1 - of_shop)).alias("_for"),
    )
    against, for_it = table["_against"].to_numpy(), table["_for"].to_numpy()
    return (
        table.with_columns(
            pl.Series("expected", against / (against + for_it)),
            pl.Series("low", betaincinv(against, for_it, 0.025)),
            pl.Series("high", betaincinv(against, for_it, 0.975)),
        )
        .select(
            *(c.ITEM_ID, ASPECT, "mentions", "unknown", "negative", "share", "expected", "low", "high"),
            *("complaint", "praise"),
        )
        .sort("low", "mentions", descending=True, maintain_order=True)
    )
