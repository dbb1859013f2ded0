"""Import of prepared tables into the event log, and export of the log as a table for the next training."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import ServingError
from features.core.artefact import read_manifest, write_manifest, writing
from features.core.columns import TIMESTAMP, USER_ID
from features.core.forgotten import Forgotten
from features.core.ids import VISITOR_PREFIX, user_key_expr
from serving.state.database import connect, transaction, translate_store_errors
from serving.state.event_log import CREATE_INDEXES, EVENT_COLUMNS, SKIP_DUPLICATES, Event, insert_statement
from serving.state.forgotten_users import forgotten_users

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


def import_events(tables: Path, store: Path, *, progress: Progress | None = None) -> ImportResult:
    """Import the events of a tables folder into the log at `store`. A second import adds nothing.

    An empty log is filled in one transaction, which is stored completely or not at all. A log with events
    gets a transaction for every 100,000 events, so that a live server can write in between; an interrupted
    import can be repeated. Raises ArtefactError and ServingError.
    """
    fingerprint = str(read_manifest(tables, kind="tables")["fingerprint"])
    connection = connect(store)
    try:
        with translate_store_errors(store):
            if connection.execute("SELECT 1 FROM imports WHERE fingerprint = ?", (fingerprint,)).fetchone():
                return ImportResult(imported=0, duplicates=0, already_imported=True)
            events = pl.scan_parquet(tables / "events.parquet")
            chunks = _chunks(events, progress, forgotten=forgotten_users(store))
            before = connection.total_changes
            if connection.execute("SELECT 1 FROM events LIMIT 1").fetchone() is None:
                total = _import_into_empty_log(connection, chunks)
            else:
                total = _import_missing(connection, chunks)
            imported = connection.total_changes - before
            with transaction(connection):
                connection.execute(
                    "INSERT OR IGNORE INTO imports VALUES (?, ?, ?)", (fingerprint, imported, _now())
                )
            return ImportResult(imported=imported, duplicates=total - imported, already_imported=False)
    finally:
        connection.close()


def export_events(store: Path, out: Path, *, progress: Progress | None = None) -> int:
    """Write the log as a folder with `events.parquet`, with the columns of the tables, and the attributes
    that were put of users as `users.parquet`. Returns the number of events.

    `shopkeeper prepare` reads both with `data.reader: parquet`. It is for its owner alone. Raises
    ServingError and ArtefactError.
    """
    if not store.is_file():
        raise ServingError(
            f"{store}: there is no event store: start the server or run `shopkeeper events import` first."
        )
    connection = connect(store, read_only=True)
    try:
        with translate_store_errors(store), writing(out, kind="events") as scratch:
            scratch.chmod(0o700)
            (total,) = connection.execute("SELECT count(*) FROM events").fetchone()
            cursor = connection.execute(
                f"SELECT {', '.join(EVENT_COLUMNS)} FROM events ORDER BY number LIMIT ?", (total,)
            )
            parts, done = [_frame([])], 0
            while rows := cursor.fetchmany(CHUNK_ROWS):
                parts.append(_frame(rows))
                done += len(rows)
                if progress:
                    progress(done, total)
            (scratch / "events.parquet").touch(mode=0o600)
            pl.concat(parts).write_parquet(scratch / "events.parquet")
            (scratch / "users.parquet").touch(mode=0o600)
            _users(connection).write_parquet(scratch / "users.parquet")
            write_manifest(scratch, kind="events", made_from=store.name, contents={"events": done})
            return done
    finally:
        connection.close()


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


def _import_into_empty_log(connection: sqlite3.Connection, chunks: Iterator[pl.DataFrame]) -> int:
    """Insert everything in one transaction, and create the indexes after the rows. The tables hold no
    duplicates."""
    total = 0
    with transaction(connection):
        for name in CREATE_INDEXES:
            connection.execute(f"DROP INDEX {name}")
        for chunk in chunks:
            insert = insert_statement(chunk.columns).removesuffix(SKIP_DUPLICATES)
            connection.executemany(insert, chunk.iter_rows())
            total += chunk.height
        for statement in CREATE_INDEXES.values():
            connection.execute(statement)
    return total


def _import_missing(connection: sqlite3.Connection, chunks: Iterator[pl.DataFrame]) -> int:
    """Insert the events that the log does not have yet."""
    total = 0
    for chunk in chunks:
        with transaction(connection):
            connection.executemany(insert_statement(chunk.columns), chunk.iter_rows())
        total += chunk.height
    return total


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=EVENT_TYPES, orient="row")
    return frame.with_columns(pl.col(TIMESTAMP).cast(pl.Datetime("us", "UTC")))


def _users(connection: sqlite3.Connection) -> pl.DataFrame:
    """user_id and attributes (a JSON object); a visitor has none in the tables."""
    rows = connection.execute("SELECT user_key, attributes FROM users ORDER BY user_key").fetchall()
    users = pl.DataFrame(rows, schema={USER_ID: pl.String, "attributes": pl.String}, orient="row")
    return users.filter(~pl.col(USER_ID).str.starts_with(VISITOR_PREFIX))


def _now() -> int:
    return time.time_ns() // 1000
