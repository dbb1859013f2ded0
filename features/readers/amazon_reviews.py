"""Amazon reviews (McAuley lab) of 2014, 2018 and 2023, in each published format.

`data.events`: ratings without a header, CSV with a header, or reviews as JSON lines. `data.items`: the
metadata.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.readers.amazon_metadata import read_amazon_metadata
from features.readers.csv_rows import read_csv_rows
from features.readers.field_rows import named_columns, one_file, read_fields, with_numbers
from features.readers.jsonl_rows import read_jsonl_rows
from features.readers.published_counts import Counts, compare_with_published
from features.readers.raw_table import RawTable, RawTables
from features.readers.text_lines import TEXT, read_lines

_COLUMNS: Final = {
    "user_id": ("reviewerID", "user_id", "UserId", "user"),
    "item_id": ("item_id", "parent_asin", "asin", "ProductId", "item"),
    "rating": ("overall", "rating", "Rating"),
    "timestamp": ("unixReviewTime", "timestamp", "Timestamp"),
    "review_text": ("reviewText", "text"),
}
"""Our column → its names in the versions. The metadata of 2023 has one row for each parent_asin."""
_TYPES: Final = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float64, "timestamp": pl.Int64}
_FIRST_LINES: Final = 1000


def read_amazon_reviews(data: DataConfig) -> RawTables:
    """Reviews as events of the type `review`, or of `data.event_type`, with rating and text where given.

    A review that is in the file twice (same user, item and time, as in 2018) counts once. Before 2023 times
    are whole days, so the order within a day is that of the file.
    """
    path = one_file(data.events, reader=data.reader, table="events")
    with path.open("rb") as file:
        head = file.readline().decode("utf-8", errors="replace").removeprefix("\ufeff").strip()
    remarks = []
    if head.startswith("{"):
        rows, rejected = _named(path, *read_jsonl_rows(path, "events"))
    elif _has_header(head):
        rows, rejected = _named(path, *read_csv_rows(path, "events"))
    else:
        names = _order(path)
        remarks.append(
            f"{path.name} has no header and is read as {', '.join(names)}: items are the column of "
            "ten-character codes"
        )
        rows, rejected = read_fields(
            path, "events", schema={name: _TYPES[name] for name in names}, separator=","
        )
    found = Counts(
        len(rows) + len(rejected), users=rows["user_id"].n_unique(), items=rows["item_id"].n_unique()
    )
    event_id = pl.concat_str(["user_id", "item_id", "timestamp"], separator="/").alias("event_id")
    frame = rows.with_columns(event_id, pl.lit("review").alias("event_type"))
    return RawTables(
        events=RawTable(name="events", where=str(path), frame=frame, rejected=rejected),
        items=read_amazon_metadata(one_file(data.items, reader=data.reader, table="items"))
        if data.items
        else None,
        remarks=(*remarks, compare_with_published(data.reader, path, found)),
    )


def _named(path: Path, rows: pl.DataFrame, rejected: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = named_columns(rows, path, _COLUMNS, optional=frozenset({"rating", "review_text"}))
    numbers = {name: dtype for name, dtype in _TYPES.items() if dtype != pl.String and name in rows.columns}
    rows, no_numbers = with_numbers(rows, "events", numbers)
    return rows, pl.concat([rejected, no_numbers])


def _has_header(line: str) -> bool:
    known = {name for names in _COLUMNS.values() for name in names}
    return len(known.intersection(field.strip().strip('"') for field in line.split(","))) >= 2


def _order(path: Path) -> tuple[str, str, str, str]:
    """user,item (2014) or item,user (2018): item codes have ten characters, user codes mostly 13 or 14."""
    first = read_lines(path, table="events")[0][TEXT].head(_FIRST_LINES).str.split(",")
    codes = [first.list.get(place, null_on_oob=True).str.len_chars() == 10 for place in (0, 1)]
    if codes[0].sum() > codes[1].sum():
        return ("item_id", "user_id", "rating", "timestamp")
    return ("user_id", "item_id", "rating", "timestamp")
