"""Tables as CSV files that people open in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features.core.artefact import writing_file


def write_csv(table: pl.DataFrame, path: Path, *, float_precision: int | None = None) -> None:
    """Write a table, whole or not at all. Raises ArtefactError where the folder is not there."""
    with writing_file(path) as scratch:
        without_formulas(table).write_csv(
            scratch, datetime_format="%Y-%m-%dT%H:%M:%SZ", float_precision=float_precision
        )


def without_formulas(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts that a spreadsheet would take for a formula begin with an apostrophe: sources and ids of visitors
    may come from anybody's browser."""
    return rows.with_columns(pl.col(pl.String).str.replace(r"^([=+\-@\t\r])", "'${1}"))
