"""Which run `shopkeeper train --resume` goes on with, and with which settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from configs.exceptions import ArtefactError, ConfigError
from configs.load import dump_config, load_config
from configs.schema import Config
from training.encoder.checkpoint import CHECKPOINT_FILE
from training.runs.flat_settings import flat
from training.runs.run import Run, run_named

MAY_CHANGE = (
    "training.learning_rate",
    "training.weight_decay",
    "training.precision",
    "training.device",
    "training.batch_tokens",
    "training.num_negatives",
    "training.max_epochs",
    "training.patience",
    "training.max_minutes",
    "training.checkpoint_minutes",
)
"""What a second try may need, and what neither the shape of the weights nor the data depends on; and all of
`tracking`."""


def run_to_resume(workspace: Path, name: str | None, *, evaluated: bool) -> Run:
    """The run of that name, or the newest that is not done. Raises ArtefactError when there is none.

    With `evaluated`, a run is done when it has its table too. An export's trial of the champion's settings is
    not taken up unless it is named.
    """
    if name is not None:
        run = run_named(workspace, name)
        if not _is_open(run, evaluated=evaluated):
            raise ArtefactError(f"--run {name}: this run is finished, so there is nothing to resume.")
        return run
    for folder in sorted((workspace / "runs").glob("*/"), reverse=True):
        run = Run(folder)
        if "refit_of" not in run.read() and _is_open(run, evaluated=evaluated):
            return run
    raise ArtefactError(
        f"{workspace / 'runs'}: no unfinished run here, so there is nothing to resume. Use `shopkeeper "
        "train`."
    )


def resumed_config(run: Run, overrides: Sequence[str], *, workspace: Path) -> Config:
    """The run's own settings with those changed that may change. Raises ConfigError for another."""
    path = run.folder / "config.yaml"
    config = load_config(path, overrides=overrides, workspace=workspace)
    before = load_config(path, workspace=workspace)
    refused = [
        name
        for name in changed_settings(before, config)
        if name not in MAY_CHANGE and not name.startswith("tracking.")
    ]
    if refused:
        ours, theirs = _flat(config), _flat(before)
        told = ", ".join(f"{name}={ours.get(name)} (the run has {theirs.get(name)})" for name in refused)
        raise ConfigError(
            f"--set {told}: a run that goes on keeps its settings. Those that may change: "
            f"{', '.join(MAY_CHANGE)}, tracking.*. "
            "Train anew, without --resume, to change others."
        )
    return config


def changed_settings(before: Config, after: Config) -> list[str]:
    """Names of the settings that differ, the workspace aside."""
    old, new = _flat(before), _flat(after)
    return [name for name in {**old, **new} if name != "workspace" and old.get(name) != new.get(name)]


def way_on(run: Run) -> str:
    """What a user is told whose training stopped early."""
    path = run.folder / CHECKPOINT_FILE
    kept = f"The last good checkpoint is kept: {path}. " if path.is_file() else ""
    return (
        f"{kept}Go on with `shopkeeper train --resume` (with the same --out); --set may change "
        "training.learning_rate, "
        "training.batch_tokens and others."
    )


def _is_open(run: Run, *, evaluated: bool) -> bool:
    entries = run.read()
    done = entries.get("status") == "finished" and ("evaluation" in entries or not evaluated)
    return (run.folder / "config.yaml").is_file() and not done


def _flat(config: Config) -> dict[str, Any]:
    return flat(yaml.safe_load(dump_config(config)))
