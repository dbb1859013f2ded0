"""What a source hands over: one table as it was found, and the rows that could not even be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

FILE: Final = "_file"
"""Name of the file that a raw row came from."""
ROW: Final = "_row"
"""Where in that file: the line of a text file, the row of a parquet file, both from 1."""

REJECTED_SCHEMA: Final = {
    "table": pl.String,
    "file": pl.String,
    "line": pl.Int64,
    "reason": pl.String,
    "raw": pl.String,
}


@dataclass(frozen=True)
class RawTable:
    """One table under our column names, typed or all strings, each row with `FILE` and `ROW`."""

    name: str
    """`events`, `items` or `users`"""
    where: str
    """The path or glob, for messages"""
    frame: pl.DataFrame
    rejected: pl.DataFrame
    """Rows that do not have the table's fields, in `REJECTED_SCHEMA`"""
    called: dict[str, str] = field(default_factory=dict)
    """Our column → the name it has in the file, where they differ"""
    decimal: str = "."
    """What stands before the cents in text"""
    from_events: tuple[str, ...] = ()
    """Of a catalogue: its columns that were made from the events. With `id` among them an item stands in it
    because somebody touched it, so that it must not tell a model at a split point which items will be touched
    later."""
    timestamp_format: str | None = None
    """The strftime form of times, where they are not ISO 8601 or unix times"""
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows that the source left out on purpose, by reason: they are in neither `frame` nor `rejected`"""

    @property
    def num_rows(self) -> int:
        """Rows found, readable or not."""
        return len(self.frame) + len(self.rejected) + sum(self.dropped.values())

    def name_in_file(self, column: str) -> str:
        """What the user calls one of our columns."""
        return self.called.get(column, column)

    @property
    def found(self) -> list[str]:
        """The columns of the file, by the user's names."""
        return [self.name_in_file(column) for column in self.frame.columns if column not in (FILE, ROW)]


@dataclass(frozen=True)
class RawTables:
    """Everything a source brings."""

    events: RawTable
    items: RawTable | None = None
    users: RawTable | None = None
    remarks: tuple[str, ...] = ()
    """What the source has to tell about the files, for the report: sentences"""


def no_rejected() -> pl.DataFrame:
    """An empty table of refused rows."""
    return pl.DataFrame(schema=REJECTED_SCHEMA)


def refuse(table: RawTable, reasons: pl.Series) -> pl.DataFrame:
    """The rows of `table` that have a reason, with their place and their values as JSON."""
    bad = reasons.is_not_null()
    rows = table.frame.filter(bad)
    values = [column for column in rows.columns if column not in (FILE, ROW)]
    return rows.select(
        pl.lit(table.name).alias("table"),
        pl.col(FILE).alias("file"),
        pl.col(ROW).cast(pl.Int64).alias("line"),
        reasons.filter(bad).alias("reason"),
        pl.struct(values).struct.json_encode().alias("raw"),
    )
