"""Numbers the sessions of a dataset's events by time gaps, for co-occurrence: items of one session go
together.

`ingest/session_ids.py` is the other use of sessions: it fills the absent session_ids of the events table,
where the shop may give its own and `prepare.session_gap_minutes` sets the gap.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from features.histories import History, IntArray, TimeArray

SESSION_GAP_MINUTES: Final = 30.0
"""A longer pause starts a new session."""


def session_numbers(users: IntArray, events: History) -> TimeArray:
    """The session number (E,) of each event, from 0. Events are sorted by user and time, as in a dataset.

    Transactions are ignored: two receipts within half an hour are one session.
    """
    starts = np.ones(len(users), bool)
    starts[1:] = (users[1:] != users[:-1]) | (np.diff(events.times) > int(SESSION_GAP_MINUTES * 60e6))
    return np.cumsum(starts) - 1
