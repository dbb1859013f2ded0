"""Where a shop's event store is, and the way to open it: SQLite in the workspace, or a Redis server."""

from __future__ import annotations

from pathlib import Path

from configs.schema import Config
from serving.state.database import connect
from serving.state.protocol import StateStore, TransferLog
from serving.state.redis.location import RedisLocation
from serving.state.sqlite_log import SqliteLog
from serving.state.store import STORE_FILE, EventStore

StoreLocation = Path | RedisLocation
"""A path is that of the file of SQLite."""


def store_location(config: Config) -> StoreLocation:
    """Where the settings put it."""
    serving = config.serving
    if serving.store is None:
        return config.workspace / STORE_FILE
    return RedisLocation(serving.store, serving.redis_prefix or config.name, serving.redis_allow_loss)


def open_store(location: StoreLocation) -> StateStore:
    """Open the store, or create an empty one. Raises ServingError when it is foreign, cannot be used, or may
    lose what it acknowledges."""
    if isinstance(location, Path):
        return EventStore.open(location)
    from serving.state.redis.store import RedisStore

    return RedisStore(location)


def check_store(location: StoreLocation) -> None:
    """Raises what `open_store` raises."""
    if isinstance(location, Path):
        connect(location).close()
    else:
        open_store(location).close()


def open_log(location: StoreLocation) -> TransferLog:
    """Open the log as a whole, or create an empty one. Raises ServingError."""
    if isinstance(location, Path):
        return SqliteLog(location)
    from serving.state.redis.log import RedisLog

    return RedisLog(location)


def open_existing_log(location: StoreLocation) -> TransferLog | None:
    """None where there is no store. Raises ServingError."""
    if isinstance(location, Path):
        return SqliteLog(location, read_only=True) if location.is_file() else None
    from serving.state.redis.log import RedisLog

    return RedisLog.existing(location)
