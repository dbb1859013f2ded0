"""Text files of research papers: lines of `user item` in time order (SASRec), or of a user and their items
(LightGCN, S3-Rec).

They have no times: the order of the file is used, so `data.clock` is `ordinal`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.readers.field_rows import one_file
from features.readers.published_counts import Counts, compare_with_published
from features.readers.published_split import join_published_split
from features.readers.raw_table import FILE, ROW, RawTable, RawTables
from features.readers.text_lines import TEXT, read_lines, rejected_lines

_LAYOUTS: Final = {
    "line_an_event": "one event per line (`user item`)",
    "line_a_user": "one user per line (`user item item …`)",
}
_NUMBERS: Final = r"^\d+(?:\s+\d+)*$"


def read_session_text(data: DataConfig) -> RawTables:
    """Events of `data.event_type` (default: purchase), in the order of the file; with `data.test_events`, see
    `published_split.py`.

    The layout is detected, unless `data.layout` sets it; the report says which was used. Where most lines
    have only whole numbers, as in the published files, other lines (a header, a comment) are rejected.
    """
    path = one_file(data.events, reader=data.reader, table="events")
    events, remarks = _read_file(path, data)
    if data.test_events is None:
        return RawTables(events=events, remarks=remarks)
    beside = path.with_name(data.test_events.name)
    test_events = beside if beside.is_file() and not data.test_events.is_file() else data.test_events
    test, of_test = _read_file(one_file(test_events, reader=data.reader, table="test_events"), data)
    return RawTables(events=join_published_split(events, test), remarks=(*remarks, *of_test))


def _read_file(path: Path, data: DataConfig) -> tuple[RawTable, tuple[str, str]]:
    """(the events, remarks for the report)"""
    lines, rejected = read_lines(path, table="events")
    lines = lines.with_columns(pl.col(TEXT).str.strip_chars()).filter(pl.col(TEXT) != "")
    layout = data.layout or detect_layout(lines)
    reasons = lines.select(_reason(layout, numbers_alone=_are_numbers(lines))).to_series()
    fields = lines.filter(reasons.is_null()).select(ROW, pl.col(TEXT).str.extract_all(r"\S+").alias("fields"))
    events = (
        fields.select(
            pl.col("fields").list.first().alias("user_id"),
            pl.col("fields").list.slice(1).alias("item_id"),
            ROW,
        )
        .explode("item_id")
        .with_columns(pl.lit("purchase").alias("event_type"), pl.lit(path.name).alias(FILE))
    )
    broken = [
        rejected_lines(lines.filter(reasons == reason), path, table="events", reason=reason)
        for reason in reasons.drop_nulls().unique(maintain_order=True)
    ]
    counts = Counts(len(events), users=events["user_id"].n_unique(), items=events["item_id"].n_unique())
    why = "set by data.layout" if data.layout else "detected (data.layout can set it)"
    remarks = (
        f"{path.name} is read as {_LAYOUTS[layout]}: {why}",
        compare_with_published(data.reader, path, counts),
    )
    return RawTable(
        name="events", where=str(path), frame=events, rejected=pl.concat([rejected, *broken])
    ), remarks


def detect_layout(lines: pl.DataFrame) -> str:
    """`line_an_event` when most lines have two fields and users have several such lines; else `line_a_user`.

    With `line_a_user` each user has one line. When most users have a single item, both layouts read those
    lines alike.
    """
    fields = pl.col(TEXT).str.count_matches(r"\S+")
    pairs = lines.select(TEXT, fields.alias("fields")).filter(pl.col("fields") == 2)
    users = pairs[TEXT].str.extract(r"^(\S+)").n_unique()
    return "line_an_event" if 2 * len(pairs) > len(lines) and users < len(pairs) else "line_a_user"


def _are_numbers(lines: pl.DataFrame) -> bool:
    return bool(2 * lines[TEXT].str.contains(_NUMBERS).sum() > len(lines))


def _reason(layout: str, *, numbers_alone: bool) -> pl.Expr:
    fields = pl.col(TEXT).str.count_matches(r"\S+")
    rules = {
        "an id is not a whole number, as those of the other lines are": ~pl.col(TEXT).str.contains(_NUMBERS)
        if numbers_alone
        else pl.lit(value=False),
        "too few fields": fields < 2,
        "too many fields": (fields > 2) if layout == "line_an_event" else pl.lit(value=False),
    }
    return pl.coalesce([pl.when(broken).then(pl.lit(words)) for words, broken in rules.items()])
