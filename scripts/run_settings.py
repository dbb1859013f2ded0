"""The settings of a run against those of the command line.

A run is evaluated, exported and resumed with the settings that it was trained with. Other settings on the
command line are logged as ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import yaml

from configs.console import log
from configs.load import dump_config
from configs.schema import Config
from training.runs.flat_settings import flat
from training.runs.resumable_run import resumed_config
from training.runs.run import NOT_OF_A_RUN, SETTINGS_FILE, Run
from training.tracking.tracked_settings import without_login

MAX_SHOWN: Final = 10
"""Settings that the message names."""


def log_ignored_settings(config: Config, run: Run) -> None:
    """Log the settings of `config` that are ignored, since the run has others."""
    path = run.folder / SETTINGS_FILE
    if path.is_file():
        _log_ignored(
            _flat(dump_config(config)),
            _flat(path.read_text(encoding="utf-8")),
            run,
            remedy="Train anew to change them.",
        )


def settings_to_resume(config: Config, run: Run, *, overrides: Sequence[str], from_file: bool) -> Config:
    """The run's own settings with the overrides of `--set`. Raises ConfigError for one that may not change.

    With `from_file`, `config` comes from a `--config` file too, and its other settings are logged as ignored.
    """
    resumed = resumed_config(run, overrides, workspace=config.workspace)
    if from_file:
        _log_ignored(
            _flat(dump_config(config)),
            _flat(dump_config(resumed)),
            run,
            remedy="Only --set changes them, and not all.",
        )
    return resumed


def _log_ignored(ignored: dict[str, Any], used: dict[str, Any], run: Run, *, remedy: str) -> None:
    names = [
        name
        for name in {**used, **ignored}
        if name.partition(".")[0] not in NOT_OF_A_RUN and ignored.get(name) != used.get(name)
    ]
    if not names:
        return
    shown = ", ".join(
        f"{name}={_shown(name, used.get(name))} (not {_shown(name, ignored.get(name))})"
        for name in names[:MAX_SHOWN]
    )
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    log(f"note: the settings of the run {run.name} count: {shown}{more}. {remedy}")


def _shown(name: str, value: Any) -> Any:
    """The value as it may be printed: a tracking URI without its login."""
    return without_login(value) if name == "tracking.uri" and isinstance(value, str) else value


def _flat(text: str) -> dict[str, Any]:
    return flat(yaml.safe_load(text))
