"""The secret of user tokens: from the environment, from a file of the shop's, or from the workspace."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from configs.exceptions import ServingError
from configs.settings.services import ServingConfig
from features.core.artefact import writing_file
from serving.access.user_tokens import UserTokenError, user_of_token
from serving.access.watched_file import WatchedFile

logger = logging.getLogger("shopkeeper.access")

VARIABLE: Final = "SHOPKEEPER_TOKEN_SECRET"
SECRET_FILE: Final = "token_secret"
"""In the workspace, for its owner alone."""

MIN_BYTES: Final = 32
"""What HS256 needs (RFC 7518, 3.2)."""


@dataclass(frozen=True)
class SecretPlace:
    """Where the secret is. The environment goes first, then the file of `serving.token_secret_file`."""

    file: Path
    is_set: bool
    """Whether the setting names the file"""
    variable: str | None
    """What the environment says"""

    @classmethod
    def of(cls, workspace: Path, serving: ServingConfig) -> SecretPlace:
        """As the settings and the environment of this process have it."""
        file = serving.token_secret_file
        return cls(
            (file or workspace / SECRET_FILE).resolve(), file is not None, os.environ.get(VARIABLE) or None
        )

    @property
    def in_front(self) -> str | None:
        """What goes before the workspace's own file, if anything does."""
        if self.variable is not None:
            return f"the environment variable {VARIABLE}"
        return f"serving.token_secret_file={self.file}" if self.is_set else None

    def read(self) -> bytes | None:
        """The secret without the blanks around it; None where there is none. Raises ServingError."""
        if self.variable is not None:
            return _long_enough(self.variable.encode(), VARIABLE)
        try:
            return _long_enough(self.file.read_bytes(), str(self.file))
        except FileNotFoundError:
            if self.is_set:
                raise ServingError(f"serving.token_secret_file={self.file}: there is no such file.") from None
            return None
        except OSError as error:
            raise ServingError(
                f"{self.file}: the secret of user tokens cannot be read ({error.strerror})."
            ) from None


def create_secret(workspace: Path) -> str:
    """Make the workspace's secret, in place of the one before; tokens made with that do not count any
    more."""
    secret = secrets.token_urlsafe(MIN_BYTES)
    workspace.mkdir(parents=True, exist_ok=True)
    with writing_file(workspace / SECRET_FILE) as scratch:
        scratch.chmod(0o600)
        scratch.write_text(secret + "\n", encoding="ascii")
    return secret


class UserTokens:
    """Reads the tokens of users with the secret that counts now."""

    def __init__(self, place: SecretPlace, *, clock: Callable[[], float] = time.time) -> None:
        self._place, self._clock = place, clock
        self._secret = WatchedFile(place.file, self._read)

    def user_of(self, token: str) -> str:
        """The user whom a token names. Raises UserTokenError."""
        secret = self._secret.content()
        if secret is None:
            raise UserTokenError("cannot be checked: the server has no secret (shopkeeper keys secret)")
        return user_of_token(token, secret=secret, now=self._clock())

    def _read(self, _: Path) -> bytes | None:
        try:
            return self._place.read()
        except ServingError as error:
            logger.error("%s Until then no user_token counts.", error)
            return None


def _long_enough(secret: bytes, place: str) -> bytes:
    secret = secret.strip()
    if len(secret) < MIN_BYTES:
        raise ServingError(
            f"{place}: the secret of user tokens has {len(secret)} bytes, and needs {MIN_BYTES} at least: "
            "make one with `openssl rand -hex 32`."
        )
    return secret
