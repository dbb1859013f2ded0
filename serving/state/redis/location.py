"""Where a shop's store in Redis is. It needs no library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RedisLocation:
    """A shop's keys in a Redis server."""

    url: str
    prefix: str
    """What the names of its keys begin with, before a colon"""
    allow_loss: bool = False
    """See `serving.redis_allow_loss`"""

    def __str__(self) -> str:
        return f"{self.url} ({self.prefix}:*)"
