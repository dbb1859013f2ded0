"""A cursor: which page of which list comes next. It holds what the list depends on, and no state is kept.

The list is made anew for each page, at the moment of the first one, by the same bundle and with the same lot.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from functools import cache
from typing import Final, Self
from zlib import crc32

from serving.http.problems import Problem, invalid_field
from serving.http.schemas import FieldError, RecommendRequest

FIRST_PAGE: Final = "*"
"""What a request sends for the first page of a list that goes on"""

MAX_PLACES: Final = 500
"""Of a list, all its pages together."""

_LAYOUT: Final = struct.Struct(">BqHQII")
"""Version of the layout, as_of, offset, seed, bundle, request"""
_VERSION: Final = 1
_CHECK_BYTES: Final = 3
_LENGTH: Final = 4 * (_LAYOUT.size + _CHECK_BYTES) // 3
"""Characters of a cursor"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list goes on."""

    as_of: int
    """The moment of the list, microseconds since 1970 UTC"""
    offset: int
    """Places on the pages before"""
    seed: int
    """Of what is drawn"""
    bundle: int
    """Short hash of the bundle's version"""
    request: int
    """Short hash of what the list depends on, see `request_hash`"""

    def encoded(self) -> str:
        """As text that may stand in a URL."""
        packed = _LAYOUT.pack(_VERSION, self.as_of, self.offset, self.seed, self.bundle, self.request)
        return base64.urlsafe_b64encode(packed + _check(packed)).decode("ascii")

    @classmethod
    def decoded(cls, text: str) -> Self:
        """Raises Problem for anything that `encoded` did not make."""
        try:
            raw = base64.urlsafe_b64decode(text) if len(text) == _LENGTH else b""
        except (binascii.Error, ValueError):
            raw = b""
        packed, check = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if len(packed) != _LAYOUT.size or check != _check(packed):
            raise invalid_field("cursor", "is damaged: send it as it came, or leave it out for a new list")
        version, as_of, offset, seed, bundle, request = _LAYOUT.unpack(packed)
        if version != _VERSION or offset >= MAX_PLACES:
            raise invalid_field("cursor", "is of another version: leave it out for a new list")
        return cls(as_of, offset, seed, bundle, request)

    def require(self, *, bundle_version: str, request: RecommendRequest) -> None:
        """Raise Problem where the list cannot go on: another bundle answers by now, or the request is for
        another list."""
        if self.bundle != bundle_hash(bundle_version):
            message = "is of a list that another bundle made: leave it out for a new list"
            raise Problem(409, f"cursor: {message}.", errors=[FieldError("cursor", message)])
        if self.request != request_hash(request):
            raise invalid_field(
                "cursor",
                "is of another list: who asks, what is on the page, events, conditions and num_results must "
                "be those of its first page",
            )


def _check(packed: bytes) -> bytes:
    return crc32(packed).to_bytes(4, "big")[:_CHECK_BYTES]


@cache
def bundle_hash(version: str) -> int:
    """A number of 32 bits that tells bundles apart."""
    return crc32(version.encode())


def request_hash(request: RecommendRequest) -> int:
    """A number of 32 bits that tells lists apart. Events that are stored count by their storage."""
    depends_on = (
        request.user_id, request.visitor_id, request.consent, request.surface, request.item_ids,
        request.num_results, request.exclude_item_ids, request.filter, request.exclude_purchased_days,
        request.exclude_viewed_days, request.exclude_cart, request.diversity, request.promotions,
        request.exploration, [] if request.record else request.events,
        None if request.context is None else request.context.columns(),
    )  # fmt: skip
    return crc32(repr(depends_on).encode("utf-8", "backslashreplace"))
