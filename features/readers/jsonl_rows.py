"""JSON lines → rows, and the rejected lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from configs.exceptions import DataError
from features.core.json_text import replace_lone_surrogates
from features.readers.raw_table import FILE, ROW
from features.readers.text_lines import TEXT, UTF8, read_lines, rejected_lines


def read_jsonl_rows(path: Path, table: str, *, encoding: str = UTF8) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(one row a line, values as text, nested ones as JSON; the rejected lines). Blank lines are skipped, and
    the bare word NaN is a missing value."""
    lines, rejected = read_lines(path, table=table, encoding=encoding)
    lines = lines.filter(pl.col(TEXT).str.strip_chars() != "")
    parsed = [_parse(text) for text in lines[TEXT]]
    rows = [row for row in parsed if row is not None]
    if parsed and not rows:
        raise DataError(
            f"{path}: none of {len(parsed):,} lines is a JSON object; the file begins with "
            f"{lines[TEXT][0][:80]!r}."
        )
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [_text(row.get(name)) for row in rows] for name in names}
    good = pl.Series([row is not None for row in parsed], dtype=pl.Boolean)
    frame = lines.filter(good).select(ROW, pl.lit(path.name).alias(FILE))
    frame = frame.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in columns.items())
    return frame, pl.concat(
        [rejected, rejected_lines(lines.filter(~good), path, table=table, reason="not a JSON object")]
    )


def _parse(text: str) -> dict[str, Any] | None:
    try:
        row = json.loads(replace_lone_surrogates(text), parse_constant=_constant)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _constant(name: str) -> float | None:
    """pandas writes its missing value as the bare word NaN, which is no JSON."""
    return None if name == "NaN" else float(name)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
