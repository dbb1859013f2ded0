"""What moved between two runs: settings, and which items stand in most lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from training.runs.run import Run
from training.runs.tracking import flat

NUM_COMPARED = 50
"""Items that stand in most lists, of each run"""

_NOT_COMPARED = ("workspace", "name", "tracking")
"""What is no part of the question or the answer; a tracking URI may hold a login"""


@dataclass(frozen=True)
class SettingMoved:
    """A setting that differs; None where a run's version does not know it."""

    name: str
    before: Any
    now: Any


@dataclass(frozen=True)
class ItemMoved:
    """An item that only one of the two runs shows often."""

    title: str
    num_users: int
    """Users with the item in their list, in the run that shows it"""


def settings_moved(before: Run, now: Run) -> list[SettingMoved]:
    """Settings that differ, by name."""
    return [SettingMoved(name, *values) for name, values in settings_of_runs([before, now]).items()]


def settings_of_runs(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Settings that are not the same in all runs: name → the value in each."""
    each = [_settings(run.folder) for run in runs]
    names = sorted({name for settings in each for name in settings})
    found = {name: [settings.get(name) for settings in each] for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}


def items_moved(before: dict[str, Any], now: dict[str, Any]) -> tuple[list[ItemMoved], list[ItemMoved]]:
    """(entered, left): among the items that stand in most lists, those that one `evaluation.json` has and the
    other lacks."""
    theirs, ours = (summary.get("most_shown", [])[:NUM_COMPARED] for summary in (before, now))
    return _lacking(ours, theirs), _lacking(theirs, ours)


def _lacking(these: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[ItemMoved]:
    there = {entry["id"] for entry in others}
    return [ItemMoved(entry["title"], entry["users"]) for entry in these if entry["id"] not in there]


def _settings(folder: Path) -> dict[str, Any]:
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    return flat({name: value for name, value in settings.items() if name not in _NOT_COMPARED})
