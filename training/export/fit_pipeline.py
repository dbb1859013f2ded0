"""Fits a whole pipeline: candidates before one split point, the ranker on the window after it, then
candidates again before the next split point."""

from __future__ import annotations

from pathlib import Path

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.dataset import Dataset
from features.splits import SplitPoint
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from training.encoder.load import load_encoder
from training.export.bundle import build_bundle
from training.ranker.fit import fit_ranker
from training.runs.run import Run


def fit_pipeline(
    dataset: Dataset, earlier: SplitPoint, point: SplitPoint, *, config: Config, run: Run
) -> Bundle:
    """A bundle as of `point`, in memory.

    The ranker is fitted on the window between the split points, over candidates of retrievers that saw
    nothing of it; the bundle then holds retrievers that did. The run's encoders for both must be there
    (`fit_encoders`).
    """
    ranker = fit_ranker(
        candidate_pipeline(dataset, earlier, config=config, run=run), dataset, earlier, point, config=config
    )
    log(f"bundle as of the {point.name} split point")
    encoder = load_encoder(run.folder, dataset, point=point.name, config=config)
    return build_bundle(dataset, point, encoder=encoder, ranker=ranker, config=config, made_by=made_by(run))


def candidate_pipeline(dataset: Dataset, point: SplitPoint, *, config: Config, run: Run) -> Pipeline:
    """What the retrievers propose as of the split point; the run's judged bundle where it is of that one and
    of this catalogue."""
    try:
        pipeline = Pipeline.load(bundle_folder(run, point))
        if pipeline.bundle.manifest["made_from"] == dataset.fingerprint:
            return pipeline
    except ArtefactError:
        pass
    log(f"candidates as of the {point.name} split point")
    encoder = load_encoder(run.folder, dataset, point=point.name, config=config)
    bundle = build_bundle(dataset, point, encoder=encoder, ranker=None, config=config, made_by=made_by(run))
    return Pipeline(bundle)


def made_by(run: Run) -> dict[str, object]:
    """What a bundle says of its origin."""
    record = run.read()
    return {
        "run": run.name,
        **{key: getattr(record, key) for key in ("commit", "uncommitted_changes", "dataset", "mlflow_run")},
    }


def bundle_folder(run: Run, point: SplitPoint) -> Path:
    """Where a run keeps the bundle that was judged as of a split point."""
    return run.folder / f"bundle-{point.name}"
