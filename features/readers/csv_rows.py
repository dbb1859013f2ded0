"""CSV → rows of strings with their line numbers, and the rejected records with their reasons.

Records are separated before Polars parses them: its reader stops at a broken quote or at a line with too many
fields, or it drops rows silently.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from features.readers.raw_table import FILE, ROW, no_rejected, numbered
from features.readers.text_lines import TEXT, UTF8, no_lines, not_text, read_lines, rejected_lines

SEPARATORS: Final = ",;\t|"
"""The most frequent one in the header is the separator, unless the line before says (`sep=;`, for Excel)."""
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([!-~\t])"?', re.IGNORECASE)
MAX_RECORD_LINES: Final = 1000
"""A quoted field that runs over more lines than this counts as a quote that is never closed."""
_CHUNK: Final = 1_000_000


def read_csv_rows(path: Path, table: str, *, encoding: str = UTF8) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows, all strings, with FILE and ROW; rejected records). The first line is the header; blank lines are
    skipped. A column without a name is called `Unnamed: 0` by its place, as pandas does; columns that share
    a name are told apart by it: `note (column 3)`.

    Raises DataError for an empty file, or for a header that is not text in `encoding`.
    """
    lines, rejected = read_lines(path, table=table, encoding=encoding)
    lines = _from_first_text(lines)
    named = None if lines.is_empty() else _SEPARATOR_LINE.fullmatch(lines[TEXT][0].strip(" "))
    lines = _from_first_text(lines.slice(1)) if named else lines
    if len(rejected) and (lines.is_empty() or rejected["line"][0] < lines[ROW][0]):
        raise _wrong_encoding(path, int(rejected["line"][0]), encoding)
    if lines.is_empty():
        raise DataError(
            f"{path}: is empty. It needs a header line with the column names, then a line for each row."
        )
    separator = named[1] if named else max(SEPARATORS, key=lines[TEXT][0].count)
    names = _header(lines[TEXT][0], separator)
    records, unclosed = _records(lines.slice(1), num_fields=len(names), separator=separator)
    records = records.with_columns(_fields(separator).alias("fields"))
    good = records.filter(pl.col("fields") == len(names))
    reasons = {
        "a quote is never closed": unclosed,
        "a quote stands inside a field": records.filter(pl.col("fields").is_null()),
        "too few fields": records.filter(pl.col("fields") < len(names)),
        "too many fields": records.filter(pl.col("fields") > len(names)),
    }
    broken = [rejected_lines(rows, path, table=table, reason=reason) for reason, rows in reasons.items()]
    frame = _parse(path, good, names, separator).with_columns(
        pl.lit(path.name).alias(FILE), good[ROW].alias(ROW)
    )
    return frame, pl.concat([no_rejected(), rejected, *broken])


def _from_first_text(lines: pl.DataFrame) -> pl.DataFrame:
    while len(lines) and not lines[TEXT][0].strip():
        lines = lines.slice(1)
    return lines


def _wrong_encoding(path: Path, line: int, encoding: str) -> DataError:
    return DataError(
        f"{path}: the header (line {line}) is {not_text(encoding)}. Set data.encoding to the encoding of the "
        "file: spreadsheets in Western Europe save cp1252 (Windows-1252). Or save or convert it as UTF-8: "
        f"`iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8-{path.name}`."
    )


def _header(line: str, separator: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader([line], delimiter=separator))]
    names = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    return [
        numbered(name, place) if names.count(name) > 1 else name for place, name in enumerate(names, start=1)
    ]


def _records(lines: pl.DataFrame, *, num_fields: int, separator: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Join the lines of quoted fields that run over several: (records, lines with an unclosed quote)."""
    odd = (lines[TEXT].str.count_matches('"', literal=True) % 2 == 1).arg_true().to_list()
    if not odd:
        return lines.filter(pl.col(TEXT).str.strip_chars() != ""), no_lines()
    joined: dict[int, str] = {}
    inside: list[int] = []
    unclosed: list[int] = []
    position = 0
    while position < len(odd):
        start = odd[position]
        end = odd[position + 1] if position + 1 < len(odd) else None
        text = (
            "\n".join(lines[TEXT].slice(start, end - start + 1))
            if end is not None and end - start < MAX_RECORD_LINES
            else None
        )
        if (
            text is not None
            and end is not None
            and _is_record(text, num_fields=num_fields, separator=separator)
        ):
            joined[start] = text
            inside.extend(range(start + 1, end + 1))
            position += 2
        else:
            unclosed.append(start)
            position += 1
    lines = lines.with_row_index("at")
    whole = (
        pl.col("at").replace_strict(joined, default=pl.col(TEXT), return_dtype=pl.String)
        if joined
        else pl.col(TEXT)
    )
    left_out = pl.Series([*inside, *unclosed], dtype=pl.UInt32).implode()
    records = lines.with_columns(whole.alias(TEXT)).filter(
        ~pl.col("at").is_in(left_out), pl.col(TEXT).str.strip_chars() != ""
    )
    return records.drop("at"), lines.filter(
        pl.col("at").is_in(pl.Series(unclosed, dtype=pl.UInt32).implode())
    ).drop("at")


def _is_record(text: str, *, num_fields: int, separator: str) -> bool:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        return False
    return len(rows) == 1 and len(rows[0]) == num_fields


def _fields(separator: str) -> pl.Expr:
    """The number of fields of a record, or null where its quotes are malformed."""
    split = rf"\x{ord(separator):02x}"
    field = rf'(?:"(?:[^"]|"")*"|[^"{split}]*)'
    text = pl.col(TEXT)
    quoted = text.str.contains('"', literal=True)
    well_formed = text.str.contains(rf"^{field}(?:{split}{field})*$")
    unquoted = text.str.replace_all(r'"(?:[^"]|"")*"', "").str.count_matches(separator, literal=True) + 1
    return (
        pl.when(~quoted)
        .then(text.str.count_matches(separator, literal=True) + 1)
        .when(well_formed)
        .then(unquoted)
    )


def _parse(path: Path, records: pl.DataFrame, names: list[str], separator: str) -> pl.DataFrame:
    parts = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))]
    for chunk in records[TEXT].to_frame().iter_slices(_CHUNK):
        text = "\n".join(chunk[TEXT].to_list()) + "\n"
        rows = pl.read_csv(
            io.BytesIO(text.encode()),
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            separator=separator,
            infer_schema=False,
        )
        if len(rows) != len(chunk):
            raise AssertionError(f"{path}: {len(chunk)} records came out as {len(rows)} rows")
        parts.append(rows)
    return pl.concat(parts)
