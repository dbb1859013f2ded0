"""A text file as numbered lines; lines that are not text in its encoding are rejected one by one."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from features.readers.raw_table import REJECTED_SCHEMA, ROW

TEXT = "text"

UTF8: Final = "utf-8"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Stands for bytes that are not text in the encoding; no text has one."""
_MARK_INVALID: Final = "shopkeeper.mark_invalid"
codecs.register_error(_MARK_INVALID, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


def read_lines(path: Path, *, table: str, encoding: str = UTF8) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(lines with ROW from 1 and TEXT, lines that are not text in `encoding` as rejected rows).

    A file packed with gzip or zstd is unpacked on the way. A byte order mark is removed; that of UTF-8 counts
    for more than `encoding`. Raises DataError when the file cannot be opened, or is in UTF-16 and `encoding`
    does not say so.
    """
    try:
        head = _head(path)
        _check_kind(path, head, encoding)
        if head.startswith(codecs.BOM_UTF8):
            encoding = UTF8
        lines, broken = _read(path, encoding)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}).") from None
    text = pl.col(TEXT).str.strip_suffix("\r")
    first = pl.when(pl.col(ROW) == 1).then(text.str.strip_prefix("\ufeff")).otherwise(text)
    reason = not_text(encoding)
    return lines.select(ROW, first.alias(TEXT)), rejected_lines(broken, path, table=table, reason=reason)


def not_text(encoding: str) -> str:
    """Why a line is rejected that cannot be decoded."""
    return f"not {'UTF-8' if _is_utf8(encoding) else encoding} text"


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


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _head(path: Path) -> bytes:
    """The first four bytes; of a file packed with gzip, those of its text."""
    with path.open("rb") as file:
        head = file.read(4)
    if not head.startswith(_GZIP):
        return head
    with gzip.open(path) as text:
        return text.read(4)


def _check_kind(path: Path, head: bytes, encoding: str) -> None:
    """Raise DataError for a file that is known by its first bytes not to be text in `encoding`."""
    if head == b"PAR1":
        raise DataError(f"{path}: is a parquet file, not text: set data.reader=parquet.")
    if head.startswith(b"PK\x03\x04"):
        raise DataError(
            f"{path}: is a zip archive or a spreadsheet, not text: unpack it (`unzip {path}`), or save the "
            "spreadsheet as CSV (UTF-8)."
        )
    found = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(head[:2])
    if found is None and len(head) == 4 and b"\0" in head:  # ASCII text begins so without a byte order mark
        found = "utf-16-be" if head[0] == 0 else "utf-16-le"
    if found and not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        raise DataError(
            f"{path}: is UTF-16 text: set data.encoding={found}, or convert it to UTF-8 "
            f"(`iconv -f {found.upper()} -t UTF-8`)."
        )


def _read(path: Path, encoding: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(valid lines, invalid lines with � for the invalid bytes)"""
    with path.open("rb") as file:
        magic = file.read(4)
    if not magic:
        return no_lines(), no_lines()
    if _is_utf8(encoding):
        try:
            return _numbered(path), no_lines()
        except pl.exceptions.ComputeError:  # some bytes are not UTF-8
            encoding = UTF8
    if magic == _ZSTD:
        raise DataError(
            f"{path}: is packed with zstd, and its text is not UTF-8: unpack it (`zstd -d {path}`), and set "
            "data.encoding to its encoding, such as cp1252."
        )
    content = gzip.decompress(path.read_bytes()) if magic.startswith(_GZIP) else path.read_bytes()
    text = content.decode(encoding, errors=_MARK_INVALID)
    if not _LONE_SURROGATE.search(text):
        return _numbered(io.BytesIO(text.encode())) if text else no_lines(), no_lines()
    lines = text.split("\n")
    valid = pl.Series([_LONE_SURROGATE.search(line) is None for line in lines])
    frame = pl.DataFrame(
        {ROW: range(1, len(lines) + 1), TEXT: [_LONE_SURROGATE.sub("\ufffd", line) for line in lines]},
        schema={ROW: pl.Int64, TEXT: pl.String},
    )
    return frame.filter(valid), frame.filter(~valid)


def _numbered(source: Path | io.BytesIO) -> pl.DataFrame:
    """The lines of UTF-8 text, packed or not. Raises ComputeError where it is not UTF-8."""
    lines = pl.scan_lines(source, name=TEXT, row_index_name=ROW, row_index_offset=1, glob=False)
    return lines.cast({ROW: pl.Int64}).collect()
