"""What changed: aspects that customers complain of more, or less, than before.

Fisher's exact test of the last window against the one before it, for each product and for the shop, and of
all tests together at most a share of false discoveries (Benjamini & Hochberg 1995).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.settings.reviews import ReviewsConfig
from features.core import columns as c
from features.profiles.significance import discoveries, log_p_value
from features.reviews.aspect_words import OTHER
from features.reviews.mentions import ASPECT, LOG_ODDS, NEGATIVE

SHOP: Final = "shop"
PRODUCT: Final = "product"
_NOW, _BEFORE = "now", "before"


def changes(mentions: pl.DataFrame, config: ReviewsConfig) -> pl.DataFrame:
    """(scope, item_id, aspect, mentions and complaints now and before, share_now, share_before, p_value,
    direction, is_significant, example): every aspect but `other` that was tested, the least probable by
    chance first.

    `now` are the `reviews.window_days` that end with the last review. An aspect with too few mentions is not
    tested. `direction` is `more` or `fewer` complaints; the p-value is of both directions.
    """
    known = mentions.filter(pl.col(NEGATIVE).is_not_null(), pl.col(ASPECT) != OTHER)
    counted = pl.concat(
        [
            _counted(known.with_columns(pl.lit(None, pl.String).alias(c.ITEM_ID)), config, scope=SHOP),
            _counted(known, config, scope=PRODUCT),
        ]
    )
    log_p = _log_p_values(counted)
    found = discoveries(
        log_p, num_tests=max(len(counted), 1), false_discovery_rate=config.false_discovery_rate
    )
    return (
        counted.with_columns(
            (pl.col("negative_now") / pl.col("mentions_now")).alias("share_now"),
            (pl.col("negative_before") / pl.col("mentions_before")).alias("share_before"),
            pl.Series("p_value", np.exp(log_p)),
            pl.Series("is_significant", found),
        )
        .with_columns(
            pl.when(pl.col("share_now") > pl.col("share_before"))
            .then(pl.lit("more"))
            .otherwise(pl.lit("fewer"))
            .alias("direction")
        )
        .sort("p_value", maintain_order=True)
    )


def _counted(known: pl.DataFrame, config: ReviewsConfig, *, scope: str) -> pl.DataFrame:
    """A row for each aspect with mentions enough, of each product or of the shop."""
    end = known[c.TIMESTAMP].max()
    since = pl.lit(end, pl.Datetime("us", "UTC")) - timedelta(days=config.window_days)
    before = since - timedelta(days=config.before_days)
    time = pl.col(c.TIMESTAMP)
    part = pl.when(time > since).then(pl.lit(_NOW)).when(time > before).then(pl.lit(_BEFORE)).alias("part")
    is_now, is_before = pl.col("part") == _NOW, pl.col("part") == _BEFORE
    return (
        known.with_columns(part)
        .drop_nulls("part")
        .sort(LOG_ODDS, nulls_last=True, maintain_order=True)
        .group_by(c.ITEM_ID, ASPECT, maintain_order=True)
        .agg(
            is_now.sum().cast(pl.Int64).alias("mentions_now"),
            (is_now & pl.col(NEGATIVE)).sum().cast(pl.Int64).alias("negative_now"),
            is_before.sum().cast(pl.Int64).alias("mentions_before"),
            (is_before & pl.col(NEGATIVE)).sum().cast(pl.Int64).alias("negative_before"),
            pl.col("clause").filter(is_now & pl.col(NEGATIVE)).first().alias("example"),
        )
        .filter(pl.min_horizontal("mentions_now", "mentions_before") >= config.min_mentions)
        .sort(c.ITEM_ID, ASPECT)
        .select(pl.lit(scope).alias("scope"), pl.all())
    )


def _log_p_values(counted: pl.DataFrame) -> NDArray[np.float64]:
    """The logarithm of each p-value: twice the smaller one of the two directions, at most 1."""
    found = np.zeros(len(counted))
    columns = ("mentions_now", "negative_now", "mentions_before", "negative_before")
    for place, (num_now, now, num_before, before) in enumerate(counted.select(columns).iter_rows()):
        total, negative = num_now + num_before, now + before
        more = log_p_value(now, num_now, negative, total)
        fewer = log_p_value(num_now - now, num_now, total - negative, total)
        found[place] = min(min(more, fewer) + np.log(2), 0.0)
    return found
