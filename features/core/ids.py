"""The key of a user: one string under which a history is kept, in the dataset and in the server."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.core import columns as c

VISITOR_PREFIX: Final = "visitor:"


def user_key(*, user_id: str | None, visitor_id: str | None) -> str | None:
    """The user_id where there is one, else `visitor:` and the visitor_id; None without either.

    The prefix keeps the two apart: a web page may send any visitor_id, and must not read a user's history
    with it.
    """
    if user_id:
        return user_id
    return VISITOR_PREFIX + visitor_id if visitor_id else None


def user_key_expr() -> pl.Expr:
    """`user_key` as a Polars expression: the key of each row's user."""
    return pl.coalesce(pl.col(c.USER_ID), pl.concat_str([pl.lit(VISITOR_PREFIX), pl.col(c.VISITOR_ID)]))
