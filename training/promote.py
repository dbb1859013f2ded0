"""A person moves the alias: any exported bundle becomes champion, in MLflow and for the server together."""

from __future__ import annotations

from pathlib import Path

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from serving.recommend.served_bundle import POINTER_FILE, read_pointer
from training.evaluate import settings_of
from training.evaluation.review.write import write_review
from training.evaluation.user_figures import UserFigures
from training.runs.run import Run, run_named, write_json
from training.runs.tracking import champion_source, register, require_tracking, set_champion, sync


def promote(config: Config, run: Run, *, why: str) -> Path:
    """Make the bundle of a run the one to serve, whatever the gate said of it; returns the bundle's folder.

    Raises ArtefactError when the run was not exported, or its bundle was changed since.
    """
    bundle = config.workspace / "bundles" / run.name
    if not bundle.is_dir():
        raise ArtefactError(
            f"{bundle}: the run {run.name} has no bundle. `shopkeeper export --run {run.name}` makes it."
        )
    version = str(read_manifest(bundle, kind="bundle", verify=True)["fingerprint"])
    require_tracking(config)
    settings = settings_of(run, config)
    entries = run.read().get("bundle", {})
    model_version = entries.get("model_version") or register(run, bundle, settings, version=version)
    before = read_pointer(config.workspace)
    write_json(
        config.workspace / POINTER_FILE,
        {"bundle": f"bundles/{run.name}", "version": version, "run": run.name},
    )
    if model_version is not None:
        set_champion(settings, model_version=model_version)
    said = f"moved by hand from {before.run if before else 'nothing'}: {why}"
    run.update(
        bundle={**entries, "version": version, "model_version": model_version, "champion": True, "why": said}
    )
    if UserFigures.find(run.folder) is not None:
        write_review(run, config)
    sync(run, settings)
    log(f"{run.name} is the champion now. A server that runs keeps its bundle until it is started again.")
    return bundle


def run_with_alias(config: Config) -> Run:
    """The run whose bundle bears the alias in MLflow. Raises ArtefactError when none does, or it is not
    here."""
    source = champion_source(config)
    if source is None:
        raise ArtefactError(
            f"In MLflow no version of the model {config.tracking.model_name} has the alias champion. Set it "
            "on the model's page, "
            "or name the run here: --run NAME."
        )
    return run_named(config.workspace, source.rstrip("/").rsplit("/", 1)[-1])
