"""All that a store in Redis keeps, as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from serving.state.protocol import ItemChange
from serving.state.redis.client import Command, RedisClient
from serving.state.redis.items import items_since
from serving.state.redis.location import RedisLocation
from serving.state.redis.opening import prepare
from serving.state.redis.rows import append_arguments, id_of, logged_values
from serving.state.redis.users_of_events import keys_of, users_of_events
from serving.state.whole_store import COLUMNS, Kind, Record

_SECONDS: Final = 30.0
"""How long an answer is waited for."""
_USERS: Final = 100
"""Whose events are read in one round trip."""
_EVENTS: Final = 500
"""Of one script."""
_COMMANDS: Final = 500
"""Of one round trip."""
_UNFINISHED: Final = "copying"
"""The mark of a store into which a copy was begun."""


class RedisWhole:
    """See `WholeStore`."""

    def __init__(self, location: RedisLocation) -> None:
        self.name = str(location)
        self._client = RedisClient(location, timeout=_SECONDS, away_seconds=0)
        prepare(self._client)

    def close(self) -> None:
        self._client.close()

    def salt(self) -> str:
        return str(self._call("GET", "salt").decode()).lower()

    def read(self, kind: Kind) -> Iterator[Sequence[Record]]:
        match kind:
            case "events":
                yield from self._events()
            case "items":
                for changes in items_since(self._client, 0):
                    yield [_item(one) for one in changes]
            case _:
                found = sorted(self._call("HGETALL", kind).items())
                yield [_record(kind, *one) for one in found if one[0] != _UNFINISHED.encode()]

    def write(self, kind: Kind, records: Sequence[Record]) -> None:
        match kind:
            case "events":
                commands = self._put_events(records)
            case "items":
                commands = self._put_items(records)
            case _:
                commands = self._put_fields(kind, records)
        for start in range(0, len(commands), _COMMANDS):
            self._client.all_of(commands[start : start + _COMMANDS])

    def num_events(self) -> int:
        return self.last_number()

    def last_number(self) -> int:
        return int(self._call("GET", "number") or 0)

    def is_unfinished(self) -> bool:
        return bool(self._call("HEXISTS", "marks", _UNFINISHED))

    def begin(self, *, salt: str) -> None:
        self._call("HSET", "marks", _UNFINISHED, 1)
        self._call("SET", "salt", salt)

    def end(self, *, last_number: int) -> None:
        self._call("SET", "number", max(last_number, self.last_number()))
        self._call("HDEL", "marks", _UNFINISHED)

    def clear(self) -> None:
        for keys in keys_of(self._client, ""):
            self._client.all_of([("UNLINK", self._client.key("").encode() + key) for key in keys])
        prepare(self._client)

    def _events(self) -> Iterator[Sequence[Record]]:
        """User by user, each user's in the order of arrival."""
        seen: set[str] = set()
        for found in users_of_events(self._client):
            users = [user for user in dict.fromkeys(found) if user not in seen]
            seen.update(users)
            for start in range(0, len(users), _USERS):
                some = users[start : start + _USERS]
                commands: list[Command] = [("HGETALL", self._client.key(f"e:{user}")) for user in some]
                answers = zip(some, self._client.all_of(commands), strict=True)
                yield [
                    logged_values(event_id, row, user_key=user)
                    for user, events in answers
                    for event_id, row in sorted(events.items())
                ]

    def _put_events(self, records: Sequence[Record]) -> list[Command]:
        commands: list[Command] = []
        for start in range(0, len(records), _EVENTS):
            arguments: list[str | bytes | int] = []
            for record in records[start : start + _EVENTS]:
                number, user, received_at, *_ = record
                values = dict(zip(COLUMNS["events"], record, strict=True))
                one = append_arguments(values, user_key=user, received_at=received_at)
                arguments += [id_of(number), *one]
            commands.append(self._client.script("put_events", *arguments))
        return commands

    def _put_items(self, records: Sequence[Record]) -> list[Command]:
        commands: list[Command] = []
        for item_id, number, changed_at, fields in records:
            pairs: list[str | bytes | int] = []
            for column, value in ({} if fields is None else from_json(fields)).items():
                pairs += [column, to_json(value)]
            state = "d" if fields is None else "p"
            commands.append(self._client.script("put_item", item_id, number, state, changed_at, *pairs))
        return commands

    def _put_fields(self, kind: Kind, records: Sequence[Record]) -> list[Command]:
        """Of a hash."""
        key = self._client.key(kind)
        return [("HSET", key, name, " ".join(map(str, values))) for name, *values in records]

    def _call(self, command: str, name: str, *arguments: str | int) -> Any:
        return self._client.call(command, self._client.key(name), *arguments)


def _record(kind: Kind, name: bytes, value: bytes) -> Record:
    """Of a field of a hash."""
    match kind:
        case "users":
            return name.decode(), value.decode()
        case "suppressed":
            reason, at = value.decode().split()
            return name.decode(), reason, int(at)
        case _:
            return name.decode(), int(value)


def _item(change: ItemChange) -> Record:
    fields = None if change.fields is None else to_json(change.fields).decode()
    return change.item_id, change.number, change.changed_at, fields
