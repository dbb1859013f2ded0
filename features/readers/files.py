"""Reads a shop's own csv, parquet or jsonl files, with the column mapping of the configuration.

The catalogue and the users may be in another format than the events: the ends of their names tell.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.data import DataConfig
from features.core import columns as c
from features.core.ids import ids_of_column
from features.readers.csv_rows import read_csv_rows
from features.readers.jsonl_rows import read_jsonl_rows
from features.readers.raw_table import (
    COLUMN_SETTING,
    FILE,
    ROW,
    RawTable,
    RawTables,
    columns_found,
    no_rejected,
)

Reader = Callable[[Path, str], tuple[pl.DataFrame, pl.DataFrame]]
"""(path, name of the table) → (rows with FILE and ROW, rejected rows)"""

_FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""The end of a file's name → its format."""
_CATEGORICAL: Final = (
    c.USER_ID,
    c.VISITOR_ID,
    c.SESSION_ID,
    c.ITEM_ID,
    c.TRANSACTION_ID,
    c.EVENT_TYPE,
    c.CURRENCY,
)
"""Text columns of events whose values repeat."""

_IDS: Final = {
    "events": (c.EVENT_ID, c.USER_ID, c.VISITOR_ID, c.SESSION_ID, c.ITEM_ID, c.TRANSACTION_ID),
    "items": (c.ID, c.ITEM_GROUP_ID),
    "users": (c.USER_ID,),
    "reviews": (c.REVIEW_ID, c.USER_ID, c.ITEM_ID),
}
"""Table → its columns of ids."""


def read_event_log(path: Path) -> RawTable:
    """Read the events that `shopkeeper events export` wrote, with our column names. Raises DataError."""
    read = partial(read_parquet_rows, categorical=frozenset(_CATEGORICAL))
    return _table("events", path, {}, read, DataConfig(reader="parquet"))


def read_files(data: DataConfig, *, event_log: Path | None = None) -> RawTables:
    """Read the events and, where configured, items and users. Raises DataError for an unusable file.

    With `event_log` the events are those of the log, and the configured file of events is not read.
    """
    if data.events is None and event_log is None:
        raise DataError(
            f"data.reader={data.reader} needs the path of the events: set data.events=FILE (or a glob such "
            "as 'logs/*.csv')."
        )
    categorical = frozenset(data.event_columns.get(name, name) for name in _CATEGORICAL)
    if event_log is not None:
        events = read_event_log(event_log)
    else:
        assert data.events is not None
        parquet = partial(read_parquet_rows, categorical=categorical)
        read_events = parquet if data.reader == "parquet" else _reader(data.reader, data)
        events = _table("events", data.events, data.event_columns, read_events, data)
    return RawTables(events=events, items=read_items_file(data), users=read_users_file(data))


def read_items_file(data: DataConfig) -> RawTable | None:
    """The catalogue of `data.items`, in the format that its name ends with; else that of the events."""
    if data.items is None:
        return None
    return _table("items", data.items, data.item_columns, _reader(_format(data.items, data), data), data)


def read_users_file(data: DataConfig) -> RawTable | None:
    """The users of `data.users`, in the format that its name ends with; else that of the events."""
    if data.users is None:
        return None
    return _table("users", data.users, data.user_columns, _reader(_format(data.users, data), data), data)


def read_reviews_file(data: DataConfig, path: Path) -> RawTable:
    """Reviews, in the format that the file's name ends with; else that of the events."""
    return _table("reviews", path, data.review_columns, _reader(_format(path, data), data), data)


def _format(where: Path, data: DataConfig) -> str:
    """For readers of another origin a name that does not tell is that of a CSV."""
    return _FORMATS.get(where.suffix.lower(), data.reader if data.reader in _FORMATS.values() else "csv")


def _reader(kind: str, data: DataConfig) -> Reader:
    """What reads a file of that format."""
    if kind == "parquet":
        return read_parquet_rows
    return partial(_read_csv if kind == "csv" else read_jsonl_rows, encoding=data.encoding)


def _table(name: str, where: Path, mapping: dict[str, str], read: Reader, data: DataConfig) -> RawTable:
    paths = matching_files(name, where)
    parts = [read(path, name) for path in paths]
    frames = {path: frame for path, (frame, _) in zip(paths, parts, strict=True) if len(frame.columns)}
    for ours in _IDS[name]:
        frames = _ids_of_one_type(frames, mapping.get(ours, ours))
    if not any(len(frame) for frame, _ in parts) and not any(len(rejected) for _, rejected in parts):
        raise DataError(f"{where}: has no rows. Give data.{name} a file with a header and data.")
    try:
        frame = pl.concat(frames.values(), how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{where}: the files have different types in the same column ({error}). Make the types equal."
        ) from None
    return RawTable(
        name=name,
        where=str(where),
        frame=_renamed(name, where, frame, mapping),
        rejected=pl.concat([rejected for _, rejected in parts]),
        names_in_file=dict(mapping),
        decimal=data.decimal,
        timestamp_format=data.timestamp_format,
        event_types=data.event_types,
        availability=data.availability,
        negative_quantity=data.negative_quantity,
    )


def _ids_of_one_type(frames: dict[Path, pl.DataFrame], column: str) -> dict[Path, pl.DataFrame]:
    """Read a column of ids as text where the files differ in its type: whole numbers in one and floats in
    another would become floats, which are not exact."""
    types = {path: frame.schema[column] for path, frame in frames.items() if column in frame.columns}
    if len(set(types.values())) < 2:
        return frames
    ids = {path: ids_of_column(frames[path][column], column=column, where=str(path)) for path in types}
    return {
        path: frame if ids.get(path) is None else frame.with_columns(ids[path])
        for path, frame in frames.items()
    }


def matching_files(name: str, where: Path) -> list[Path]:
    """The file or the files of a glob, sorted. Raises DataError when there is none. `name`: the table."""
    if where.is_file():
        return [where]
    if where.is_dir():
        raise DataError(f"{where}: is a folder. Give data.{name} a file, or a glob such as '{where}/*.csv'.")
    paths = [path for path in sorted(_matches(where)) if path.is_file()]
    if not paths:
        raise DataError(f"{where}: no such file (data.{name}, looked for from {Path.cwd()}).")
    return paths


def _matches(pattern: Path) -> list[Path]:
    root = Path(pattern.anchor) if pattern.is_absolute() else Path()
    return list(root.glob(str(pattern.relative_to(root) if pattern.is_absolute() else pattern)))


def _renamed(name: str, where: Path, frame: pl.DataFrame, mapping: dict[str, str]) -> pl.DataFrame:
    """The frame with our column names. A column with one of our names is left out when another column is
    mapped to it."""
    setting = COLUMN_SETTING[name]
    absent = [theirs for theirs in mapping.values() if theirs not in frame.columns]
    if absent:
        raise DataError(
            f"{where}: data.{setting} names the column {absent[0]!r}, which the file lacks. "
            f"{columns_found(frame.columns)}"
        )
    ours = [pl.col(theirs).alias(our) for our, theirs in mapping.items()]
    taken = {*mapping.values(), *mapping}
    return frame.select(*ours, *(column for column in frame.columns if column not in taken))


def _read_csv(path: Path, table: str, *, encoding: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with the spaces around values removed."""
    rows, rejected = read_csv_rows(path, table, encoding=encoding)
    return rows.with_columns(pl.col(pl.String).exclude(FILE).str.strip_chars()), rejected


def read_parquet_rows(
    path: Path, table: str, *, categorical: frozenset[str] = frozenset()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows with FILE and ROW; no rejected rows). Text columns in `categorical` are read as Categoricals,
    because ten million ids as text need much memory."""
    try:
        rows = pl.scan_parquet(path, glob=False)
        text = [
            name
            for name, dtype in rows.collect_schema().items()
            if name in categorical and dtype == pl.String
        ]
        frame = rows.with_columns(pl.col(text).cast(pl.Categorical)).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as parquet ({error}). If the {table} are in another format, "
            + (
                "change data.reader."
                if table == "events"
                else "let the name of the file end with .csv, .tsv, .jsonl or .parquet."
            )
        ) from None
    placed = frame.with_columns(
        pl.lit(path.name).alias(FILE), pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)
    )
    return placed, no_rejected()
