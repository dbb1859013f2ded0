"""A number in place of a user's key: tables of a bundle recognise a user, and name nobody."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def user_hash(key: str) -> int:
    """64 bits of a user's key (`features.core.ids.user_key`)."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())


def user_hashes(keys: Iterable[str]) -> NDArray[np.uint64]:
    """`user_hash` of each key."""
    return np.array([user_hash(key) for key in keys], np.uint64)
