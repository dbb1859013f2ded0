"""The user history cache: one user's events as arrays in memory, extended by new rows of the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from features.core.columns import EVENT_TYPE_CODE
from features.histories import History
from serving.state.event_log import ITEM_EVENT, USER_ARRIVAL_INDEX, USER_TIME_INDEX

_COLUMNS: Final = "number, item_id, event_type, timestamp, transaction_id, price"
_LAST_NUMBER: Final = (
    f"SELECT max(number) FROM events INDEXED BY {USER_ARRIVAL_INDEX} WHERE user_key = ? AND {ITEM_EVENT}"
)
_LATEST: Final = f"""
SELECT {_COLUMNS} FROM events INDEXED BY {USER_TIME_INDEX}
WHERE user_key = ? AND {ITEM_EVENT} ORDER BY timestamp DESC, number DESC LIMIT ?
"""
_SINCE: Final = f"""
SELECT {_COLUMNS} FROM events INDEXED BY {USER_ARRIVAL_INDEX}
WHERE user_key = ? AND number > ? AND {ITEM_EVENT} ORDER BY number
"""

Row = tuple[int, str, str, int, str | None, float | None]
"""The values of `_COLUMNS`."""

Baskets = dict[tuple[str, str], int]
"""(event type, transaction_id) -> basket number: a refund is another basket than the purchase it names."""


class UserHistoryCache:
    """The latest `limit` item events of one user. Not thread-safe."""

    def __init__(
        self, connection: sqlite3.Connection, user_key: str, *, item_index: Mapping[str, int], limit: int
    ) -> None:
        self.user_key = user_key
        self.item_index = item_index
        self.limit = limit
        self.history = History.empty()
        self._last_number = 0
        self._basket_of: Baskets = {}
        (last_number,) = connection.execute(_LAST_NUMBER, (user_key,)).fetchone()
        if last_number is not None:
            rows: list[Row] = connection.execute(_LATEST, (user_key, limit)).fetchall()
            self._extend(sorted(row for row in rows if row[0] <= last_number))
            self._last_number = last_number

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Add the events that any process has written since the last call."""
        rows: list[Row] = connection.execute(_SINCE, (self.user_key, self._last_number)).fetchall()
        if rows:
            self._extend(rows)
            self._last_number = rows[-1][0]

    def _extend(self, rows: list[Row]) -> None:
        """Add rows, given in the order of arrival, and sort the history by time."""
        new = history_from_rows(rows, self.item_index, basket_of=self._basket_of)
        both = in_dataset_order(self.history.followed_by(new))
        self.history = both.take(slice(max(0, len(both) - self.limit), None))


def history_from_rows(rows: Sequence[Row], item_index: Mapping[str, int], *, basket_of: Baskets) -> History:
    """A history of the rows whose item is in `item_index`, in their order.

    The basket number of a transaction is the row number of its first event; an event without a transaction is
    a basket of its own. `basket_of` is extended with the new transactions.
    """
    known = [row for row in rows if row[1] in item_index]
    baskets = [row[0] if row[4] is None else basket_of.setdefault((row[2], row[4]), row[0]) for row in known]
    return History(
        items=np.array([item_index[row[1]] for row in known], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[row[2]] for row in known], np.int8),
        times=np.array([row[3] for row in known], np.int64),
        baskets=np.array(baskets, np.int64),
        prices=np.array([row[5] for row in known], np.float32),
    )


def in_dataset_order(history: History) -> History:
    """Sort a history as a dataset is sorted: by time, basket and item, where all events of a transaction have
    its earliest time."""
    _, first, basket_of_event = np.unique(history.baskets, return_index=True, return_inverse=True)
    ordered = replace(history, times=history.times[first][basket_of_event])
    return ordered.take(np.lexsort((ordered.items, ordered.baskets, ordered.times)))
