"""Exports a run: fits its pipeline on everything, and writes the bundle."""

from __future__ import annotations

from pathlib import Path

from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from training.export.fit_pipeline import fit_pipeline
from training.runs.run import Run, require_same_data, settings_of


def export_bundle(config: Config, run: Run, out: Path) -> str:
    """Write the bundle folder `out` and return its version. Raises GateError, and writes nothing, when an
    export check fails."""
    dataset = Dataset.open(config.workspace / "dataset")
    require_same_data(run, dataset)
    settings = settings_of(run, config)
    _, test, full = split_points(dataset, settings.split)
    bundle = fit_pipeline(dataset, test, full, config=settings, run=run)
    return bundle.save(out, made_from=dataset.fingerprint)
