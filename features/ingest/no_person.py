"""Names an id with too large a share of all events or orders to be one person: a guest's, `0`, `NULL`."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.core import columns as c
from features.core.ids import VISITOR_PREFIX

MAX_SHARE: Final = 1 / 3
"""Of the item events, or of the orders."""
MIN_USERS: Final = 10
"""Among fewer users one may well have so many."""


def no_person(item_events: pl.DataFrame, users: pl.Series, keys: pl.Series) -> list[str]:
    """Remarks, each with an id and the setting that leaves it out.

    `item_events` has the code of a user in `_user`; `users` has that code and `keys` the user's key for each
    of all events.
    """
    if item_events["_user"].n_unique() < MIN_USERS:
        return []
    is_order = (pl.col(c.EVENT_TYPE) == "purchase") & pl.col(c.TRANSACTION_ID).is_not_null()
    orders = item_events.filter(is_order).select("_user", c.TRANSACTION_ID).unique()
    remarks: dict[int, str] = {}
    for name, rows in (("orders", orders), ("item events", item_events)):
        counts = rows["_user"].value_counts(sort=True, name="count")
        for user, count in counts.filter(pl.col("count") > MAX_SHARE * len(rows)).iter_rows():
            key = str(keys.filter(users == user).cast(pl.String)[0])
            own_id = key.removeprefix(VISITOR_PREFIX)
            remarks[user] = (
                f"{key!r} has {count / len(rows):.0%} of the {name}. If that is no person but stands for "
                f"guests or for no id, leave it out: data.exclude: [{own_id!r}]."
            )
    return list(remarks.values())
