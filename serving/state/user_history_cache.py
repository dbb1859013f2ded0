"""The user history cache: one user's events as arrays in memory, extended by new rows of the log."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.core.columns import EVENT_TYPE_CODE
from features.core.compiled import compiled
from features.histories import History, IntArray, TimeArray

Row = tuple[int, str, str, int, str | None, float | None]
"""Of an item event: number, item_id, event_type, timestamp, transaction_id, price."""

Baskets = dict[tuple[str, str], int]
"""(event type, transaction_id) -> basket number: a refund is another basket than the purchase it names."""


class HistoryReader(Protocol):
    """One user's item events in a store."""

    def latest(self, user_key: str, *, limit: int) -> list[Row]:
        """The latest, by time, then by arrival; the latest comes first."""

    def latest_first(self, user_key: str) -> Generator[Row, None, None]:
        """All of them in that order, read as they are asked for."""

    def last_number(self, user_key: str) -> int:
        """Of the one that arrived last; 0 where there is none."""

    def since(self, user_key: str, number: int) -> list[Row]:
        """Those with a higher number, in the order of arrival."""


class UserHistoryCache:
    """The latest `limit` item events of one user whose item is in `item_index`. Not thread-safe.

    What it holds follows from the log alone: one that was extended event by event and one that is loaded
    afterwards are the same. Latest is by time, then by arrival.
    """

    def __init__(
        self, reader: HistoryReader, user_key: str, *, item_index: Mapping[str, int], limit: int
    ) -> None:
        self.user_key = user_key
        self.item_index = item_index
        self.limit = limit
        self.history = History.empty()
        self._kept = History.empty()
        """The same events with their own times and a transaction's first number ever as basket"""
        self._numbers = np.empty(0, np.int64)
        """Of the kept events, in the log"""
        self._last_number = 0
        self._basket_of: Baskets = {}
        rows = reader.latest(user_key, limit=limit + 1)
        if len(rows) > limit:
            self._load_latest(reader)
        elif rows:
            self._extend(sorted(rows))
            self._last_number = max(row[0] for row in rows)

    def _load_latest(self, reader: HistoryReader) -> None:
        """Of a user with more events than are kept: as many of known items as there are, up to the limit."""
        last_number = reader.last_number(self.user_key)
        with closing(reader.latest_first(self.user_key)) as rows:
            known = (row for row in rows if row[0] <= last_number and row[1] in self.item_index)
            self._extend(sorted(islice(known, self.limit)))
        self._last_number = last_number

    def refresh(self, reader: HistoryReader) -> None:
        """Add the events that any process has written since the last call."""
        rows = reader.since(self.user_key, self._last_number)
        if rows:
            self._extend(rows)
            self._last_number = rows[-1][0]

    def _extend(self, rows: list[Row]) -> None:
        """Add rows, given in the order of arrival, and keep the latest."""
        new = history_from_rows(rows, self.item_index, basket_of=self._basket_of)
        numbers = np.array([row[0] for row in rows if row[1] in self.item_index], np.int64)
        numbers = np.concatenate([self._numbers, numbers])
        times = np.concatenate([self._kept.times, new.times])
        latest = np.lexsort((numbers, times))[-self.limit :]
        self._kept, self._numbers = self._kept.concatenated(new).take(latest), numbers[latest]
        self._forget_baskets()
        self.history = in_dataset_order(self._kept, self._numbers)

    def _forget_baskets(self) -> None:
        """Drop transactions without a kept event now and then: a user may have any number of them."""
        if len(self._basket_of) > 2 * self.limit:
            kept = set(self._kept.baskets.tolist())
            self._basket_of = {name: number for name, number in self._basket_of.items() if number in kept}


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


def in_dataset_order(history: History, numbers: TimeArray | None = None) -> History:
    """Sort a history as a dataset is sorted: by time, basket and item, where all events of a transaction have
    its earliest time. With `numbers` (n,) a basket is called by the lowest of its events'."""
    called = history.baskets if numbers is None else numbers
    order, times, baskets = _dataset_order(history.items, history.times, history.baskets, called)
    return History(history.items[order], history.event_types[order], times, baskets, history.prices[order])


@compiled
def _dataset_order(
    items: IntArray, times: TimeArray, baskets: TimeArray, called: TimeArray
) -> tuple[NDArray[np.intp], TimeArray, TimeArray]:
    """(order of the events, their baskets' earliest times and lowest names in that order)."""
    by_basket = np.argsort(baskets, kind="mergesort")
    earliest, lowest = np.empty_like(times), np.empty_like(called)
    place = 0
    while place < len(by_basket):
        end, time, name = place, times[by_basket[place]], called[by_basket[place]]
        while end < len(by_basket) and baskets[by_basket[end]] == baskets[by_basket[place]]:
            time, name = min(time, times[by_basket[end]]), min(name, called[by_basket[end]])
            end += 1
        for event in by_basket[place:end]:
            earliest[event], lowest[event] = time, name
        place = end
    order = np.argsort(items, kind="mergesort")  # stable sorts, the most important last
    order = order[np.argsort(lowest[order], kind="mergesort")]
    order = order[np.argsort(earliest[order], kind="mergesort")]
    return order, earliest[order], lowest[order]
