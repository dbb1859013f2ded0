"""What a reader returns: raw tables, and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

FILE: Final = "_file"
"""Name of the file that a raw row came from."""
ROW: Final = "_row"
"""Position in that file: the line of a text file, the row of a parquet file, both from 1."""

REJECTED_SCHEMA: Final = {
    "table": pl.String,
    "file": pl.String,
    "line": pl.Int64,
    "reason": pl.String,
    "raw": pl.String,
}


@dataclass(frozen=True)
class RawTable:
    """One table with our column names, typed or all strings, each row with `FILE` and `ROW`."""

    name: str
    """`events`, `items` or `users`."""
    where: str
    """The path or glob, for messages."""
    frame: pl.DataFrame
    rejected: pl.DataFrame
    """Rows without the table's fields, in `REJECTED_SCHEMA`."""
    names_in_file: dict[str, str] = field(default_factory=dict)
    """Our column → its name in the file, where they differ."""
    decimal: str = "."
    """The decimal separator in text."""
    event_types: Mapping[str, str] | None = None
    """Of events: a type in the file, in lower case → ours, or `ignore`, beside our own names and their
    aliases; None where no setting maps them."""
    availability: Mapping[str, str] | None = None
    """The same for the availability in a catalogue."""
    negative_quantity: Literal["reject", "refund"] = "reject"
    """What becomes of a purchase with a negative quantity."""
    from_events: tuple[str, ...] = ()
    """Of a catalogue: the columns that were computed from events. With `id` among them every item has an
    event, so at a split point the catalogue would tell a model which items get events later."""
    timestamp_format: str | None = None
    """The strftime format of times that are not ISO 8601 or unix times."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Rows that the reader left out on purpose, by reason: they are in neither `frame` nor `rejected`."""

    @property
    def num_rows(self) -> int:
        """Rows found, readable or not."""
        return len(self.frame) + len(self.rejected) + sum(self.dropped.values())

    def name_in_file(self, column: str) -> str:
        """The name in the file of one of our columns."""
        return self.names_in_file.get(column, column)

    @property
    def found(self) -> list[str]:
        """The columns of the file, by their names there."""
        return [self.name_in_file(column) for column in self.frame.columns if column not in (FILE, ROW)]


@dataclass(frozen=True)
class RawTables:
    """All tables of a reader."""

    events: RawTable
    items: RawTable | None = None
    users: RawTable | None = None
    remarks: tuple[str, ...] = ()
    """Sentences about the files, for the report."""


def no_rejected() -> pl.DataFrame:
    """An empty table of rejected rows."""
    return pl.DataFrame(schema=REJECTED_SCHEMA)


def rejected_rows(table: RawTable, reasons: pl.Series) -> pl.DataFrame:
    """The rows of `table` that have a reason, in `REJECTED_SCHEMA`: `raw` holds their values as JSON."""
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
