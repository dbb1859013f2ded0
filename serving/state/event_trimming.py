"""Old events leave the log: `shopkeeper events trim`, and what a server does by itself once a day."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from configs.exceptions import ServingError
from features.core.columns import MICROSECONDS_PER_DAY
from serving.state.event_transfer import Progress
from serving.state.protocol import TransferLog, TrimmedPart
from serving.state.store_location import StoreLocation, open_existing_log, open_log

logger = logging.getLogger("shopkeeper")

COMMAND_REST: Final = 1.0
"""A command rests as long as each part took it: half of the time is the live server's."""
SERVER_REST: Final = 9.0
"""What a server does by itself takes a tenth of the time."""
SECONDS_BETWEEN_TRIMS: Final = 86_400.0

Part = TypeVar("Part")


@dataclass(frozen=True)
class TrimResult:
    """The outcome of a trim."""

    trimmed: int
    """Events that were deleted, or would be"""
    not_exported: int
    """Old events that no export has: they are kept"""


def trim_events(
    store: StoreLocation,
    *,
    before: int,
    force: bool = False,
    dry_run: bool = False,
    vacuum: bool = False,
    rest: float = COMMAND_REST,
    progress: Progress | None = None,
) -> TrimResult:
    """Delete the events from before a time (microseconds since 1970 UTC) that an export has; with `force` the
    others, too. Later imports leave out what is older than that.

    The live server may run. A trim that is ended in the middle can be repeated. `rest`: the time between two
    parts, in that of the part before. `dry_run` counts and changes nothing. `vacuum`: the disk gets back all
    that is free, and writers wait meanwhile. Raises ServingError.
    """
    existing = open_existing_log(store)
    if existing is None:
        raise ServingError(f"{store}: there is no event store, and so nothing to trim.")
    existing.close()
    with closing(open_log(store)) as log:
        exported = log.last_number() if force else log.mark("exported") or 0
        dry_run_only = dry_run or not exported
        if not dry_run_only:
            log.set_mark("trimmed_before", max(before, log.mark("trimmed_before") or before))
        last = TrimmedPart(0, 0, 0, 0)
        for last in _resting(log.trim(before=before, exported=exported, dry_run=dry_run_only), rest):
            if progress:
                progress(last.looked_at, last.total)
        if not dry_run:
            _give_back(log, rest=rest, vacuum=vacuum)
    return TrimResult(last.trimmed, last.not_exported)


def trim_daily(
    store: StoreLocation, *, keep_days: int, stop: threading.Event, clock: Callable[[], float] = time.time
) -> None:
    """Trim what is older than so many days, gently, at once and then once a day, until `stop` is set. What
    goes wrong is logged, and tried again the next day."""
    while True:
        try:
            result = trim_events(store, before=days_before(clock(), keep_days), rest=SERVER_REST)
        except ServingError as error:
            logger.warning("old events were not trimmed: %s", error)
        else:
            if result.trimmed:
                logger.info("%d events older than %d days were trimmed", result.trimmed, keep_days)
            if result.not_exported:
                logger.warning(
                    "%d events are older than %d days (serving.keep_events_days) and are kept, because no "
                    "export has them: `shopkeeper events export`",
                    result.not_exported,
                    keep_days,
                )
        if stop.wait(SECONDS_BETWEEN_TRIMS):
            return


def days_before(seconds: float, days: int) -> int:
    """A time that many days before another, in microseconds since 1970 UTC."""
    return int(seconds * 1e6) - days * MICROSECONDS_PER_DAY


def time_before(text: str, *, now: datetime) -> int:
    """Of `--before`: a date or a time of ISO 8601, in UTC where it names no zone. Raises ServingError."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ServingError(
            f"--before {text}: is no date: write 2024-01-31 or 2024-01-31T12:00:00Z."
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment > now:
        raise ServingError(f"--before {text}: is in the future, and would delete all events.")
    return int(moment.timestamp() * 1e6)


def _give_back(log: TransferLog, *, rest: float, vacuum: bool) -> None:
    if vacuum:
        log.vacuum()
        return
    for _ in _resting(log.give_back_space(), rest):
        pass


def _resting(parts: Iterator[Part], rest: float) -> Iterator[Part]:
    """The parts, with a rest after each that is in proportion to the time that it took."""
    began = time.monotonic()
    for part in parts:
        time.sleep(rest * (time.monotonic() - began))
        yield part
        began = time.monotonic()
