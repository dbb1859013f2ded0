"""The tables of what the shop says of users."""

from __future__ import annotations

from typing import Final

CREATE_USERS: Final = (
    "CREATE TABLE IF NOT EXISTS users (user_key TEXT PRIMARY KEY, attributes TEXT NOT NULL)",
    """
CREATE TABLE IF NOT EXISTS suppressed (user_hash TEXT PRIMARY KEY, reason TEXT NOT NULL, at INTEGER NOT NULL)
""",
    "CREATE TABLE IF NOT EXISTS user_changes (number INTEGER PRIMARY KEY AUTOINCREMENT, user_key TEXT)",
    "CREATE TABLE IF NOT EXISTS salt (salt TEXT NOT NULL)",
    "INSERT INTO salt SELECT hex(randomblob(16)) WHERE NOT EXISTS (SELECT 1 FROM salt)",
)
"""`suppressed.at`: since when, in microseconds since 1970 UTC. `user_changes`: whose events changed in
another way than by new ones, or NULL for anybody."""

NOTE_CHANGE: Final = "INSERT INTO user_changes (user_key) VALUES (?)"
TRIM_CHANGES: Final = "DELETE FROM user_changes WHERE number <= (SELECT max(number) FROM user_changes) - ?"
"""Its parameter: how many are kept."""
