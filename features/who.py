"""`ids.who_key` for whole columns."""

from __future__ import annotations

import polars as pl

from features import columns as c
from features.ids import VISITOR_PREFIX


def who_expr() -> pl.Expr:
    """The key of each row's person: `ids.who_key` as a Polars expression."""
    return pl.coalesce(pl.col(c.USER_ID), pl.concat_str([pl.lit(VISITOR_PREFIX), pl.col(c.VISITOR_ID)]))
