"""Which aspects each review speaks of, and whether it is content with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from features.core import columns as c
from features.reviews.aspect_words import OVERALL, aspects_of
from features.reviews.clauses import clauses_of
from features.reviews.sentiment import Sentiment

ASPECT: Final = "aspect"
NEGATIVE: Final = "negative"
"""Whether the review is discontented with the aspect; null: unknown"""
LOG_ODDS: Final = "log_odds"
_WHOLE_WEIGHT: Final = 0.5
"""How much the whole review says of one of its clauses: a few words alone are often unclear"""
_MOST_OF_WHOLE: Final = 3.0
"""Log-odds of a whole review count up to here, so that a clear complaint in a content review stays one."""
HOW: Final = "how"
"""What says whether a review is content: `network`, `rating`, or `unknown`"""


def with_sentiment(reviews: pl.DataFrame, sentiment: Sentiment | None) -> pl.DataFrame:
    """The reviews with `log_odds`, `negative` and `how` of the whole text.

    Without a network, and for a text in a language that it does not read, the rating or label decides; where
    there is neither, nobody knows.
    """
    odds = np.full(len(reviews), np.nan)
    if sentiment is not None and len(reviews):
        reads = sentiment.reads(reviews[c.TEXT])
        odds[reads] = sentiment.log_odds(reviews[c.TEXT].filter(pl.Series(reads)))
    frame = reviews.with_columns(pl.Series(LOG_ODDS, odds, nan_to_null=True))
    return frame.with_columns(
        pl.coalesce(pl.col(LOG_ODDS) < 0, ~pl.col(c.CONTENT)).alias(NEGATIVE),
        pl.when(pl.col(LOG_ODDS).is_not_null())
        .then(pl.lit("network"))
        .when(pl.col(c.CONTENT).is_not_null())
        .then(pl.lit("rating"))
        .otherwise(pl.lit("unknown"))
        .alias(HOW),
    )


def mentions_of(
    reviews: pl.DataFrame, sentiment: Sentiment | None, *, words: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """(review, item_id, timestamp, aspect, log_odds, negative, clause): a row for each aspect of each review
    of `with_sentiment`, and one of its whole, `overall`. `review` is its row.

    A review counts once for an aspect, by the mean of its clauses about it; `clause` is the one that says it
    most clearly.
    """
    reviews = reviews.with_row_index("review")
    clauses = clauses_of(reviews[c.TEXT]).rename({"row": "review"})
    clauses = clauses.join(
        reviews.select("review", HOW, pl.col(NEGATIVE).alias("_whole"), pl.col(LOG_ODDS).alias("_odds")),
        on="review",
        maintain_order="left",
    )
    clauses = clauses.with_columns(_clause_odds(clauses, sentiment), aspects_of(clauses["clause"], words))
    of_aspects = (
        clauses.explode(ASPECT)
        .with_columns(pl.col(LOG_ODDS).mean().over("review", ASPECT).alias("_mean"))
        .sort(
            (pl.col(LOG_ODDS) * pl.col("_mean").sign()), descending=True, nulls_last=True, maintain_order=True
        )
        .unique(["review", ASPECT], keep="first", maintain_order=True)
        .select(
            "review",
            ASPECT,
            pl.col("_mean").alias(LOG_ODDS),
            pl.coalesce(pl.col("_mean") < 0, "_whole").alias(NEGATIVE),
            "clause",
        )
    )
    whole = reviews.select(
        "review",
        pl.lit(OVERALL).alias(ASPECT),
        LOG_ODDS,
        NEGATIVE,
        pl.col(c.TEXT).alias("clause"),
    )
    about = reviews.select("review", c.ITEM_ID, c.TIMESTAMP)
    return (
        pl.concat([whole, of_aspects])
        .join(about, on="review", maintain_order="left")
        .sort("review", maintain_order=True)
    )


def _clause_odds(clauses: pl.DataFrame, sentiment: Sentiment | None) -> pl.Series:
    """The log-odds of the clauses of reviews that the network read; null elsewhere."""
    odds = np.full(len(clauses), np.nan)
    read = (clauses[HOW] == "network").to_numpy()
    if sentiment is not None and read.any():
        odds[read] = sentiment.log_odds(clauses["clause"].filter(pl.Series(read)))
    whole = clauses["_odds"].clip(-_MOST_OF_WHOLE, _MOST_OF_WHOLE)
    return (pl.Series(odds, nan_to_null=True) + _WHOLE_WEIGHT * whole).alias(LOG_ODDS)
