"""A connection to Redis: commands and scripts under the prefix of a shop, with errors that name a remedy."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, Final

from configs.exceptions import ServingError, StoreAwayError
from configs.settings.services import REDIS_PASSWORD
from serving.state.redis.location import RedisLocation

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as error:  # an optional extra
    raise ServingError(
        f"serving.store is a Redis server, which needs the extra: pip install 'shopkeeper[redis]' "
        f"({error.name} is not installed here)."
    ) from None

logger = logging.getLogger("shopkeeper")

READ_SECONDS: Final = 0.5
"""How long a read waits for an answer: a replica answers nobody meanwhile."""
WRITE_SECONDS: Final = 2.0
"""How long a write does, which the server answers after it is on disk."""
AWAY_SECONDS: Final = 0.5
"""After a read without an answer, others fail at once for so long."""

Command = Sequence[str | bytes | int]
"""Its name and its arguments."""


class RedisClient:
    """Safe to use from several threads. Raises ServingError; StoreAwayError where Redis does not answer."""

    def __init__(
        self,
        location: RedisLocation,
        *,
        timeout: float = READ_SECONDS,
        away_seconds: float = AWAY_SECONDS,
    ) -> None:
        self.location = location
        self._away_seconds, self._away_until, self._is_away = away_seconds, 0.0, False
        self._redis: Any = redis.Redis.from_url(  # its commands have no types
            location.url,
            password=os.environ.get(REDIS_PASSWORD),
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, READ_SECONDS),
            socket_keepalive=True,
            # once more over a new connection: the server may have been started anew since the last command
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            protocol=2,
        )

    def close(self) -> None:
        self._redis.close()

    @property
    def is_away(self) -> bool:
        """Whether it did not answer when it was last asked."""
        return self._is_away

    def key(self, name: str) -> str:
        """The whole name of a key."""
        return f"{self.location.prefix}:{name}"

    def script(self, name: str, *arguments: str | bytes | int) -> Command:
        """The command that runs `scripts/<name>.lua`."""
        return ("EVALSHA", _script(name)[1], 0, self.location.prefix, *arguments)

    def call(self, *command: str | bytes | int) -> Any:
        """One command's answer."""
        with self._answering():
            try:
                return self._redis.execute_command(*command)
            except redis.exceptions.NoScriptError:
                self._load_scripts()
                return self._redis.execute_command(*command)

    def run(self, script: str, *arguments: str | bytes | int) -> Any:
        """A script's answer."""
        return self.call(*self.script(script, *arguments))

    def many(self, commands: Sequence[Command]) -> list[Any]:
        """Several commands in one round trip, each on its own: its answer, or the ServingError it got."""
        with self._answering():
            answers = self._send(commands)
            if any(isinstance(answer, redis.exceptions.NoScriptError) for answer in answers):
                self._load_scripts()
                answers = self._send(commands)  # what was stored by the first time is not stored twice
        return [
            self._translated(answer) if isinstance(answer, redis.RedisError) else answer for answer in answers
        ]

    def all_of(self, commands: Sequence[Command]) -> list[Any]:
        """`many`, where each must succeed."""
        answers = self.many(commands)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _send(self, commands: Sequence[Command]) -> list[Any]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(pipeline.execute(raise_on_error=False))

    def _load_scripts(self) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in _script_names():
                pipeline.execute_command("SCRIPT LOAD", _script(name)[0])
            pipeline.execute()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        if time.monotonic() < self._away_until:
            raise StoreAwayError(f"{self.location}: Redis did not answer a moment ago.")
        try:
            yield
        except redis.RedisError as error:
            translated = self._translated(error)
            if isinstance(translated, StoreAwayError):
                self._away_until = time.monotonic() + self._away_seconds
                self._note(translated)
            raise translated from error
        self._note(None)

    def _note(self, trouble: StoreAwayError | None) -> None:
        """The log has a line when it goes and one when it comes back, not one a request."""
        if trouble is not None and not self._is_away:
            logger.error("%s", trouble)
        elif trouble is None and self._is_away:
            logger.warning("%s: Redis answers again.", self.location)
        self._is_away = trouble is not None

    def _translated(self, error: Exception) -> ServingError:
        """With a remedy."""
        name, text = self.location, str(error).rstrip(".")
        if isinstance(error, redis.exceptions.AuthenticationError) or text.startswith("NOAUTH"):
            remedy = f"set the environment variable {REDIS_PASSWORD} to its password"
            return ServingError(
                f"{name}: Redis lets nobody in without the right password ({text}): {remedy}."
            )
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            remedy = "start it, or correct serving.store"
            return StoreAwayError(f"{name}: Redis does not answer ({text}): {remedy}.")
        remedy = "see the server's own log"
        if isinstance(error, redis.exceptions.OutOfMemoryError) or text.startswith("OOM"):
            remedy = "its memory is full: raise `maxmemory`, or give it a machine with more"
        elif isinstance(error, redis.exceptions.ReadOnlyError):
            remedy = "this is a read-only copy: let serving.store name the server that is written to"
        elif isinstance(error, redis.exceptions.NoPermissionError):
            remedy = f"allow this user all commands on keys {name.prefix}:*"
        return ServingError(f"{name}: the event store cannot be used ({text}): {remedy}.")


@cache
def _script_names() -> tuple[str, ...]:
    found = [path.name for path in resources.files(__package__).joinpath("scripts").iterdir()]
    return tuple(sorted(name.removesuffix(".lua") for name in found if name != "prelude.lua"))


@cache
def _script(name: str) -> tuple[str, str]:
    """The text of a script, with what all begin with, and its SHA-1, by which Redis knows it."""
    folder = resources.files(__package__).joinpath("scripts")
    text = "".join(folder.joinpath(f"{one}.lua").read_text(encoding="utf-8") for one in ("prelude", name))
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
