"""`fit`: the sources before one split point, the score on the window after it, then the sources again before
the next split point."""

from __future__ import annotations

from pathlib import Path

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from features.dataset import Dataset
from features.splits import SplitPoint
from serving.recommend.pipeline import Pipeline
from training.encoder.fit import load_encoder
from training.export.bundle import assemble
from training.ranker.fit import fit_ranker
from training.runs.run import Run


def fit(
    dataset: Dataset, earlier: SplitPoint, point: SplitPoint, out: Path, *, config: Config, run: Run
) -> str:
    """Write a bundle as of `cut` to `out` and return its version.

    The ranker is fitted on the window between the split points, with sources that saw nothing of it; the
    bundle then holds sources that did. The run's encoders for both cuts must be there (`fit_encoders`).
    """
    sources = _bundle_at(earlier, dataset, config=config, run=run)
    ranker = fit_ranker(Pipeline.load(sources), dataset, earlier, point, config=config)
    log(f"bundle as of the {point.name} split point")
    encoder = load_encoder(run.folder, dataset, point=point.name, config=config)
    return assemble(out, dataset, point, encoder=encoder, ranker=ranker, config=config, made_by=made_by(run))


def made_by(run: Run) -> dict[str, object]:
    """What a bundle says of its origin."""
    entries = run.read()
    return {
        "run": run.name,
        **{key: entries.get(key) for key in ("commit", "uncommitted_changes", "dataset", "mlflow_run")},
    }


def bundle_folder(run: Run, point: SplitPoint) -> Path:
    """Where a run keeps the bundle as of a split point."""
    return run.folder / f"bundle-{point.name}"


def _bundle_at(point: SplitPoint, dataset: Dataset, *, config: Config, run: Run) -> Path:
    """The run's bundle as of the split point; made, without a ranker, where it is not there yet."""
    folder = bundle_folder(run, point)
    try:
        read_manifest(folder, kind="bundle", verify=True)
    except ArtefactError:
        log(f"sources as of the {point.name} split point")
        encoder = load_encoder(run.folder, dataset, point=point.name, config=config)
        assemble(folder, dataset, point, encoder=encoder, ranker=None, config=config, made_by=made_by(run))
    return folder
