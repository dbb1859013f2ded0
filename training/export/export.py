"""Exports a run: fits its pipeline on everything, and writes the bundle; or only gives a bundle the present
catalogue."""

from __future__ import annotations

from pathlib import Path

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from features.dataset import Dataset
from features.splits import split_points
from serving.recommend.bundle import Bundle
from training.export.fit_pipeline import fit_pipeline
from training.export.present_catalogue import with_present_catalogue
from training.runs.run import Run, require_same_training_data, settings_of


def export_bundle(config: Config, run: Run, out: Path) -> str:
    """Write the bundle folder `out` and return its version. Raises GateError, and writes nothing, when an
    export check fails."""
    dataset = Dataset.open(config.workspace / "dataset")
    require_same_training_data(run, dataset)
    settings = settings_of(run, config)
    _, test, full = split_points(dataset, settings.split)
    bundle = fit_pipeline(dataset, test, full, config=settings, run=run)
    return bundle.save(out, made_from=dataset.fingerprint)


def export_catalogue(config: Config, run: Run, out: Path) -> str:
    """Write the run's bundle `out` anew with the catalogue of the dataset, and return its version.

    Nothing is trained. Raises ArtefactError where there is no bundle, GateError when an export check fails.
    """
    dataset = Dataset.open(config.workspace / "dataset")
    renewed = with_present_catalogue(Bundle.open(out), dataset, config=settings_of(run, config))
    log(
        f"the bundle of {run.name} gets the present catalogue of {dataset.num_items:,} items, without "
        f"training: {renewed.num_described:,} new items have a vector by their description, "
        f"{renewed.num_left_out:,} stay out until the next training"
    )
    return renewed.bundle.save(out, made_from=dataset.fingerprint)


def only_catalogue_is_new(config: Config, run: Run, out: Path) -> bool:
    """Whether `out` is a bundle of the run, of the dataset's events and another catalogue."""
    dataset = Dataset.open(config.workspace / "dataset")
    try:
        manifest = read_manifest(out, kind="bundle")
    except ArtefactError:
        return False
    is_same = run.read().training_data == dataset.training_data and manifest["made_by"]["run"] == run.name
    return is_same and manifest["made_from"] != dataset.fingerprint
