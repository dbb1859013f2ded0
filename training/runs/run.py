"""A run's folder and its local log, written with the standard library alone; MLflow follows it where it is
installed.

run.json           status, hardware, git commit, data fingerprint, seed, fits (`record.py`)
config.yaml        every setting, defaults included
metrics.jsonl      one line an epoch: {"series": ..., "step": ..., "time": ..., "metrics": {...}}
encoder-*.pt       weights fitted on the events before each split point
resume.pt          where a fit that is not done stands (`checkpoint.py`)
evaluation.json    the table of the pipeline against every retriever
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.exceptions import ArtefactError, TrainingError
from configs.load import load_config
from configs.schema import Config
from features.core.artefact import writing_file
from training.runs.record import RunRecord

if TYPE_CHECKING:
    from features.dataset import Dataset


RECORD_FILE = "run.json"
CHECKPOINT_FILE = "resume.pt"
"""Where a fit that is not done stands; `training/encoder/checkpoint.py` writes it."""


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path

    @classmethod
    def create(cls, runs: Path, *, name: str) -> Run:
        """A new folder `runs/<time>-<name>`."""
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
        """The newest finished run that somebody asked for; raises ArtefactError when there is none."""
        for folder in sorted(runs.glob("*/"), reverse=True):
            record = cls(folder).read()
            if record.status == "finished" and record.refit_of is None:
                return cls(folder)
        raise ArtefactError(f"{runs}: no finished run here. Make one with `shopkeeper train`.")

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def exists(self) -> bool:
        """Whether there is such a run."""
        return (self.folder / RECORD_FILE).is_file()

    def read(self) -> RunRecord:
        """What `run.json` says; an empty record where there is none. Raises ArtefactError for one that cannot
        be read."""
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
        """Set entries of `run.json`. Writers wait for one another, so that none loses what another wrote."""
        with self._locked():
            self._write({**self.read().plain(), **entries})

    def add_fit(self, point: str, fit: Mapping[str, float]) -> None:
        """Note how the fit of an encoder went."""
        with self._locked():
            record = self.read()
            self._write({**record.plain(), "fits": {**record.fits, point: dict(fit)}})

    def _write(self, entries: Mapping[str, Any]) -> None:
        write_json(self.folder / RECORD_FILE, RunRecord.model_validate(entries).plain())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def log(self, series: str, step: int, metrics: Mapping[str, float]) -> None:
        """Append one line to the curves."""
        line = {"series": series, "step": step, "time": time.time(), "metrics": dict(metrics)}
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
    def held(self) -> Iterator[None]:
        """Keep other processes from training this run meanwhile; a kill lets it go. Raises TrainingError
        where one does."""
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"{self.folder}: another process is training this run. Wait for it, or stop it first."
                ) from None
            yield

    def keep_curves(self, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Take the other lines out of the curves."""
        lines = self.curves()
        kept = [line for line in lines if keep(line)]
        if len(kept) < len(lines):
            self._write_curves(kept)

    def _write_curves(self, lines: list[dict[str, Any]]) -> None:
        """All of them at once: a few hundred lines, and never half a one."""
        with writing_file(self.folder / "metrics.jsonl") as scratch:
            scratch.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def run_named(workspace: Path, name: str | None) -> Run:
    """The run of that name or folder, or the newest finished one. Raises ArtefactError."""
    runs = workspace / "runs"
    if name is None:
        return Run.latest(runs)
    folder = Path(name) if (Path(name) / RECORD_FILE).is_file() else runs / name
    if not (folder / RECORD_FILE).is_file():
        there = ", ".join(sorted(path.parent.name for path in runs.glob("*/run.json"))) or "none"
        raise ArtefactError(f"--run {name}: no such run in {runs}. There: {there}.")
    return Run(folder)


def settings_of(run: Run, config: Config) -> Config:
    """The settings the run was trained with, in the workspace at hand."""
    return load_config(run.folder / "config.yaml", workspace=config.workspace)


def require_same_data(run: Run, dataset: Dataset) -> None:
    """Raise ArtefactError when the dataset is not the one that the run was trained on: its item 7 would be
    another item."""
    trained_on = run.read().dataset or dataset.fingerprint
    if trained_on != dataset.fingerprint:
        raise ArtefactError(
            f"{run.folder} was trained on other data (fingerprint {trained_on}) than {dataset.folder} holds "
            "now "
            f"({dataset.fingerprint}). Train on the present data with `shopkeeper train`, or prepare the "
            "former again."
        )


def write_json(path: Path, value: Any) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    with writing_file(path) as scratch:
        scratch.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def environment() -> dict[str, Any]:
    """Hardware, versions and commit: what a figure needs to be judged."""
    import torch

    root = Path(__file__).parents[2]
    in_checkout = (root / ".git").exists()
    return {
        "commit": (_git(root, "rev-parse", "HEAD") or None) if in_checkout else None,
        "uncommitted_changes": bool(_git(root, "status", "--porcelain", "--", ".", ":!docs"))
        if in_checkout
        else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _git(root: Path, *arguments: str) -> str:
    """What git answers; nothing where it is not installed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.is_file()
        else []
    )
    return names[0] if names else platform.processor()
