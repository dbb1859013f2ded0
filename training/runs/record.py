"""What `run.json` says: the one place that knows its entries."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BundleEntry(_Record):
    """The run's exported bundle."""

    version: str
    """The fingerprint of its files"""
    model_version: str | None = None
    """MLflow's version of the registered model; None where it was not registered"""
    champion: bool = False
    why: str = ""
    """The figures behind the decision"""


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
    """The settings that `--set` changed"""


class RunRecord(_Record):
    """Everything but the curves, the settings and the evaluation. What is not known yet is None or empty."""

    status: str | None = None
    """`running`, `finished` or `failed`"""
    error: str | None = None
    refit_of: str | None = None
    """The run whose settings were fitted again on newer data, to compare with it"""
    dataset: str | None = None
    """The fingerprint of the dataset"""
    seed: int | None = None
    commit: str | None = None
    uncommitted_changes: bool | None = None
    python: str | None = None
    torch: str | None = None
    cpu: str | None = None
    cores: int | None = None
    gpu: str | None = None
    fits: dict[str, dict[str, int | float]] = {}
    """Split point → epochs, seconds, speed and best validation metric of the encoder's fit"""
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

    def plain(self) -> dict[str, Any]:
        """What was set, as JSON has it."""
        return self.model_dump(mode="json", exclude_unset=True)
