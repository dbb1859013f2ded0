"""The append-only file of Redis is written anew after deletions: it holds every command that was given."""

from __future__ import annotations

import logging
import time
from typing import Final

from configs.exceptions import ServingError
from serving.state.redis.client import RedisClient

logger = logging.getLogger("shopkeeper")

REWRITE_SECONDS: Final = 5.0
"""How long a deletion waits for a rewrite that began before it."""


def rewrite_append_only_file(client: RedisClient) -> None:
    """Start to write it anew where something was deleted since. What cannot be started now is with the next
    deletion, and when a store is opened."""
    until = time.monotonic() + REWRITE_SECONDS
    while True:
        erased, rewritten = client.call("MGET", client.key("erased"), client.key("rewritten"))
        if erased == rewritten:
            return
        try:
            client.call("BGREWRITEAOF")
        except ServingError as error:
            if "in progress" in str(error) and time.monotonic() < until:
                time.sleep(0.1)
                continue
            logger.warning("what was deleted is still in Redis's append-only file: %s", error)
            return
        client.call("SET", client.key("rewritten"), erased)
