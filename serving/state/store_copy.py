"""All of a store is copied to another one, and compared afterwards: `shopkeeper events copy`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic_core import to_json

from configs.exceptions import ServingError
from serving.state.event_transfer import Progress
from serving.state.sqlite_whole import SqliteWhole
from serving.state.store_location import StoreLocation, open_existing_log
from serving.state.whole_store import KINDS, Kind, Record, WholeStore, canonical

_SUM_BYTES: Final = 16


@dataclass(frozen=True)
class Summary:
    """Of the records of a kind."""

    count: int = 0
    sum: int = 0
    """Of their hashes: the same for the same records in any order"""


@dataclass(frozen=True)
class CopyResult:
    """Both stores have the same afterwards."""

    counts: dict[Kind, int]
    was_there: bool
    """They had before: nothing was written."""


def copy_store(
    source: StoreLocation, target: StoreLocation, *, replace: bool = False, progress: Progress | None = None
) -> CopyResult:
    """Copy events, items, users, suppressed users and what the log remembers of itself, with all numbers.

    Nobody may write to either store meanwhile. The target is empty, or has the same already, or what a copy
    of this source that was cut off left: it is finished. `replace` deletes anything else that it has. Raises
    ServingError, also where the two differ afterwards.
    """
    if source == target:
        raise ServingError(f"{target}: is the store that is copied: name another one with --to.")
    existing = open_existing_log(source)
    if existing is None:
        raise ServingError(f"{source}: there is no event store, and so nothing to copy.")
    existing.close()
    with closing(_open(source)) as one, closing(_open(target)) as other:
        if one.is_unfinished():
            raise ServingError(f"{one.name}: a copy into it was cut off: finish that first.")
        is_of_this = other.salt() == one.salt()
        if is_of_this and not other.is_unfinished() and (same := _same(one, other)):
            return CopyResult(_counts(same), was_there=True)
        if not (is_of_this and other.is_unfinished()):
            _make_room(other, one, replace=replace)
            other.begin(salt=one.salt())
        copied = _copy(one, other, progress)
        other.end(last_number=one.last_number())
        _require_same(one, other, copied)
    return CopyResult(_counts(copied), was_there=False)


def require_whole(location: StoreLocation) -> None:
    """Raises ServingError for a store into which a copy was begun and has not ended."""
    existing = open_existing_log(location)
    if existing is None:
        return
    with closing(existing) as log:
        if log.mark("copying") is not None:
            raise ServingError(
                f"{location}: a copy into this event store was cut off: repeat `shopkeeper events copy`."
            )


def _open(location: StoreLocation) -> WholeStore:
    if isinstance(location, Path):
        return SqliteWhole(location)
    from serving.state.redis.whole import RedisWhole

    return RedisWhole(location)


def _same(one: WholeStore, other: WholeStore) -> dict[Kind, Summary] | None:
    """What both have; None where it is not the same."""
    found = _summaries(one)
    return found if found == _summaries(other) else None


def _make_room(target: WholeStore, source: WholeStore, *, replace: bool) -> None:
    if _is_empty(target):
        return
    if not replace:
        raise ServingError(
            f"{target.name}: has other events, items or users than {source.name}: choose an empty store, or "
            "delete all that it has with --replace."
        )
    target.clear()


def _copy(source: WholeStore, target: WholeStore, progress: Progress | None) -> dict[Kind, Summary]:
    """What was copied."""
    found: dict[Kind, Summary] = {}
    total = source.num_events()
    for kind in KINDS:
        found[kind] = Summary()
        for records in source.read(kind):
            target.write(kind, records)
            found[kind] = _extended(kind, found[kind], records)
            if progress and kind == "events":
                progress(min(found[kind].count, total), total)
    return found


def _require_same(source: WholeStore, target: WholeStore, copied: dict[Kind, Summary]) -> None:
    there = _summaries(target)
    wrong = [
        f"{kind} ({copied[kind].count:,} copied, {there[kind].count:,} there)"
        for kind in KINDS
        if copied[kind] != there[kind]
    ]
    if wrong:
        raise ServingError(
            f"{target.name}: differs from {source.name} in {', '.join(wrong)}: somebody wrote to one of them "
            "meanwhile. Stop every server that uses them, and repeat with --replace."
        )


def _summaries(store: WholeStore) -> dict[Kind, Summary]:
    found: dict[Kind, Summary] = {}
    for kind in KINDS:
        found[kind] = Summary()
        for records in store.read(kind):
            found[kind] = _extended(kind, found[kind], records)
    return found


def _extended(kind: Kind, summary: Summary, records: Sequence[Record]) -> Summary:
    hashes = sum(_hashes(kind, records)) + summary.sum
    return Summary(summary.count + len(records), hashes % 2 ** (8 * _SUM_BYTES))


def _hashes(kind: Kind, records: Sequence[Record]) -> Iterator[int]:
    for record in records:
        text = to_json(canonical(kind, record))
        yield int.from_bytes(hashlib.blake2b(text, digest_size=_SUM_BYTES).digest(), "big")


def _is_empty(store: WholeStore) -> bool:
    return not any(records for kind in KINDS for records in store.read(kind))


def _counts(summaries: dict[Kind, Summary]) -> dict[Kind, int]:
    return {kind: summary.count for kind, summary in summaries.items()}
