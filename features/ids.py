"""Who did an event: the one key under which a person's history is kept, in the dataset and in the server."""

from __future__ import annotations

from typing import Final

VISITOR_PREFIX: Final = "visitor:"


def who_key(*, user_id: str | None, visitor_id: str | None) -> str | None:
    """The key of a person: the user_id where there is one, else `visitor:` and the visitor_id; None for a stranger.

    The prefix keeps the two apart: a page may name any visitor_id, and must not reach a user's history by it.
    """
    if user_id:
        return user_id
    return VISITOR_PREFIX + visitor_id if visitor_id else None
