"""Scores of recency, frequency and monetary value: each the fifth of the customers that one stands in.

Source of the scores: Hughes, Strategic Database Marketing (1994). Customers with the same number have the
same score: of tied ones none is put first by the order of rows.
"""

from __future__ import annotations

from typing import Final

import polars as pl

FIFTHS: Final = 5


def score(column: str) -> pl.Expr:
    """1 to 5 by the rank of a column among its known values, the highest 5; null where null.

    Of n values the one above which r others stand lower has 1 + ⌊5 r / n⌋.
    """
    lower = pl.col(column).rank("min").cast(pl.Int64) - 1
    return (1 + FIFTHS * lower // pl.col(column).count()).cast(pl.Int8)


def with_rfm(profiles: pl.DataFrame) -> pl.DataFrame:
    """Adds the scores and `rfm`, of those who bought; without prices `monetary_score` is null, and `rfm` has
    a dash in its place."""
    bought = pl.col("orders") > 0
    scored = profiles.with_columns(
        pl.when(bought).then("last_order").alias("_recency"),
        pl.when(bought).then("orders").alias("_frequency"),
        pl.when(bought).then("spent").alias("_monetary"),
    ).with_columns(
        score("_recency").alias("recency_score"),
        score("_frequency").alias("frequency_score"),
        score("_monetary").alias("monetary_score"),
    )
    digits = [pl.col(name).cast(pl.String) for name in ("recency_score", "frequency_score", "monetary_score")]
    text = pl.concat_str(*digits[:2], digits[2].fill_null("-"))
    return scored.with_columns(text.alias("rfm")).drop("_recency", "_frequency", "_monetary")
