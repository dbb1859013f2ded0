"""A prepared dataset becomes a run: encoders for every cut and their curves, which MLflow follows.

`report.py` makes the run's table, and `champion.py` the bundle that is served.
"""

from __future__ import annotations

import shutil

from configs.console import say
from configs.load import dump_config
from configs.schema import Config
from features.dataset import Dataset
from features.splits import LEAVE_ONE_OUT_WARNING, cuts
from training.fit_encoder import fit_encoders
from training.run_log import RunLog, environment
from training.tracking import require_tracking, sync


def train(config: Config) -> RunLog:
    """Train on `<workspace>/dataset`; returns the new run under `<workspace>/runs`. Needs no Polars, Ray, FAISS or MLflow."""
    dataset = Dataset.open(config.workspace / "dataset")
    timeline = cuts(dataset, config.split)
    if config.split.kind == "leave_one_out":
        say(LEAVE_ONE_OUT_WARNING)
    require_tracking(config)
    run = RunLog.create(config.workspace / "runs", name=config.name)
    (run.folder / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    report = config.workspace / "tables" / "report.json"
    if report.is_file():
        shutil.copyfile(report, run.folder / "prepare_report.json")
    run.update(status="running", dataset=dataset.fingerprint, seed=config.training.seed, **environment())
    say(f"run {run.folder}")
    try:
        fit_encoders(dataset, timeline, config=config, run=run, after_epoch=lambda: sync(run, config))
    except BaseException as error:
        run.update(status="failed", error=str(error) or type(error).__name__)
        sync(run, config)
        if isinstance(error, SystemExit):  # how Lightning passes Ctrl-C on
            raise KeyboardInterrupt from error
        raise
    run.update(status="finished")
    sync(run, config)
    return run
