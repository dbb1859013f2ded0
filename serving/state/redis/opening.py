"""What is looked at when a store in Redis is opened: its version, and what the server could lose."""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final

from configs.exceptions import ServingError, StoreAwayError
from serving.state.redis.client import RedisClient

logger = logging.getLogger("shopkeeper")

SCHEMA_VERSION: Final = 1
"""Of the keys in `serving.state.redis`."""

_NO_FSYNC: Final = "no-appendfsync-on-rewrite"
_ACCEPT: Final = "or accept that with serving.redis_allow_loss=true"


def prepare(client: RedisClient) -> None:
    """Make a store where there is none. Raises ServingError where the server may lose what it acknowledged,
    and for a store of another version."""
    _require_durable(client)
    client.call("SETNX", client.key("schema"), SCHEMA_VERSION)
    require_schema(client)
    client.call("SETNX", client.key("salt"), secrets.token_hex(16))


def exists(client: RedisClient) -> bool:
    """Whether there is a store. Raises ServingError for one of another version."""
    if client.call("EXISTS", client.key("schema")) == 0:
        return False
    require_schema(client)
    return True


def require_schema(client: RedisClient) -> None:
    """Raises ServingError for a store that is gone, or of another version."""
    found = client.call("GET", client.key("schema"))
    if found is None:
        raise ServingError(
            f"{client.location}: the event store was emptied: restore a backup of Redis, or start the server "
            "again with an empty one."
        )
    if found != str(SCHEMA_VERSION).encode():
        raise ServingError(
            f"{client.location}: this event store was written by another version of Shopkeeper (schema "
            f"{found.decode()}, expected {SCHEMA_VERSION}): choose another serving.redis_prefix and fill it "
            "with `shopkeeper events import`."
        )


def salt_of(client: RedisClient) -> bytes:
    """For the hashes of users."""
    return bytes.fromhex(client.call("GET", client.key("salt")).decode())


def _require_durable(client: RedisClient) -> None:
    server = _information(client)
    if server.get("cluster_enabled") == "1":
        raise ServingError(
            f"{client.location}: this is a Redis Cluster, and the event store needs a single server."
        )
    policy = server.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise ServingError(
            f"{client.location}: Redis would delete keys when its memory is full (maxmemory-policy "
            f"{policy}): set `maxmemory-policy noeviction`."
        )
    loss = _what_can_be_lost(client, server)
    if loss is None:
        return
    if not client.location.allow_loss:
        raise ServingError(f"{client.location}: {loss}, {_ACCEPT}.")
    logger.warning("%s: %s. serving.redis_allow_loss accepts that.", client.location, loss)


def _what_can_be_lost(client: RedisClient, server: dict[str, str]) -> str | None:
    """What acknowledged events an end of the server would cost, and the remedy; None for none."""
    if server.get("aof_enabled", "1") != "1":
        return (
            "Redis has no append-only file, so an end of the server loses every event, item and user since "
            "its last snapshot, or all: set `appendonly yes` and `appendfsync always`"
        )
    try:
        found = _texts(client.call("CONFIG GET", "appendfsync"))
    except StoreAwayError:
        raise
    except ServingError as error:
        logger.warning(
            "%s: whether Redis writes to disk before it answers cannot be asked (%s). Unless its "
            "configuration says `appendfsync always`, a power cut loses the last second of events or more.",
            client.location,
            error,
        )
        return None
    match found.get("appendfsync"):
        case "always":
            if _texts(client.call("CONFIG GET", _NO_FSYNC)).get(_NO_FSYNC) != "yes":
                return None
            lost = "what was acknowledged while the append-only file is rewritten"
            return f"with `{_NO_FSYNC} yes` a power cut loses {lost}: set `{_NO_FSYNC} no`"
        case "everysec":
            lost = "the last second or two of what was acknowledged"
        case _:
            lost = "half a minute or more of what was acknowledged"
    return (
        f"Redis answers before it writes to disk (appendfsync {found.get('appendfsync')}), so a power cut "
        f"loses {lost}: set `appendfsync always`"
    )


def _information(client: RedisClient) -> dict[str, str]:
    """What INFO says."""
    return _texts(client.call("INFO", "all"))


def _texts(found: dict[Any, Any]) -> dict[str, str]:
    """redis-py makes text and numbers of some answers."""
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
