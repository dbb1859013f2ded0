"""The API keys of a workspace: `keys.json` has the SHA-256 of each key, and never a key itself."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs.exceptions import ConfigError, ServingError
from features.core.artefact import locked, writing_file

KEYS_FILE: Final = "keys.json"
"""In the workspace, for its owner alone. Where it is absent, the server has no keys."""

_RANDOM_BYTES: Final = 32

Kind = Literal["private", "public"]


class ApiKey(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Kind
    name: str
    created_at: datetime
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[ApiKey, ...]


def digest_of(key: bytes) -> str:
    """What stands in the file for a key. The keys are random, so nothing slower is needed."""
    return hashlib.sha256(key).hexdigest()


def read_keys(file: Path) -> tuple[ApiKey, ...] | None:
    """The keys, the oldest first; None where there is no file. Raises ServingError."""
    try:
        return _Content.model_validate_json(file.read_bytes()).keys
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else _first(error)
        raise ServingError(
            f"{file}: the API keys cannot be read ({reason}). Restore the file from a backup; or delete it, "
            "make new keys with `shopkeeper keys create`, and start the server again."
        ) from None


def create_key(workspace: Path, kind: Kind, *, name: str, now: datetime) -> tuple[str, ApiKey]:
    """Make a key of 256 random bits. It is returned here and kept nowhere. Raises ServingError."""
    key = f"sk_{kind}_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    workspace.mkdir(parents=True, exist_ok=True)
    with locked(workspace):
        present = read_keys(workspace / KEYS_FILE) or ()
        made = ApiKey(
            id=_new_id({one.id for one in present}),
            kind=kind,
            name=name,
            created_at=now,
            sha256=digest_of(key.encode()),
        )
        _write(workspace / KEYS_FILE, (*present, made))
    return key, made


def revoke_key(workspace: Path, key_id: str) -> ApiKey:
    """Remove a key. The file stays without the last one, too: a server that had keys answers nobody then,
    rather than everybody. Raises ConfigError for an unknown id, and ServingError."""
    if not workspace.is_dir():
        raise ConfigError(f"There is no workspace {workspace}: name it with --config or --out.")
    with locked(workspace):
        present = read_keys(workspace / KEYS_FILE) or ()
        revoked = next((one for one in present if one.id == key_id), None)
        if revoked is None:
            ids = ", ".join(one.id for one in present) or "none"
            raise ConfigError(f"{workspace / KEYS_FILE} has no key with the id {key_id!r}; its ids: {ids}.")
        _write(workspace / KEYS_FILE, tuple(one for one in present if one is not revoked))
    return revoked


def _write(file: Path, keys: tuple[ApiKey, ...]) -> None:
    with writing_file(file) as scratch:
        scratch.chmod(0o600)
        scratch.write_text(_Content(keys=keys).model_dump_json(indent=2) + "\n", encoding="utf-8")


def _new_id(taken: set[str]) -> str:
    return next(found for found in iter(lambda: secrets.token_hex(4), None) if found not in taken)


def _first(error: ValidationError) -> str:
    """The first fault, without the value, which might be a key that somebody pasted there."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in found['loc']) or 'the file'}: {found['msg']}"
