"""Lines with a fixed number of fields and no header → typed rows, and the rejected lines.

Also what the readers of published files share: finding the file and its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from features.readers.raw_table import (
    FILE,
    REJECTED_SCHEMA,
    ROW,
    RawTable,
    columns_found,
    no_rejected,
    rejected_rows,
)
from features.readers.text_lines import TEXT, read_lines, rejected_lines

Lines = Callable[..., tuple[pl.DataFrame, pl.DataFrame]]
"""(path, table=) → (lines with ROW and TEXT, rejected rows), such as `read_lines`."""

_COMPRESSED: Final = {
    b"\x1f\x8b": "is compressed with gzip: unpack it first (`gunzip --keep {path}`), and give data.{table} "
    "the unpacked file",
    b"PK": "is a zip archive or a spreadsheet: unpack it first (`unzip {path}`), or save the spreadsheet as "
    "CSV (UTF-8), and give data.{table} that file",
}


def one_file(path: Path | None, *, reader: str, table: str) -> Path:
    """The path of a published file. Raises DataError when it is not set, missing, empty or compressed."""
    if path is None:
        raise DataError(f"data.reader={reader} needs the path of the {table}: set data.{table}=FILE.")
    if path.is_dir():
        raise DataError(f"{path}: is a folder. Give data.{table} the file in it that holds the {table}.")
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file (data.{table}, looked for from {Path.cwd()}).") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}).") from None
    if not head:
        raise DataError(f"{path}: is empty. Give data.{table} the published file.")
    for magic, remedy in _COMPRESSED.items():
        if head.startswith(magic):
            raise DataError(f"{path}: {remedy.format(path=path, table=table)}.")
    return path


def read_fields(
    path: Path,
    table: str,
    *,
    schema: Mapping[str, type[pl.DataType]],
    separator: str,
    lines_of: Lines = read_lines,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows with the columns of `schema`, FILE and ROW; rejected lines).

    A line with a number field that is not a number is rejected. Blank lines are skipped. Fields have no
    quotes: a separator always ends a field.
    """
    lines, rejected = lines_of(path, table=table)
    lines = lines.filter(pl.col(TEXT).str.strip_chars() != "")
    count = lines[TEXT].str.count_matches(separator, literal=True) + 1
    few, many = lines.filter(count < len(schema)), lines.filter(count > len(schema))
    names = list(schema)
    fields = pl.col(TEXT).str.split_exact(separator, len(names) - 1).struct.rename_fields(names)
    good = lines.filter(count == len(schema))
    rows = (
        good.select(fields.alias("fields"), ROW).unnest("fields").with_columns(pl.lit(path.name).alias(FILE))
    )
    rows, no_numbers = with_numbers(
        rows, table, {name: dtype for name, dtype in schema.items() if dtype != pl.String}
    )
    few_rejected = rejected_lines(few, path, table=table, reason="too few fields")
    many_rejected = rejected_lines(many, path, table=table, reason="too many fields")
    return rows, pl.concat([no_rejected(), rejected, few_rejected, many_rejected, no_numbers])


def with_numbers(
    rows: pl.DataFrame, table: str, numbers: Mapping[str, type[pl.DataType]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows with the columns `numbers` cast, rejected rows with a value that is not a number). Null stays
    null."""
    cast = rows.select(
        _whole(rows[name]) if dtype == pl.Int64 else rows[name].cast(dtype, strict=False)
        for name, dtype in numbers.items()
    )
    finite = {name: cast[name].is_finite() for name, dtype in numbers.items() if dtype == pl.Float64}
    cast = cast.with_columns(
        cast[name].set(~good.fill_null(value=True), None) for name, good in finite.items()
    )
    names: dict[type[pl.DataType], str] = {pl.Int64: "a whole number", pl.Float64: "a number"}
    reasons = pl.Series("reason", [None] * len(rows), dtype=pl.String)
    for name, dtype in numbers.items():
        wrong = cast[name].is_null() & rows[name].is_not_null() & reasons.is_null()
        reasons = reasons.set(wrong, f"{name} is not {names[dtype]}")
    rejected = rejected_rows(RawTable(name=table, where="", frame=rows, rejected=no_rejected()), reasons)
    return rows.with_columns(cast.get_columns()).filter(reasons.is_null()), rejected


def _whole(values: pl.Series) -> pl.Series:
    """Whole numbers, also those that are written as 12.0; null where a value is none."""
    if values.dtype.is_integer():
        return values.cast(pl.Int64, strict=False)
    numbers = values.cast(pl.Float64, strict=False)
    usable = (numbers == numbers.floor()) & (numbers.abs() < 2**53)
    return numbers.set(~usable.fill_null(value=False), None).cast(pl.Int64)


def read_latin1_lines(path: Path, *, table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`read_lines` for small files that are UTF-8 or else ISO-8859-1, in which every byte is valid."""
    text = path.read_bytes()
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        decoded = text.decode("iso-8859-1")
    lines = [line.removesuffix("\r") for line in decoded.removesuffix("\n").split("\n")]
    frame = pl.DataFrame(
        {ROW: range(1, len(lines) + 1), TEXT: lines}, schema={ROW: pl.Int64, TEXT: pl.String}
    )
    return frame, pl.DataFrame(schema=REJECTED_SCHEMA)


def named_columns(
    frame: pl.DataFrame, path: Path, wanted: Mapping[str, tuple[str, ...]], *, optional: frozenset[str]
) -> pl.DataFrame:
    """Rename each column to ours and leave the others out. `wanted`: our column → its names in the published
    versions.

    The first name that is found counts. Raises DataError when a column that is not `optional` is not found.
    """
    found = {
        our: next((name for name in names if name in frame.columns), None) for our, names in wanted.items()
    }
    missing = [our for our, name in found.items() if name is None and our not in optional]
    if missing:
        raise DataError(
            f"{path}: no column {' or '.join(map(repr, wanted[missing[0]]))} with the {missing[0]}. "
            f"{columns_found(frame.columns)} If this is not the published file, read it with data.reader=csv "
            "and data.event_columns."
        )
    return frame.select(*(pl.col(name).alias(our) for our, name in found.items() if name), FILE, ROW)
