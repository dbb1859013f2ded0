"""A folder of tables for people to read: parquet, README.txt and a manifest, whole or absent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from features.core.artefact import write_manifest, writing


def write_report(
    folder: Path,
    tables: Mapping[str, pl.DataFrame],
    *,
    kind: str,
    read_me: str,
    made_from: str,
    contents: dict[str, Any],
) -> None:
    """Write the folder atomically; each of the `tables` is a file of its name. Raises ArtefactError."""
    with writing(folder, kind=kind) as scratch:
        for name, table in tables.items():
            table.write_parquet(scratch / f"{name}.parquet", statistics=False)
        (scratch / "README.txt").write_text(read_me, encoding="utf-8")
        write_manifest(scratch, kind=kind, made_from=made_from, contents=contents)


def described(columns: Mapping[str, str], *, width: int = 20) -> list[str]:
    """A line for each column of a table."""
    return [f"  {name:<{width}}{meaning}" for name, meaning in columns.items()]
