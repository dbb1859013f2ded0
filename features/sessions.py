"""Which visit an event belongs to, from the times alone: what "together" means where events carry no
transaction."""

from __future__ import annotations

from typing import Final

import numpy as np

from features.histories import History, IntArray, TimeArray

SESSION_GAP_MINUTES: Final = 30.0
"""A longer pause begins another visit."""


def session_numbers(users: IntArray, events: History) -> TimeArray:
    """The visit of each event (E,), numbered from 0. Events stand in the order of users and of time, as a
    dataset has them.

    The baskets of one visit become one: two receipts within half an hour are one errand.
    """
    begins = np.ones(len(users), bool)
    begins[1:] = (users[1:] != users[:-1]) | (np.diff(events.times) > int(SESSION_GAP_MINUTES * 60e6))
    return np.cumsum(begins) - 1
