"""Import of prepared tables into the event log, and export of the log as a table for the next training."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import ServingError
from features.core.artefact import read_manifest, write_manifest, writing
from features.core.columns import TIMESTAMP, USER_ID
from features.core.forgotten import Forgotten
from features.core.ids import VISITOR_PREFIX, user_key_expr
from serving.state.event_log import Event
from serving.state.protocol import TransferLog
from serving.state.store_location import StoreLocation, open_existing_log, open_log

logger = logging.getLogger("shopkeeper")

CHUNK_ROWS: Final = 100_000

_POLARS_TYPES: Final = {"str": pl.String(), "int": pl.Int64(), "float": pl.Float64()}
EVENT_TYPES: Final[dict[str, pl.DataType]] = {
    field.name: _POLARS_TYPES[str(field.type).split(" ")[0]] for field in fields(Event)
}

Progress = Callable[[int, int], None]
"""Called with (events done, events in total)."""


@dataclass(frozen=True)
class ImportResult:
    """The outcome of an import."""

    imported: int
    duplicates: int
    """Events that were already in the log."""
    already_imported: bool
    """The same tables were imported before: nothing was read."""
    trimmed: int = 0
    """Events that were left out, because events from before a later time were trimmed."""


def import_events(
    tables: Path, store: StoreLocation, *, also_trimmed: bool = False, progress: Progress | None = None
) -> ImportResult:
    """Import the events of a tables folder into the log at `store`. A second import adds nothing, and an
    interrupted one can be repeated. `also_trimmed`: also what is older than what was trimmed. Raises
    ArtefactError and ServingError.
    """
    fingerprint = str(read_manifest(tables, kind="tables")["fingerprint"])
    with closing(open_log(store)) as log:
        if also_trimmed:
            log.set_mark("trimmed_before", None)
        elif log.has_import(fingerprint):
            return ImportResult(imported=0, duplicates=0, already_imported=True)
        events = pl.scan_parquet(tables / "events.parquet")
        trimmed, before = 0, log.mark("trimmed_before")
        if before is not None:
            is_old = pl.col(TIMESTAMP).dt.epoch("us") < before
            trimmed = int(events.select(is_old.sum()).collect().item())
            events = events.filter(~is_old)
        counted = _Counted(_chunks(events, progress, forgotten=log.forgotten()))
        imported = log.insert(counted)
        log.note_import(fingerprint, num_events=imported)
    duplicates = counted.rows - imported
    return ImportResult(imported, duplicates, already_imported=False, trimmed=trimmed)


class _Counted(Iterator[pl.DataFrame]):
    """Chunks, and how many rows they had so far."""

    def __init__(self, chunks: Iterator[pl.DataFrame]) -> None:
        self._chunks, self.rows = chunks, 0

    def __next__(self) -> pl.DataFrame:
        chunk = next(self._chunks)
        self.rows += chunk.height
        return chunk


def export_events(store: StoreLocation, out: Path, *, progress: Progress | None = None) -> int:
    """Write the log as a folder with `events.parquet`, with the columns of the tables, and the attributes
    that were put of users as `users.parquet`. Returns the number of events.

    `shopkeeper prepare` reads both with `data.reader: parquet`. It is for its owner alone. Raises
    ServingError and ArtefactError.
    """
    log = open_existing_log(store)
    if log is None:
        raise ServingError(
            f"{store}: there is no event store: start the server or run `shopkeeper events import` first."
        )
    with closing(log):
        last = log.last_number()
        with writing(out, kind="events") as scratch:
            scratch.chmod(0o700)
            events = _all_events(log, progress)
            (scratch / "events.parquet").touch(mode=0o600)
            events.write_parquet(scratch / "events.parquet")
            (scratch / "users.parquet").touch(mode=0o600)
            _users(log.attributes()).write_parquet(scratch / "users.parquet")
            write_manifest(scratch, kind="events", made_from=log.name, contents={"events": events.height})
        _note_export(log, last)
        return events.height


def _all_events(log: TransferLog, progress: Progress | None) -> pl.DataFrame:
    """In the order of arrival."""
    total, parts, done = log.num_events(), [_frame([])], 0
    for rows in log.scan():
        parts.append(_frame(rows))
        done += len(rows)
        if progress:
            progress(min(done, total), total)
    events = pl.concat(parts).unique("number", keep="last", maintain_order=True).sort("number")
    return events.drop("number")


def _note_export(log: TransferLog, last: int) -> None:
    """Events up to that number may be trimmed from now on. A store that can only be read is exported all the
    same."""
    try:
        log.set_mark("exported", max(last, log.mark("exported") or 0))
    except ServingError as error:
        logger.warning("the export is not noted, so what it has cannot be trimmed yet: %s", error)


def _chunks(
    events: pl.LazyFrame, progress: Progress | None, *, forgotten: Forgotten | None
) -> Iterator[pl.DataFrame]:
    """The events with the columns of the log, 100,000 at a time, in the order of the tables; none of users
    who were deleted later."""
    total = int(events.select(pl.len()).collect().item())
    rows = _log_columns(events)
    for start in range(0, total, CHUNK_ROWS):
        chunk = rows.slice(start, CHUNK_ROWS).collect()
        if forgotten is not None:
            until = forgotten.times(chunk["user_key"])
            chunk = chunk.filter(~(chunk[TIMESTAMP] < until).fill_null(value=False))
        yield chunk
        if progress:
            progress(min(start + CHUNK_ROWS, total), total)


def _log_columns(events: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of the log that the tables have."""
    present = events.collect_schema()
    columns = [user_key_expr().alias("user_key"), pl.lit(_now()).alias("received_at")]
    for name, dtype in EVENT_TYPES.items():
        if name in present:
            is_time = present[name].is_temporal()
            columns.append((pl.col(name).dt.epoch("us") if is_time else pl.col(name)).cast(dtype))
    return events.select(columns)


def _frame(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"number": pl.Int64(), **EVENT_TYPES}, orient="row")
    return frame.with_columns(pl.col(TIMESTAMP).cast(pl.Datetime("us", "UTC")))


def _users(attributes: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """user_id and attributes (a JSON object); a visitor has none in the tables."""
    users = pl.DataFrame(attributes, schema={USER_ID: pl.String, "attributes": pl.String}, orient="row")
    return users.filter(~pl.col(USER_ID).str.starts_with(VISITOR_PREFIX))


def _now() -> int:
    return time.time_ns() // 1000
