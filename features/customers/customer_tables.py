"""The folder `customers` of a workspace, whole or absent: what the last run computed, and as of when.

profiles.parquet   one row a customer: `profile_columns`
segments.parquet   one row a segment: `segments.SEGMENTS_SCHEMA`
groups.parquet     one row a group of customers who buy alike: `groups.GROUPS_SCHEMA`
moves.parquet      how people moved since `earlier.parquet`: `moves.MOVES_SCHEMA`
earlier.parquet    stage and group of each customer as of an earlier run: `moves.STATE`
README.txt         what the tables hold, in words
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from features.core.artefact import MANIFEST, other_version, read_manifest, write_manifest, writing
from features.customers.groups import LastGroups
from features.customers.moves import STATE
from features.customers.profile_columns import USER

KIND: Final = "customers"
TABLES: Final = ("profiles", "segments", "groups", "moves", "earlier")


@dataclass(frozen=True)
class State:
    """Where everybody was at a moment."""

    as_of: datetime
    people: pl.DataFrame
    """The columns `STATE`"""
    stage_rules: Mapping[str, Any]
    """The settings that made the life stages: `remarks.stage_rules`"""


@dataclass(frozen=True)
class LastRun:
    """What a run needs of the last one."""

    state: State
    earlier: State | None
    """The state that its moves were counted from"""
    groups: pl.DataFrame

    @classmethod
    def open(cls, folder: Path) -> LastRun | None:
        """None where there was none. Raises ArtefactError for a folder that is damaged or something else."""
        if not (folder / MANIFEST).is_file():
            return None
        manifest = read_manifest(folder, kind=KIND)
        try:
            state, earlier = manifest["state"], manifest["earlier"]
            people = pl.read_parquet(folder / "profiles.parquet", columns=list(STATE))
            before = pl.read_parquet(folder / "earlier.parquet")
            return cls(
                state=State(datetime.fromisoformat(state["as_of"]), people, state["stage_rules"]),
                earlier=None
                if earlier is None
                else State(datetime.fromisoformat(earlier["as_of"]), before, earlier["stage_rules"]),
                groups=pl.read_parquet(folder / "groups.parquet"),
            )
        except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise other_version(folder, kind=KIND, error=error) from None

    def last_groups(self) -> LastGroups:
        """What groups start from."""
        return LastGroups(table=self.groups, people=self.state.people.select(USER, "group"))

    def state_before(self, as_of: datetime) -> State | None:
        """The state that moves are counted from: the last run's, or the one before it where the last one is
        of the same moment; None where there is none."""
        if self.state.as_of < as_of:
            return self.state
        return self.earlier if self.state.as_of == as_of else None


def no_state() -> pl.DataFrame:
    """A state without anybody."""
    return pl.DataFrame(
        schema={USER: pl.String, "life_stage": pl.String, "group": pl.Int64, "group_name": pl.String}
    )


def write_customers(
    folder: Path,
    tables: Mapping[str, pl.DataFrame],
    *,
    read_me: str,
    made_from: str,
    contents: dict[str, Any],
) -> None:
    """Write the folder atomically. `tables`: those of `TABLES`. Raises ArtefactError."""
    with writing(folder, kind=KIND) as scratch:
        for name in TABLES:
            tables[name].write_parquet(scratch / f"{name}.parquet", statistics=False)
        (scratch / "README.txt").write_text(read_me, encoding="utf-8")

        write_manifest(scratch, kind=KIND, made_from=made_from, contents=contents)
