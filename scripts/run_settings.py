"""A run is judged, exported and resumed by the settings it was trained with: others on the command line are
not passed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from configs.console import log
from configs.load import dump_config
from configs.schema import Config
from training.runs.flat_settings import flat
from training.runs.resume import resumed_config
from training.runs.run import Run
from training.runs.tracked_settings import without_login

SHOWN = 10


def remark_differences(config: Config, run: Run) -> None:
    """Say which settings of `config` do not count, since the run has others."""
    path = run.folder / "config.yaml"
    if path.is_file():
        _remark(
            _flat(dump_config(config)),
            _flat(path.read_text(encoding="utf-8")),
            run,
            remedy="Train anew to change them.",
        )


def settings_to_resume(config: Config, run: Run, *, overrides: Sequence[str], from_file: bool) -> Config:
    """The run's own settings, with what --set may change; what a --config file says otherwise does not count,
    and is said."""
    resumed = resumed_config(run, overrides, workspace=config.workspace)
    if from_file:
        _remark(
            _flat(dump_config(config)),
            _flat(dump_config(resumed)),
            run,
            remedy="Only --set changes them, and not all.",
        )
    return resumed


def _remark(ours: dict[str, Any], theirs: dict[str, Any], run: Run, *, remedy: str) -> None:
    names = [
        name for name in {**theirs, **ours} if name != "workspace" and ours.get(name) != theirs.get(name)
    ]
    if not names:
        return
    shown = [
        (name, *(_shown(name, settings.get(name)) for settings in (theirs, ours))) for name in names[:SHOWN]
    ]
    told = [f"{name}={their_value} (not {our_value})" for name, their_value, our_value in shown]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    log(f"note: the settings of the run {run.name} count: {', '.join(told)}{more}. {remedy}")


def _shown(name: str, value: Any) -> Any:
    """The value as it may be printed: a tracking URI without its login."""
    return without_login(value) if name == "tracking.uri" and isinstance(value, str) else value


def _flat(text: str) -> dict[str, Any]:
    return flat(yaml.safe_load(text))
