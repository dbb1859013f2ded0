"""The tables folder: valid events, items and users, the rejected rows, and the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from features.core.artefact import read_manifest, write_manifest, writing


@dataclass(frozen=True)
class Tables:
    """A tables folder, read lazily: `events` by time, one row an item and one row a user."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Tables:
        """Open a tables folder; raises ArtefactError when it is missing, incomplete or of another version."""
        return cls(folder=folder, manifest=read_manifest(folder, kind="tables"))

    @property
    def events(self) -> pl.LazyFrame:
        """The accepted events, unread."""
        return pl.scan_parquet(self.folder / "events.parquet")

    @property
    def items(self) -> pl.LazyFrame:
        """The catalogue, unread."""
        return pl.scan_parquet(self.folder / "items.parquet")

    @property
    def users(self) -> pl.LazyFrame:
        """The users, unread."""
        return pl.scan_parquet(self.folder / "users.parquet")

    @property
    def rejected(self) -> pl.LazyFrame:
        """The rejected rows with their reasons, unread."""
        return pl.scan_parquet(self.folder / "rejected.parquet")

    @property
    def fingerprint(self) -> str:
        """The hash of the tables, as their manifest has it."""
        return str(self.manifest["fingerprint"])

    @property
    def report(self) -> dict[str, Any]:
        """The figures that `shopkeeper prepare` reported: `Report.as_dict`."""
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return report


def write_tables(
    folder: Path,
    *,
    events: pl.DataFrame,
    items: pl.DataFrame,
    users: pl.DataFrame,
    rejected: pl.DataFrame,
    report: dict[str, Any],
    clock: str,
    currency: str | None,
    made_from: str,
    items_from_events: tuple[str, ...] = (),
) -> Tables:
    """Write the tables folder atomically. `made_from`: the reader; `items_from_events`:
    `RawTable.from_events`."""
    with writing(folder, kind="tables") as scratch:
        for name, frame in (("events", events), ("items", items), ("users", users), ("rejected", rejected)):
            as_text = frame.lazy().with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
            as_text.sink_parquet(
                scratch / f"{name}.parquet", compression="zstd", compression_level=1, statistics=False
            )
        (scratch / "report.json").write_text(
            json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        contents = {
            "num_events": len(events),
            "num_items": len(items),
            "num_users": len(users),
            "num_rejected": len(rejected),
            "clock": clock,
            "currency": currency,
            "items_from_events": list(items_from_events),
        }
        write_manifest(scratch, kind="tables", made_from=made_from, contents=contents)
    return Tables.open(folder)
