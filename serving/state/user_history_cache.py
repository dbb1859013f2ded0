"""One person's events as arrays, kept in memory and extended by what is new in the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from features.core.columns import EVENT_TYPE_CODE
from features.histories import History
from serving.state.event_log import ITEM_EVENT

_COLUMNS: Final = "number, item_id, event_type, timestamp, transaction_id, price"
_NEWEST: Final = f"SELECT max(number) FROM events INDEXED BY new_of_person WHERE who = ? AND {ITEM_EVENT}"
_LATEST: Final = (
    f"SELECT {_COLUMNS} FROM events INDEXED BY latest_of_person WHERE who = ? AND {ITEM_EVENT} "
    "ORDER BY timestamp DESC, number DESC LIMIT ?"
)
_SINCE: Final = f"SELECT {_COLUMNS} FROM events INDEXED BY new_of_person WHERE who = ? AND number > ? AND {ITEM_EVENT} ORDER BY number"

Row = tuple[int, str, str, int, str | None, float | None]
"""The values of `_COLUMNS`."""

Baskets = dict[tuple[str, str], int]
"""(event type, transaction) → number: a refund is another basket than the purchase it names."""


class UserHistoryCache:
    """The latest `limit` item events of one person. Not safe to use from two threads at once."""

    def __init__(
        self, connection: sqlite3.Connection, who: str, *, item_index: Mapping[str, int], limit: int
    ) -> None:
        self.who = who
        self.item_index = item_index
        self.limit = limit
        self.unknown_items = 0
        """Events left out because the catalogue does not have their item."""
        self.history = History.empty()
        self._newest = 0
        self._basket_of: Baskets = {}
        (newest,) = connection.execute(_NEWEST, (who,)).fetchone()
        if newest is not None:
            rows: list[Row] = connection.execute(_LATEST, (who, limit)).fetchall()
            self._extend(sorted(row for row in rows if row[0] <= newest))
            self._newest = newest

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Take in the events that any process has written since the last look."""
        rows: list[Row] = connection.execute(_SINCE, (self.who, self._newest)).fetchall()
        if rows:
            self._extend(rows)
            self._newest = rows[-1][0]

    def _extend(self, rows: list[Row]) -> None:
        """Add rows in the order of their arrival, and put the history into the order of time."""
        new = history_from_rows(rows, self.item_index, basket_of=self._basket_of)
        self.unknown_items += len(rows) - len(new)
        both = in_dataset_order(self.history.followed_by(new))
        self.history = both.take(slice(max(0, len(both) - self.limit), None))


def history_from_rows(rows: Sequence[Row], item_index: Mapping[str, int], *, basket_of: Baskets) -> History:
    """Rows whose item is known, in their order. `basket_of` is extended with their transactions.

    A transaction's number is that of its first row; a row without one is a basket of its own.
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
    """Give all events of a transaction its earliest time, and put a history in the order of time into that of
    a dataset."""
    _, first, basket_of_event = np.unique(history.baskets, return_index=True, return_inverse=True)
    ordered = replace(history, times=history.times[first][basket_of_event])
    return ordered.take(np.lexsort((ordered.items, ordered.baskets, ordered.times)))
