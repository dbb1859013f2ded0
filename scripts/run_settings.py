"""A run is judged and exported with the settings it was trained with: others on the command line are not passed over."""

from __future__ import annotations

import yaml

from configs.console import say
from configs.load import dump_config
from configs.schema import Config
from training.run_log import RunLog
from training.tracking import flat

SHOWN = 10


def remark_differences(config: Config, run: RunLog) -> None:
    """Say which settings of `config` do not count, since the run has others."""
    path = run.folder / "config.yaml"
    if not path.is_file():
        return
    ours, theirs = flat(yaml.safe_load(dump_config(config))), flat(yaml.safe_load(path.read_text(encoding="utf-8")))
    names = [name for name in {**theirs, **ours} if name != "workspace" and ours.get(name) != theirs.get(name)]
    if not names:
        return
    told = [f"{name}={theirs.get(name)} (not {ours.get(name)})" for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    say(f"note: the settings of the run {run.name} count: {', '.join(told)}{more}. Train anew to change them.")
