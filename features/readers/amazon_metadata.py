"""Items of the Amazon reviews: JSON lines (2018, 2023), Python literals (2014), or CSV with a header."""

from __future__ import annotations

import ast
import html
import json
import re
from pathlib import Path
from typing import Any, Final

import polars as pl

from configs.exceptions import DataError
from features.core.json_text import replace_lone_surrogates
from features.readers.csv_rows import read_csv_rows
from features.readers.field_rows import named_columns
from features.readers.raw_table import FILE, ROW, RawTable
from features.readers.text_lines import TEXT, read_lines, rejected_lines

_COLUMNS: Final = {
    "id": ("item_id", "parent_asin", "asin"),
    "title": ("title",),
    "product_type": ("category_paths", "categories", "category"),
    "brand": ("brand", "store"),
    "price": ("price",),
}
_PRICE: Final = re.compile(r"^\s*\$?\s*(\d[\d,]*(?:\.\d+)?)\s*$")


def read_amazon_metadata(path: Path) -> RawTable:
    """Items with title, product_type, brand and price in dollars, as far as the version has them.

    product_type is the first category path. A price that is not a number (a range, HTML) becomes null.
    """
    with path.open("rb") as file:
        is_lines = file.readline().removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    if is_lines:
        rows, rejected = _lines(path)
    else:
        rows, rejected = read_csv_rows(path, "items")
        rows = named_columns(rows, path, _COLUMNS, optional=frozenset(_COLUMNS) - {"id"})
    frame = rows.with_columns(
        *(
            pl.col(name).map_elements(html.unescape, return_dtype=pl.String)
            for name in ("title", "brand")
            if name in rows.columns
        ),
        *(
            [pl.col("product_type").map_elements(_first_path, return_dtype=pl.String)]
            if "product_type" in rows.columns
            else []
        ),
        *([pl.col("price").map_elements(_price, return_dtype=pl.Float64)] if "price" in rows.columns else []),
        pl.lit("USD").alias("currency"),
    )
    return RawTable(name="items", where=str(path), frame=frame, rejected=rejected)


def _lines(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    lines, rejected = read_lines(path, table="items")
    lines = lines.filter(pl.col(TEXT).str.strip_chars() != "")
    parsed = [_record(text) for text in lines[TEXT]]
    good = pl.Series([record is not None for record in parsed], dtype=pl.Boolean)
    rows = [_values(record) for record in parsed if record is not None]
    if not rows:
        raise DataError(
            f"{path}: none of {len(lines):,} lines is an item; the file begins with {lines[TEXT][0][:80]!r}."
        )
    frame = pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.String))
    frame = frame.with_columns(pl.lit(path.name).alias(FILE), lines[ROW].filter(good).alias(ROW))
    broken = rejected_lines(
        lines.filter(~good), path, table="items", reason="neither a JSON object nor a Python literal of one"
    )
    return frame, pl.concat([rejected, broken])


def _record(text: str) -> dict[str, Any] | None:
    """A JSON object, or the repr of a dict (2014), which is parsed as a literal: no code is ever run."""
    text = replace_lone_surrogates(text)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        try:
            record = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    return record if isinstance(record, dict) else None


def _values(record: dict[str, Any]) -> dict[str, str | None]:
    found = {
        our: next((record[name] for name in names if record.get(name)), None)
        for our, names in _COLUMNS.items()
    }
    path = found.pop("product_type")
    return {
        **{our: None if value is None else str(value) for our, value in found.items()},
        "product_type": " > ".join(map(str, _flat(path))) or None,
    }


def _flat(path: Any) -> list[Any]:
    """['Beauty', 'Makeup'] (2018, 2023), or the first of [['Beauty', 'Makeup'], …] (2014)."""
    if isinstance(path, list) and path and isinstance(path[0], list):
        return path[0]
    return path if isinstance(path, list) else [path] if path else []


def _first_path(text: str) -> str | None:
    return html.unescape(text.split("||")[0]).strip() or None


def _price(text: str) -> float | None:
    match = _PRICE.match(text)
    return float(match[1].replace(",", "")) if match else None
