"""A prepared dataset becomes a run: encoders for every split point and their curves, which MLflow follows.

`evaluate.py` judges the run, and `export/` makes the bundle that is served.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator

from configs.console import log
from configs.exceptions import ArtefactError, TrainingError
from configs.load import dump_config
from configs.schema import Config
from features.core.artefact import writing_file
from features.dataset import Dataset
from features.splits import LEAVE_ONE_OUT_WARNING, split_points
from training.encoder.fit import fit_encoders
from training.runs.record import Resumption
from training.runs.resume import changed_settings, way_on
from training.runs.run import Run, environment, require_same_data, settings_of, write_json
from training.tracking.mlflow_sync import require_tracking, sync


def train(config: Config, *, resume: Run | None = None, refit_of: str | None = None) -> Run:
    """Train on `<workspace>/dataset`; returns the new run under `<workspace>/runs`. Needs no Polars, Ray,
    FAISS or MLflow.

    With `resume`, go on with that run where it stood when it was killed. `refit_of` names the run whose
    settings these are.
    """
    dataset = Dataset.open(config.workspace / "dataset")
    timeline = split_points(dataset, config.split)
    if config.split.kind == "leave_one_out":
        log(LEAVE_ONE_OUT_WARNING)
    require_tracking(config)
    run = resume or Run.create(config.workspace / "runs", name=config.name)
    with run.held():
        if resume is None:
            _begin(run, config, refit_of=refit_of)
        else:
            require_same_data(run, dataset)
            if run.read().status == "finished":
                log(f"run {run.folder} is trained")
                return run
            _go_on(run, config)
        run.update(status="running", dataset=dataset.fingerprint, seed=config.training.seed, **environment())
        with _ending(run, config):
            fit_encoders(dataset, timeline, config=config, run=run, after_epoch=lambda: sync(run, config))
    return run


def _begin(run: Run, config: Config, *, refit_of: str | None) -> None:
    """What must be there for a run to be gone on with; nothing stays of one that could not begin."""
    try:
        run.update(status="running", **({"refit_of": refit_of} if refit_of else {}))
        _copy_report(run, config)
        _write_settings(run, config)
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    log(f"run {run.folder}")


def _copy_report(run: Run, config: Config) -> None:
    """The report of `prepare`, which goes to MLflow: of the users that it names, only their number."""
    path = config.workspace / "tables" / "report.json"
    if path.is_file():
        report = json.loads(path.read_text(encoding="utf-8"))
        write_json(
            run.folder / "prepare_report.json",
            {**report, "suspected_bots": len(report.get("suspected_bots", []))},
        )


def _go_on(run: Run, config: Config) -> None:
    before = settings_of(run, config)
    changed = changed_settings(before, config)
    log(
        f"run {run.folder} goes on with its own settings"
        + (f", but for {', '.join(changed)}" if changed else "")
    )
    _write_settings(run, config)
    resumed = [*run.read().resumed, Resumption(time=time.time(), changed=changed)]
    run.update(error=None, resumed=[entry.model_dump() for entry in resumed])


def _write_settings(run: Run, config: Config) -> None:
    with writing_file(run.folder / "config.yaml") as scratch:
        scratch.write_text(dump_config(config), encoding="utf-8")


@contextlib.contextmanager
def _ending(run: Run, config: Config) -> Iterator[None]:
    """Note in the run and in MLflow how it ended, and tell a user whose training stopped early how to go
    on."""
    try:
        yield
        run.update(status="finished")
    except BaseException as error:
        with contextlib.suppress(
            ArtefactError
        ):  # on a full disk the run stays `running`, which can be resumed as well
            run.update(status="failed", error=str(error) or type(error).__name__)
            sync(run, config)
        if isinstance(error, SystemExit | KeyboardInterrupt):  # Lightning passes Ctrl-C on as the former
            log(way_on(run))
            raise KeyboardInterrupt from error
        if isinstance(error, TrainingError | ArtefactError):
            raise type(error)(f"{error} {way_on(run)}") from error
        raise
    sync(run, config)
