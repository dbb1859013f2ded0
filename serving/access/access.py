"""What decides who may call a server: its keys, and the tokens of users."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.settings.services import ServingConfig
from serving.access.api_keys import KEYS_FILE
from serving.access.key_ring import KeyRing
from serving.access.token_secret import SecretPlace, UserTokens


@dataclass(frozen=True, slots=True)
class Access:
    """Of one server process."""

    keys: KeyRing
    tokens: UserTokens

    @classmethod
    def of(cls, workspace: Path, serving: ServingConfig, *, is_public: bool) -> Access:
        """As the files of the workspace have it, now and when they change. `is_public`: other machines reach
        the server, so nobody is answered without a key."""
        keys = KeyRing(workspace / KEYS_FILE, is_always_required=is_public)
        return cls(keys, UserTokens(SecretPlace.of(workspace, serving)))
