"""`fit`: the sources before one cut, the score on the window after it, then the sources again before the next cut."""

from __future__ import annotations

from pathlib import Path

from configs.console import say
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from features.dataset import Dataset
from features.splits import Cut
from serving.recommend.pipeline import Pipeline
from training.export.bundle import assemble
from training.encoder.fit import load_encoder
from training.ranker.fit import fit_ranker
from training.runs.run import RunLog


def fit(dataset: Dataset, earlier: Cut, cut: Cut, out: Path, *, config: Config, run: RunLog) -> str:
    """Write a bundle as of `cut` to `out` and return its version.

    The ranker is fitted on the window between the cuts, with sources that saw nothing of it; the bundle then holds sources
    that did. The run's encoders for both cuts must be there (`fit_encoders`).
    """
    sources = _bundle_at(earlier, dataset, config=config, run=run)
    ranker = fit_ranker(Pipeline.load(sources), dataset, earlier, cut, config=config)
    say(f"bundle as of the {cut.name} cut")
    encoder = load_encoder(run.folder, dataset, cut=cut.name, config=config)
    return assemble(out, dataset, cut, encoder=encoder, ranker=ranker, config=config, made_by=made_by(run))


def made_by(run: RunLog) -> dict[str, object]:
    """What a bundle says of its origin."""
    entries = run.read()
    return {"run": run.name, **{key: entries.get(key) for key in ("commit", "uncommitted_changes", "dataset", "mlflow_run")}}


def bundle_folder(run: RunLog, cut: Cut) -> Path:
    """Where a run keeps the bundle as of a cut."""
    return run.folder / f"bundle-{cut.name}"


def _bundle_at(cut: Cut, dataset: Dataset, *, config: Config, run: RunLog) -> Path:
    """The run's bundle as of the cut; made, without a ranker, where it is not there yet."""
    folder = bundle_folder(run, cut)
    try:
        read_manifest(folder, kind="bundle", verify=True)
    except ArtefactError:
        say(f"sources as of the {cut.name} cut")
        encoder = load_encoder(run.folder, dataset, cut=cut.name, config=config)
        assemble(folder, dataset, cut, encoder=encoder, ranker=None, config=config, made_by=made_by(run))
    return folder
