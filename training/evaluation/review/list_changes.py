"""What changed between two runs: settings, and the items recommended to the most users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from training.evaluation.evaluation_record import MostShown
from training.runs.flat_settings import flat
from training.runs.run import NOT_OF_A_RUN, Run

NUM_MOST_SHOWN = 50
"""How many of the most shown items of each run are compared"""

_NOT_COMPARED = (*NOT_OF_A_RUN, "name", "tracking")
"""Sections that affect no figure; a tracking URI may also hold a login"""


@dataclass(frozen=True)
class SettingChange:
    """A setting that differs; None where a run's version does not know it."""

    name: str
    before: Any
    now: Any


@dataclass(frozen=True)
class ItemChange:
    """An item that is among the most shown items of only one of the two runs."""

    title: str
    num_users: int
    """Users with the item in their list, in that run"""


def setting_changes(before: Run, now: Run) -> list[SettingChange]:
    """Settings that differ, by name."""
    return [SettingChange(name, *values) for name, values in settings_of_runs([before, now]).items()]


def settings_of_runs(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Settings that are not the same in all runs: name → the value in each."""
    each = [_settings(run.folder) for run in runs]
    names = sorted({name for settings in each for name in settings})
    found = {name: [settings.get(name) for settings in each] for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}


def item_changes(
    before: Sequence[MostShown], now: Sequence[MostShown]
) -> tuple[list[ItemChange], list[ItemChange]]:
    """(entered, left): items among the most shown of one evaluation and not of the other."""
    theirs, ours = before[:NUM_MOST_SHOWN], now[:NUM_MOST_SHOWN]
    return _only_in(ours, theirs), _only_in(theirs, ours)


def _only_in(these: Sequence[MostShown], others: Sequence[MostShown]) -> list[ItemChange]:
    ids = {entry.id for entry in others}
    return [ItemChange(entry.title, entry.users) for entry in these if entry.id not in ids]


def _settings(folder: Path) -> dict[str, Any]:
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    return flat({name: value for name, value in settings.items() if name not in _NOT_COMPARED})
