"""Which run `shopkeeper train --resume` continues, and which of its settings may change.

This is the choice of a run alone. How an unfinished fit of that run continues from its checkpoint is in
`training/encoder/checkpointing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from configs.exceptions import ArtefactError, ConfigError
from configs.load import dump_config, load_config
from configs.schema import Config
from training.runs.flat_settings import flat
from training.runs.run import CHECKPOINT_FILE, NOT_OF_A_RUN, SETTINGS_FILE, Run, run_named

CHANGEABLE: Final = (
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
"""Settings, beside those of `tracking`, that neither the shape of the weights nor the data depends on."""


def run_to_resume(workspace: Path, name: str | None, *, evaluated: bool) -> Run:
    """The run of that name, or the newest unfinished one. Raises ArtefactError when there is none.

    With `evaluated`, a run without an evaluation is unfinished too. A refit of a champion's settings is
    continued only by name.
    """
    if name is not None:
        run = run_named(workspace, name)
        if not _is_unfinished(run, evaluated=evaluated):
            raise ArtefactError(f"--run {name}: this run is finished, so there is nothing to resume.")
        return run
    for folder in sorted((workspace / "runs").glob("*/"), reverse=True):
        run = Run(folder)
        if run.read().refit_of is None and _is_unfinished(run, evaluated=evaluated):
            return run
    raise ArtefactError(
        f"{workspace / 'runs'}: no unfinished run here, so there is nothing to resume. Use `shopkeeper "
        "train`."
    )


def resumed_config(run: Run, overrides: Sequence[str], *, workspace: Path) -> Config:
    """The run's own settings with these overrides. Raises ConfigError for one that may not change."""
    path = run.folder / SETTINGS_FILE
    config = load_config(path, overrides=overrides, workspace=workspace)
    before = load_config(path, workspace=workspace)
    refused = [
        name
        for name in changed_settings(before, config)
        if name not in CHANGEABLE and not name.startswith("tracking.")
    ]
    if refused:
        ours, theirs = _flat(config), _flat(before)
        told = ", ".join(f"{name}={ours.get(name)} (the run has {theirs.get(name)})" for name in refused)
        raise ConfigError(
            f"--set {told}: a resumed run keeps its settings. Those that may change: "
            f"{', '.join(CHANGEABLE)}, tracking.*. "
            "Train anew, without --resume, to change others."
        )
    return config


def changed_settings(before: Config, after: Config) -> list[str]:
    """Names of the settings that differ, those of the moment aside."""
    old, new = _flat(before), _flat(after)
    return [
        name
        for name in {**old, **new}
        if name.partition(".")[0] not in NOT_OF_A_RUN and old.get(name) != new.get(name)
    ]


def resume_hint(run: Run) -> str:
    """The message for a user whose training stopped early."""
    path = run.folder / CHECKPOINT_FILE
    kept = f"The last good checkpoint is kept: {path}. " if path.is_file() else ""
    return (
        f"{kept}Continue with `shopkeeper train --resume` (with the same --out); --set may change "
        "training.learning_rate, training.batch_tokens and others."
    )


def _is_unfinished(run: Run, *, evaluated: bool) -> bool:
    record = run.read()
    is_done = record.status == "finished" and (bool(record.evaluation) or not evaluated)
    return (run.folder / SETTINGS_FILE).is_file() and not is_done


def _flat(config: Config) -> dict[str, Any]:
    return flat(yaml.safe_load(dump_config(config)))
