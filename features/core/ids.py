"""Who did an event: the one key under which a user's history is kept, in the dataset and in the server."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.core import columns as c

VISITOR_PREFIX: Final = "visitor:"


def who_key(*, user_id: str | None, visitor_id: str | None) -> str | None:
    """The key of a person: the user_id where there is one, else `visitor:` and the visitor_id; None for a
    stranger.

    The prefix keeps the two apart: a page may name any visitor_id, and must not reach a user's history by it.
    """
    if user_id:
        return user_id
    return VISITOR_PREFIX + visitor_id if visitor_id else None


def who_expr() -> pl.Expr:
    """The key of each row's person: `who_key` as a Polars expression."""
    return pl.coalesce(pl.col(c.USER_ID), pl.concat_str([pl.lit(VISITOR_PREFIX), pl.col(c.VISITOR_ID)]))
