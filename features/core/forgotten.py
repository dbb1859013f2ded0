"""Users who must not be known: who was deleted, and who did not consent. Only salted hashes of their keys are
kept, so the list names nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

FOREVER: Final = 2**62
"""Until when nothing of somebody who did not consent is used, in microseconds since 1970 UTC."""


def user_hash(key: str, *, salt: bytes) -> str:
    """Of a user's key, see `features.core.ids.user_key`."""
    return hashlib.blake2b(key.encode(), key=salt, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Forgotten:
    """A shop's list."""

    salt: bytes
    until: Mapping[str, int]
    """Hash of a key -> what happened before that time is left out, in microseconds since 1970 UTC; what came
    later is of somebody who came back"""

    def times(self, keys: pl.Series) -> pl.Series:
        """For a column of keys, until when each is left out; null for those who are not on the list."""
        keys = keys.cast(pl.String)
        found = {
            key: time
            for key in keys.drop_nulls().unique().to_list()
            if (time := self.until.get(user_hash(key, salt=self.salt))) is not None
        }
        if not found:
            return pl.repeat(None, len(keys), dtype=pl.Int64, eager=True)
        return keys.replace_strict(found, default=None, return_dtype=pl.Int64)
