"""A run's folder. It holds everything about a run; MLflow gets a copy where it is installed.

run.json           status, hardware, git commit, data fingerprint, seed, fits (`RunRecord`)
config.yaml        every setting, defaults included
items.parquet      the catalogue of the dataset: which item each row of the weights is for
item_vocabulary.parquet   what the codes of items meant
metrics.jsonl      one line an epoch: {"series": ..., "step": ..., "time": ..., "metrics": {...}}
encoder-*.pt       weights fitted on the events before each split point
resume.pt          the state of an unfinished fit (`training/encoder/checkpoint.py`)
evaluation.json    the table of the pipeline against every retriever (`EvaluationRecord`)
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from configs.exceptions import ArtefactError, TrainingError
from configs.load import dump_config, load_config
from configs.schema import Config
from features.core.artefact import locked, writing_file
from training.runs.record import FitSummary, RunRecord

if TYPE_CHECKING:
    from features.dataset import Dataset


RECORD_FILE: Final = "run.json"
SETTINGS_FILE: Final = "config.yaml"
CHECKPOINT_FILE: Final = "resume.pt"
DATASET_FILES: Final = ("items.parquet", "item_vocabulary.parquet")
"""Files of the dataset that a run keeps a copy of."""
NOT_OF_A_RUN: Final = ("workspace", "customers", "forecasts", "gate", "refresh")
"""Settings of the moment: those given to a command count, not those that a run was trained with."""


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path

    @classmethod
    def create(cls, runs: Path, *, name: str) -> Run:
        """A new folder `runs/<time>-<name>`. Names of runs sort by time."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        folder = runs / f"{stamp}-{name}"
        for number in range(2, 100):
            if not folder.exists():
                break
            folder = runs / f"{stamp}-{name}-{number}"
        folder.mkdir(parents=True)
        return cls(folder)

    @classmethod
    def latest(cls, runs: Path) -> Run:
        """The newest finished run that is no refit of a champion. Raises ArtefactError when there is none."""
        for folder in sorted(runs.glob("*/"), reverse=True):
            record = cls(folder).read()
            if record.status == "finished" and record.refit_of is None:
                return cls(folder)
        raise ArtefactError(f"{runs}: no finished run here. Make one with `shopkeeper train`.")

    @property
    def name(self) -> str:
        """The name of the run: the name of its folder."""
        return self.folder.name

    @property
    def exists(self) -> bool:
        """Whether there is such a run."""
        return (self.folder / RECORD_FILE).is_file()

    def read(self) -> RunRecord:
        """The entries of `run.json`; an empty record where there is no such file. Raises ArtefactError for a
        file of another version."""
        path = self.folder / RECORD_FILE
        if not path.is_file():
            return RunRecord()
        try:
            return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError as error:  # pydantic's ValidationError is one
            raise ArtefactError(
                f"{path}: made by another version of Shopkeeper, or edited ({error}). Train anew."
            ) from None

    def update(self, **entries: Any) -> None:
        """Set entries of `run.json`. Raises ValueError for a name or a value that `RunRecord` has not."""
        self.change(lambda _: entries)

    def change(self, entries: Callable[[RunRecord], Mapping[str, Any]]) -> None:
        """Set entries of `run.json` that follow from its present ones. Raises ValueError as `update` does.

        Writers wait for one another, so that none overwrites what another wrote.
        """
        with locked(self.folder):
            record = self.read()
            changed = RunRecord.model_validate({**record.plain(), **entries(record)})
            write_json(self.folder / RECORD_FILE, changed.plain())

    def add_fit(self, point: str, fit: FitSummary) -> None:
        """Add the fit of the encoder before a split point to `run.json`."""
        self.change(lambda record: {"fits": {**record.fits, point: fit}})

    def log(self, series: str, step: int, metrics: Mapping[str, float]) -> None:
        """Append one line to the curves."""
        line = {"series": series, "step": step, "time": time.time(), "metrics": dict(metrics)}
        with locked(self.folder):
            self._write_curves([*self.curves(), line])

    def curves(self) -> list[dict[str, Any]]:
        """Every line of the curves."""
        path = self.folder / "metrics.jsonl"
        return (
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if path.is_file()
            else []
        )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """A lock on the training of this run, which ends with the process. Raises TrainingError when another
        process has it."""
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"{self.folder}: another process is training this run. Wait for it, or stop it first."
                ) from None
            yield

    def keep_curves(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Remove the other lines from the curves. What comes in their place is new to MLflow."""
        lines = self.curves()
        if all(map(keep, lines)):
            return
        self.change(lambda record: {"mlflow_lines": sum(map(keep, lines[: record.mlflow_lines]))})
        with locked(self.folder):
            self._write_curves([line for line in self.curves() if keep(line)])

    def _write_curves(self, lines: list[dict[str, Any]]) -> None:
        """All lines at once: they are a few hundred, and a kill leaves no half a line."""
        with writing_file(self.folder / "metrics.jsonl") as scratch:
            scratch.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def run_named(workspace: Path, name: str | None) -> Run:
    """The run of that name or folder, or the newest finished one. Raises ArtefactError."""
    runs = workspace / "runs"
    if name is None:
        return Run.latest(runs)
    run = Run(Path(name)) if Run(Path(name)).exists else Run(runs / name)
    if not run.exists:
        there = ", ".join(sorted(path.parent.name for path in runs.glob(f"*/{RECORD_FILE}"))) or "none"
        raise ArtefactError(f"--run {name}: no such run in {runs}. There: {there}.")
    return run


def settings_of(run: Run, config: Config) -> Config:
    """The settings that the run was trained with, in the workspace of `config`. Raises ConfigError for those
    of another version."""
    return load_config(run.folder / SETTINGS_FILE, workspace=config.workspace)


def write_settings(run: Run, config: Config) -> None:
    """Write every setting into the run's folder, defaults included."""
    with writing_file(run.folder / SETTINGS_FILE) as scratch:
        scratch.write_text(dump_config(config), encoding="utf-8")


def require_same_dataset(run: Run, dataset: Dataset) -> None:
    """Raise ArtefactError when the run was trained on another dataset, be it the catalogue alone: a
    checkpoint cannot go on with it."""
    trained_on = run.read().dataset
    if trained_on not in (None, dataset.fingerprint):
        raise _other_data(run, dataset, trained_on, now=dataset.fingerprint)


def require_same_training_data(run: Run, dataset: Dataset) -> None:
    """Raise ArtefactError when the run was trained on other events. The catalogue may be another."""
    record = run.read()
    if record.dataset not in (None, dataset.fingerprint) and record.training_data != dataset.training_data:
        trained_on = record.training_data or record.dataset
        raise _other_data(run, dataset, trained_on, now=dataset.training_data)


def _other_data(run: Run, dataset: Dataset, trained_on: str | None, *, now: str) -> ArtefactError:
    return ArtefactError(
        f"{run.folder} was trained on other data (fingerprint {trained_on}) than {dataset.folder} holds "
        f"now ({now}). Train on the present data with `shopkeeper train`, or prepare the former again."
    )


def write_json(path: Path, value: Any) -> None:
    """Write a scratch file and rename it, so that a reader never sees half a file."""
    with writing_file(path) as scratch:
        scratch.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
