"""The list of users who must not be known, as the store has it, for those who make tables."""

from __future__ import annotations

from pathlib import Path

from features.core.forgotten import FOREVER, Forgotten
from serving.state.database import connect, translate_store_errors


def forgotten_users(store: Path) -> Forgotten | None:
    """None where there is no store, or nobody on the list. Raises ServingError."""
    if not store.is_file():
        return None
    connection = connect(store, read_only=True)
    try:
        with translate_store_errors(store):
            (salt,) = connection.execute("SELECT salt FROM salt").fetchone()
            rows = connection.execute("SELECT user_hash, reason, at FROM suppressed").fetchall()
    finally:
        connection.close()
    until = {user: at if reason == "deleted" else FOREVER for user, reason, at in rows}
    return Forgotten(bytes.fromhex(salt), until) if until else None
