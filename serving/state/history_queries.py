"""One user's item events in SQLite, for the user history cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from typing import Final

from serving.state.event_log import ITEM_EVENT, USER_ARRIVAL_INDEX, USER_TIME_INDEX
from serving.state.user_history_cache import Row

_COLUMNS: Final = "number, item_id, event_type, timestamp, transaction_id, price"
_LAST_NUMBER: Final = (
    f"SELECT max(number) FROM events INDEXED BY {USER_ARRIVAL_INDEX} WHERE user_key = ? AND {ITEM_EVENT}"
)
_LATEST: Final = f"""
SELECT {_COLUMNS} FROM events INDEXED BY {USER_TIME_INDEX}
WHERE user_key = ? AND {ITEM_EVENT} ORDER BY timestamp DESC, number DESC
"""
_SINCE: Final = f"""
SELECT {_COLUMNS} FROM events INDEXED BY {USER_ARRIVAL_INDEX}
WHERE user_key = ? AND number > ? AND {ITEM_EVENT} ORDER BY number
"""


class HistoryQueries:
    """The `HistoryReader` of a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def latest(self, user_key: str, *, limit: int) -> list[Row]:
        return self._connection.execute(f"{_LATEST} LIMIT ?", (user_key, limit)).fetchall()

    def latest_first(self, user_key: str) -> Generator[Row, None, None]:
        with closing(self._connection.execute(_LATEST, (user_key,))) as rows:
            yield from rows

    def last_number(self, user_key: str) -> int:
        (number,) = self._connection.execute(_LAST_NUMBER, (user_key,)).fetchone()
        return int(number or 0)

    def since(self, user_key: str, number: int) -> list[Row]:
        return self._connection.execute(_SINCE, (user_key, number)).fetchall()
