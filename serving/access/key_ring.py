"""The keys that count now. Where they are lost or damaged nobody gets in, rather than everybody."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from configs.exceptions import ServingError
from serving.access.api_keys import ApiKey, digest_of, read_keys
from serving.access.watched_file import WatchedFile

logger = logging.getLogger("shopkeeper.access")


@dataclass(frozen=True, slots=True)
class _Keys:
    by_digest: Mapping[str, ApiKey] = field(default_factory=dict)
    is_absent: bool = False
    trouble: str | None = None


class KeyRing:
    """The keys of `keys.json`, which may be changed while the server runs.

    A server that has seen keys asks for one until it ends: a file that is deleted does not open it.
    """

    def __init__(self, file: Path, *, is_always_required: bool) -> None:
        """`is_always_required`: other machines reach this server, so it answers nobody without a key."""
        self._path, self._file = file, WatchedFile(file, _read)
        self._has_said_absent = False
        self._is_required = is_always_required

    @property
    def is_required(self) -> bool:
        """Whether a caller needs a key."""
        if not self._is_required and not self._file.content().is_absent:
            self._is_required = True
        return self._is_required

    @property
    def trouble(self) -> str | None:
        """Why nobody can be let in at the moment."""
        keys = self._file.content()
        if keys.is_absent and self._is_required:
            if not self._has_said_absent:
                logger.error("%s is not there any more. Until it is, nothing is answered.", self._path)
            self._has_said_absent = True
            return "The file of the API keys is not there any more."
        self._has_said_absent = False
        return keys.trouble

    def find(self, key: bytes) -> ApiKey | None:
        """The key, unless it is unknown or revoked. The time that this takes says nothing of other keys."""
        digest = digest_of(key)
        found = self._file.content().by_digest.get(digest)
        return found if found is not None and hmac.compare_digest(found.sha256, digest) else None


def _read(file: Path) -> _Keys:
    try:
        keys = read_keys(file)
    except ServingError as error:
        logger.error("%s Until then nothing is answered.", error)
        return _Keys(trouble="The API keys cannot be read.")
    if keys is None:
        return _Keys(is_absent=True)
    return _Keys({one.sha256: one for one in keys})
