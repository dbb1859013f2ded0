"""The key of a user."""

from __future__ import annotations

import polars as pl

from features.core.ids import user_key, user_key_expr


def test_the_key_of_a_user_is_the_same_for_one_event_and_for_a_column() -> None:
    users = [("ann", None), ("ann", "v1"), (None, "v1"), (None, None)]
    frame = pl.DataFrame(users, schema={"user_id": pl.String, "visitor_id": pl.String}, orient="row")
    expected = [user_key(user_id=user, visitor_id=visitor) for user, visitor in users]
    assert (
        frame.select(user_key_expr().alias("user"))["user"].to_list()
        == expected
        == ["ann", "ann", "visitor:v1", None]
    )
