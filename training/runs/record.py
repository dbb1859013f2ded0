"""The entries of `run.json`. No other module knows their names as strings."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

HARDWARE: Final = ("cpu", "cores", "gpu", "torch", "python")
"""Entries of a record that say what a run was trained on."""


Ending = Literal["max_epochs", "patience", "max_minutes"]
"""Settings of `training` that end a fit."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FitSummary(_Record):
    """One fit of the encoder."""

    epochs: int
    seconds: float
    """Of the whole fit, validation included"""
    training_seconds: float
    interactions_per_second: int
    ended_by: Ending | None = None
    """The setting that ended it; a refit ends with its `refit_epochs`, here `max_epochs` too"""
    best_validation_recall: float | None = None
    """At its best epoch, where `training.monitor` is `recall`"""
    best_validation_ndcg: float | None = None
    """At its best epoch, where `training.monitor` is `ndcg`"""


class BundleEntry(_Record):
    """The run's exported bundle."""

    version: str
    """The fingerprint of its files"""
    model_version: str | None = None
    """MLflow's version of the registered model; None where it was not registered"""
    champion: bool = False
    """Whether it became champion"""
    why: str = ""
    """The figures behind the gate's decision, or the reason of a promotion by hand"""


class ComparedWith(_Record):
    """The run that the review compares with."""

    champion: str
    """Name of the champion's run"""
    run: str
    """The run whose figures are compared: the champion's own, or the refit of its settings on this data"""


class Resumption(_Record):
    """One `train --resume`."""

    time: float
    """Seconds since 1970"""
    changed: list[str]
    """Names of the settings that `--set` changed"""


class RunRecord(_Record):
    """A run, but for its settings, curves and tables, which have files of their own. What is not known yet is
    None or empty."""

    status: Literal["running", "finished", "failed"] | None = None
    error: str | None = None
    """The message of a training that failed"""
    refit_of: str | None = None
    """The run whose settings were fitted again on newer data, to compare with it"""
    warm_started_from: str | None = None
    """The run whose weights the first fit started from"""
    is_nightly: bool = False
    """Whether `shopkeeper refresh` made it: its bundle and weights are deleted when newer ones are there"""
    dataset: str | None = None
    """The fingerprint of the dataset"""
    training_data: str | None = None
    """The fingerprint of what of the dataset a training learns from (`Dataset.training_data`)"""
    seed: int | None = None
    commit: str | None = None
    uncommitted_changes: bool | None = None
    python: str | None = None
    torch: str | None = None
    cpu: str | None = None
    cores: int | None = None
    gpu: str | None = None
    fits: dict[str, FitSummary] = {}
    """Split point → the fit of the encoder on the events before it"""
    encoders_trained_at: str | None = None
    """The commit that trained the encoders, where a benchmark fits the rest again"""
    evaluation: dict[str, float] = {}
    """System → the headline metric on the test window; empty before the evaluation"""
    compared_with: ComparedWith | None = None
    bundle: BundleEntry | None = None
    resumed: list[Resumption] = []
    mlflow_run: str | None = None
    mlflow_lines: int = 0
    """How many lines of the curves MLflow has"""

    def has_same_training_data(self, other: RunRecord) -> bool:
        """Whether both were trained on the same events, whatever the catalogue was."""
        if self.training_data is None or other.training_data is None:
            return self.dataset == other.dataset
        return self.training_data == other.training_data

    @property
    def hardware(self) -> dict[str, Any]:
        """The entries of `HARDWARE`."""
        return {name: getattr(self, name) for name in HARDWARE}

    def plain(self) -> dict[str, Any]:
        """The entries that were set, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)
