"""A text file as numbered lines; lines that are not UTF-8 are rejected one by one."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from configs.exceptions import DataError
from features.readers.raw_table import REJECTED_SCHEMA, ROW

TEXT = "text"


def read_lines(path: Path, *, table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(lines with ROW from 1 and TEXT, lines that are not UTF-8 as rejected rows). A byte order mark is
    removed.

    Raises DataError when the file cannot be opened, or is UTF-16.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            raise DataError(f"{path}: is a parquet file, not text: set data.reader=parquet.")
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path}: is UTF-16 text: save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`).")
        lines, broken = _read_utf8(path), no_lines()
    except pl.exceptions.ComputeError:
        lines, broken = _read_broken(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}).") from None
    text = pl.col(TEXT).str.strip_suffix("\r")
    first = pl.when(pl.col(ROW) == 1).then(text.str.strip_prefix("\ufeff")).otherwise(text)
    return lines.select(ROW, first.alias(TEXT)), rejected_lines(
        broken, path, table=table, reason="not UTF-8 text"
    )


def rejected_lines(lines: pl.DataFrame, path: Path, *, table: str, reason: str) -> pl.DataFrame:
    """Lines as rejected rows, all with one reason."""
    return lines.select(
        pl.lit(table).alias("table"),
        pl.lit(path.name).alias("file"),
        pl.col(ROW).cast(pl.Int64).alias("line"),
        pl.lit(reason).alias("reason"),
        pl.col(TEXT).alias("raw"),
    ).cast(pl.Schema(REJECTED_SCHEMA))


def no_lines() -> pl.DataFrame:
    """An empty table of lines."""
    return pl.DataFrame(schema={ROW: pl.Int64, TEXT: pl.String})


def _read_utf8(path: Path) -> pl.DataFrame:
    if path.stat().st_size == 0:
        return no_lines()
    return (
        pl.scan_lines(path, name=TEXT, row_index_name=ROW, row_index_offset=1, glob=False)
        .cast({ROW: pl.Int64})
        .collect()
    )


def _read_broken(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Slower, for files with invalid UTF-8: (valid lines, invalid lines with � for the invalid bytes)."""
    lines = path.read_bytes().split(b"\n")
    texts = [line.decode("utf-8", errors="replace") for line in lines]
    broken = [not _is_utf8(line) for line in lines]
    frame = pl.DataFrame(
        {ROW: range(1, len(lines) + 1), TEXT: texts}, schema={ROW: pl.Int64, TEXT: pl.String}
    )
    mask = pl.Series(broken)
    return frame.filter(~mask), frame.filter(mask)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
