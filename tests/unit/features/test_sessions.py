from __future__ import annotations

import numpy as np

from features.histories import History
from features.profiles.item_neighbours import basket_neighbours
from features.sessions import session_numbers

MINUTE = 60_000_000


def looked_at(items: list[int], minutes: list[int]) -> History:
    """Views, each a basket of its own."""
    count = len(items)
    return History(
        items=np.array(items, np.int32),
        event_types=np.full(count, 3, np.int8),
        times=np.array(minutes, np.int64) * MINUTE,
        baskets=np.arange(count, dtype=np.int64),
        prices=np.full(count, np.nan, np.float32),
    )


def test_a_visit_ends_with_the_person_and_with_a_long_pause() -> None:
    users = np.array([0, 0, 0, 0, 1, 1], np.int32)
    events = looked_at([1, 2, 3, 4, 1, 2], [0, 30, 61, 62, 62, 63])
    assert session_numbers(users, events).tolist() == [0, 0, 1, 1, 2, 2]
    nobody = np.empty(0, np.int32)
    assert session_numbers(nobody, looked_at([], [])).tolist() == []


def test_what_is_looked_at_in_one_visit_goes_together() -> None:
    """Without transactions there were no pairs at all."""
    users = np.repeat(np.arange(5, dtype=np.int32), 3)
    events = looked_at([7, 8, 9] * 5, [0, 5, 300] * 5)
    baskets = History(**{**vars(events), "baskets": session_numbers(users, events)})
    as_of = int(events.times.max()) + 1
    alone = basket_neighbours(events, num_items=10, as_of=as_of, num_neighbours=3)
    together = basket_neighbours(baskets, num_items=10, as_of=as_of, num_neighbours=3)
    assert (alone.items == -1).all()
    assert together.items[7].tolist() == [8, -1, -1]
    assert together.items[9].tolist() == [-1, -1, -1]
