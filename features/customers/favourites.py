"""What each customer has most of: categories, brands, hours."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from features.customers.profile_columns import USER


def favourites(rows: pl.DataFrame, column: str, *, names: Mapping[str, int]) -> pl.DataFrame:
    """USER and, for each of `names` (a column → how many), the values of `column` that a user has most rows
    of, as text joined by `; `.

    Of equally frequent values the lowest, or the first in the alphabet, counts: runs agree.
    """
    known = rows.select(USER, column).drop_nulls(column)
    distinct = known.select(pl.col(column).unique())
    is_text = distinct[column].dtype in (pl.Categorical, pl.String)
    in_order = distinct.sort(pl.col(column).cast(pl.String) if is_text else column).with_row_index("_code")
    coded = known.join(in_order, on=column, how="left")
    counted = coded.group_by(USER, "_code").agg(pl.len().alias("_count"))
    user = pl.col(USER).to_physical()
    ordered = counted.sort(user, "_count", "_code", descending=[False, True, False])
    texts = in_order.select("_code", pl.col(column).cast(pl.String).alias("_text"))
    found = ordered.select(pl.col(USER).unique(maintain_order=True))
    for name, most in names.items():
        is_among_most = (user != user.shift(most)).fill_null(value=True)
        named = ordered.filter(is_among_most).join(texts, on="_code", how="left", maintain_order="left")
        text = pl.col("_text").alias(name)
        found = found.join(
            named.select(USER, text)
            if most == 1
            else named.group_by(USER, maintain_order=True).agg(text.str.join("; ")),
            on=USER,
            how="left",
        )
    return found
