"""What a reader returns: raw tables, and the rows that could not be read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from configs.exceptions import DataError

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


_UNNAMED: Final = re.compile(r"Unnamed: \d+|__index_level_\d+__|$")
_NUMBERED: Final = re.compile(r" \(column \d+\)$")
_VALUE: Final = re.compile(r"^[+-]?\d[\d.,:/T Z+-]*$|@")
COLUMN_SETTING: Final = {
    "events": "event_columns",
    "items": "item_columns",
    "users": "user_columns",
    "reviews": "review_columns",
}
"""Table → the setting of `data` that maps its columns"""


def numbered(name: str, place: int) -> str:
    """The name of a column that is not the only one of its name in a file. `place` counts from 1."""
    return f"{name} (column {place})"


def is_unnamed(column: str) -> bool:
    """Whether nobody named the column: an empty cell of a header, or the index of a pandas table."""
    return _UNNAMED.match(column) is not None


def columns_found(names: Iterable[str]) -> str:
    """For messages: a sentence with the columns of a file, by their names there.

    Where one of them is a number, a date or an address, the file has no header: its first row is not shown,
    because it may be about a person.
    """
    found = [name for name in names if name not in (FILE, ROW)]
    if any(_VALUE.search(name) for name in found):
        return "Its first line looks like a row of data: put a line with the names of the columns above it."
    return f"The columns found are: {', '.join(found)}."


@dataclass(frozen=True)
class RawTable:
    """One table with our column names, typed or all strings, each row with `FILE` and `ROW`."""

    name: str
    """`events`, `items`, `users` or `reviews`."""
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
    def columns_found(self) -> str:
        """`columns_found` of the file."""
        return columns_found(self.name_in_file(column) for column in self.frame.columns)

    def check_unambiguous(self, known: Collection[str]) -> None:
        """Raise DataError when two columns of the file have the name of the same `known` column."""
        for column in self.frame.columns:
            name = _NUMBERED.sub("", column)
            if name != column and name in known and name not in self.frame.columns:
                raise DataError(
                    f"{self.where}: two columns are named {name!r}. Rename one of them in the header, or "
                    f"name the one you mean in data.{COLUMN_SETTING[self.name]}: {{{name}: {column!r}}}."
                )


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
