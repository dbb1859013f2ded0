"""Customers by life stage, value tier, level and group, and how they moved: from the folder `customers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from features.core.artefact import MANIFEST, other_version, read_manifest
from features.customers.customer_tables import KIND
from features.customers.life_stage import STAGES
from features.report.empty import Empty

KINDS: Final = ("life stage", "value tier", "level", "tag", "group")
NUM_MOVES: Final = 8
"""Of a kind, the largest"""


@dataclass(frozen=True)
class Segment:
    """People who have something in common."""

    name: str
    """Of a group, `NUMBER: what sets it apart`"""
    condition: str
    people: int
    share: float
    revenue: float | None
    revenue_share: float | None
    average_order: float | None


@dataclass(frozen=True)
class Move:
    """People who were in one stage or group, and are in another."""

    before: str
    now: str
    people: int
    share: float


@dataclass(frozen=True)
class CustomerFigures:
    """What `shopkeeper segments` found."""

    as_of: datetime
    num_people: int
    segments: dict[str, list[Segment]]
    """Kind of `KINDS` → those with enough people, in their order"""
    missing: dict[str, list[str]]
    """Kind → names of those with nobody, or too few people to be shown"""
    moves: dict[str, list[Move]]
    """Kind → the largest moves"""
    moves_since: datetime | None
    is_old: bool
    """Whether the tables were prepared anew since"""


def customer_figures(workspace: Path, *, made_from: str, min_people: int) -> CustomerFigures | Empty:
    """Of a workspace whose tables have the fingerprint `made_from`. Raises ArtefactError for a folder that is
    damaged."""
    folder = workspace / "customers"
    if not (folder / MANIFEST).is_file():
        return Empty("no_customers")
    manifest = read_manifest(folder, kind=KIND)
    try:
        table, moved = (pl.read_parquet(folder / f"{name}.parquet") for name in ("segments", "moves"))
        table = table.filter(pl.col("people") >= min_people)
        if table.is_empty():
            return Empty("few_customers", {"people": min_people})
        earlier, everybody = manifest["earlier"], table.filter(pl.col("kind") == "all")
        segments = {kind: _segments(table, kind) for kind in KINDS}
        return CustomerFigures(
            as_of=datetime.fromisoformat(manifest["state"]["as_of"]),
            num_people=int(everybody["people"].sum()),
            segments=segments,
            missing=_missing(segments, manifest["settings"], has_prices=everybody["revenue"].count() > 0),
            moves={kind: _moves(moved, kind, min_people=min_people) for kind in ("life stage", "group")},
            moves_since=None if earlier is None else datetime.fromisoformat(earlier["as_of"]),
            is_old=manifest["made_from"] != made_from,
        )
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise other_version(folder, kind=KIND, error=error) from None


def _missing(
    segments: Mapping[str, list[Segment]], rules: Mapping[str, Any], *, has_prices: bool
) -> dict[str, list[str]]:
    """Kind → the names of its rules that are not among the segments. Without prices there are no tiers."""
    wanted = {
        "life stage": STAGES,
        "value tier": rules["value_tiers"] if has_prices else (),
        "level": rules["levels"],
        "tag": rules["tags"],
    }
    shown = {kind: {one.name for one in segments[kind]} for kind in KINDS}
    return {kind: [name for name in names if name not in shown[kind]] for kind, names in wanted.items()}


def _segments(table: pl.DataFrame, kind: str) -> list[Segment]:
    rows = table.filter(pl.col("kind") == kind).select(
        "name", "condition", "people", "share", "revenue", "revenue_share", "average_order"
    )
    found = [Segment(*row) for row in rows.iter_rows()]
    return sorted(found, key=lambda one: -one.people) if kind == "group" else found


def _moves(table: pl.DataFrame, kind: str, *, min_people: int) -> list[Move]:
    moved = table.filter(
        (pl.col("kind") == kind) & (pl.col("before") != pl.col("now")) & (pl.col("people") >= min_people)
    )
    largest = moved.sort("people", "before", "now", descending=[True, False, False]).head(NUM_MOVES)
    return [Move(*row) for row in largest.select("before", "now", "people", "share").iter_rows()]
