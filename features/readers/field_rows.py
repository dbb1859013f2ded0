"""Files without a header, whose lines have a fixed number of fields → typed rows, and the lines that are
none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from features.readers.raw_table import FILE, REJECTED_SCHEMA, ROW, RawTable, no_rejected, refuse
from features.readers.text_lines import TEXT, read_lines, refused_lines

Lines = Callable[..., tuple[pl.DataFrame, pl.DataFrame]]
"""(path, table=) → (lines with ROW and TEXT, refused rows): `read_lines` is one"""

_PACKED: Final = {
    b"\x1f\x8b": "is packed with gzip: unpack it first (`gunzip --keep {path}`), and give data.{table} the "
    "unpacked file",
    b"PK": "is a zip archive or a spreadsheet: unpack it first (`unzip {path}`), or save the spreadsheet as "
    "CSV (UTF-8), "
    "and give data.{table} that file",
}


def one_file(path: Path | None, *, source: str, table: str) -> Path:
    """The file of a published source; raises DataError where none is named, it is not there, or it is still
    packed."""
    if path is None:
        raise DataError(f"data.reader={source} needs the path of the {table}: set data.{table}=FILE.")
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
        raise DataError(f"{path}: is empty. Give data.{table} the file as it was published.")
    for magic, remedy in _PACKED.items():
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
    """(rows with the columns of `schema`, FILE and ROW; refused lines). A field that is to be a number has to
    be one.

    Blank lines are no rows. Fields are not quoted: a separator always separates.
    """
    lines, refused = lines_of(path, table=table)
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
    few_refused = refused_lines(few, path, table=table, reason="too few fields")
    many_refused = refused_lines(many, path, table=table, reason="too many fields")
    return rows, pl.concat([no_rejected(), refused, few_refused, many_refused, no_numbers])


def with_numbers(
    rows: pl.DataFrame, table: str, numbers: Mapping[str, type[pl.DataType]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows with these columns cast, rows with something in one of them that is no number). Null stays
    null."""
    cast = rows.select(pl.col(name).cast(dtype, strict=False) for name, dtype in numbers.items())
    finite = {name: cast[name].is_finite() for name, dtype in numbers.items() if dtype == pl.Float64}
    cast = cast.with_columns(
        cast[name].set(~good.fill_null(value=True), None) for name, good in finite.items()
    )
    words: dict[type[pl.DataType], str] = {pl.Int64: "a whole number", pl.Float64: "a number"}
    reasons = pl.Series("reason", [None] * len(rows), dtype=pl.String)
    for name, dtype in numbers.items():
        wrong = cast[name].is_null() & rows[name].is_not_null() & reasons.is_null()
        reasons = reasons.set(wrong, f"{name} is not {words[dtype]}")
    rejected = refuse(RawTable(name=table, where="", frame=rows, rejected=no_rejected()), reasons)
    return rows.with_columns(cast.get_columns()).filter(reasons.is_null()), rejected


def latin_lines(path: Path, *, table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`read_lines` for small files in ISO-8859-1, where they are not UTF-8: every byte is a letter in it."""
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
    """Our column → the first of the names it has in the published versions; raises DataError where a needed
    one has none.

    Columns that are not wanted are left out.
    """
    found = {
        our: next((name for name in names if name in frame.columns), None) for our, names in wanted.items()
    }
    missing = [our for our, name in found.items() if name is None and our not in optional]
    if missing:
        columns = ", ".join(name for name in frame.columns if name not in (FILE, ROW))
        raise DataError(
            f"{path}: no column {' or '.join(map(repr, wanted[missing[0]]))}, which holds the {missing[0]}. "
            "The columns found "
            f"are: {columns}. If this is not the published file, read it with data.reader=csv and "
            "data.event_columns."
        )
    return frame.select(*(pl.col(name).alias(our) for our, name in found.items() if name), FILE, ROW)
