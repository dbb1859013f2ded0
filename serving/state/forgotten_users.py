"""The list of users who must not be known, as the store has it, for those who make tables."""

from __future__ import annotations

from contextlib import closing

from features.core.forgotten import Forgotten
from serving.state.store_location import StoreLocation, open_existing_log


def forgotten_users(store: StoreLocation) -> Forgotten | None:
    """None where there is no store, or nobody on the list. Raises ServingError."""
    log = open_existing_log(store)
    if log is None:
        return None
    with closing(log):
        return log.forgotten()


def live_attributes(store: StoreLocation) -> list[tuple[str, str]]:
    """The key of each user whom the server knows something of, and the attributes as JSON; none where there
    is no store. Raises ServingError."""
    log = open_existing_log(store)
    if log is None:
        return []
    with closing(log):
        return list(log.attributes())
