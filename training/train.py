"""Trains a run: the encoders for every split point, from a prepared dataset."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from configs.console import log
from configs.exceptions import ArtefactError, TrainingError
from configs.schema import Config
from features.core.artefact import writing_file
from features.dataset import Dataset
from features.splits import LEAVE_ONE_OUT_WARNING, split_points
from training.encoder.fit import fit_encoders
from training.runs.environment import environment
from training.runs.record import Resumption
from training.runs.resumable_run import changed_settings, resume_hint
from training.runs.run import (
    DATASET_FILES,
    Run,
    require_same_dataset,
    settings_of,
    write_json,
    write_settings,
)
from training.tracking.client import require_tracking
from training.tracking.mlflow_sync import SyncAfterEpochs, sync


def train(
    config: Config, *, resume: Run | None = None, started: Callable[[Run], None] | None = None, **origin: Any
) -> Run:
    """Train on `<workspace>/dataset` and return the new run under `<workspace>/runs`.

    With `resume`, continue that run from its last checkpoint. `origin` are entries of the run's record that
    say why there is a new run: `refit_of`, `warm_started_from`, `is_nightly`. `started` gets the new run
    before anything is trained. Needs torch and Lightning, but no Polars, SciPy, FAISS, Ray or MLflow. Raises
    TrainingError and ArtefactError, with the command that resumes.
    """
    dataset = Dataset.open(config.workspace / "dataset")
    if dataset.nothing_to_recommend:
        raise TrainingError(
            f"No item can be recommended: {dataset.nothing_to_recommend}. Then run `shopkeeper prepare`."
        )
    timeline = split_points(dataset, config.split)
    if config.split.kind == "leave_one_out":
        log(LEAVE_ONE_OUT_WARNING)
    require_tracking(config)
    run = resume or Run.create(config.workspace / "runs", name=f"{config.name}-{config.encoder.model}")
    with run.lock():
        if resume is None:
            _start(run, config, dataset, origin)
            if started is not None:
                started(run)
        else:
            require_same_dataset(run, dataset)
            if run.read().status == "finished":
                log(f"run {run.folder} is finished")
                return run
            _resume(run, config)
        data = {"dataset": dataset.fingerprint, "training_data": dataset.training_data}
        run.update(status="running", seed=config.training.seed, **data, **environment())
        with _outcome_recorded(run, config):
            fit_encoders(dataset, timeline, config=config, run=run, after_epoch=SyncAfterEpochs(run, config))
    return run


def _start(run: Run, config: Config, dataset: Dataset, origin: Mapping[str, Any]) -> None:
    """Write what `--resume` needs. A run that cannot be started leaves no folder."""
    try:
        run.update(status="running", **origin)
        _copy_report(run, config)
        for name in DATASET_FILES:
            with writing_file(run.folder / name) as scratch:
                shutil.copyfile(dataset.folder / name, scratch)
        write_settings(run, config)
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    log(f"run {run.folder}")


def _copy_report(run: Run, config: Config) -> None:
    """Copy the report of `prepare`, which goes to MLflow, with the number of suspected bots for their ids."""
    path = config.workspace / "tables" / "report.json"
    if path.is_file():
        report = json.loads(path.read_text(encoding="utf-8"))
        write_json(
            run.folder / "prepare_report.json",
            {**report, "suspected_bots": len(report.get("suspected_bots", []))},
        )


def _resume(run: Run, config: Config) -> None:
    """Write the changed settings, and record when the run was resumed."""
    changed = changed_settings(settings_of(run, config), config)
    but_for = f", but for {', '.join(changed)}" if changed else ""
    log(f"run {run.folder} continues with its own settings{but_for}")
    write_settings(run, config)
    resumption = Resumption(time=time.time(), changed=changed)
    run.change(lambda record: {"error": None, "resumed": [*record.resumed, resumption]})


@contextlib.contextmanager
def _outcome_recorded(run: Run, config: Config) -> Iterator[None]:
    """Write the status of the block into the run and MLflow. The message of an error, or of Ctrl-C, says how
    to resume."""
    try:
        yield
        run.update(status="finished")
    except BaseException as error:
        with contextlib.suppress(ArtefactError):  # on a full disk the run stays `running`: it can be resumed
            run.update(status="failed", error=str(error) or type(error).__name__)
            sync(run, config)
        if isinstance(error, SystemExit | KeyboardInterrupt):  # Lightning passes Ctrl-C on as the former
            log(resume_hint(run))
            raise KeyboardInterrupt from error
        if isinstance(error, TrainingError | ArtefactError):
            raise type(error)(f"{error} {resume_hint(run)}") from error
        raise
    sync(run, config)
