"""The order of the steps after training: evaluate, review, export, register, decide, promote.

Each step is one function of another module, and none of them calls another step. `refresh.py` has the order
of a whole night.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.console import log
from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.artefact import read_manifest
from features.dataset import Dataset
from training.evaluate import evaluate, replay_bundle_of
from training.evaluation.comparable_runs import (
    can_be_paired,
    has_same_settings,
    is_readable,
    present_champion,
    set_compared_run,
)
from training.evaluation.evaluation_record import EvaluationRecord
from training.evaluation.review.write import write_review
from training.evaluation.user_figures import UserFigures
from training.export.export import export_bundle, export_catalogue, only_catalogue_is_new
from training.gate import Decision, Rival, decide
from training.registry import Registry
from training.runs.record import BundleEntry, ComparedWith
from training.runs.run import Run, run_named, settings_of
from training.tracking.client import require_tracking
from training.tracking.mlflow_sync import sync


@dataclass(frozen=True)
class Released:
    """The outcome of `release`."""

    bundle: Path
    version: str
    decision: Decision
    successor: Run | None = None
    """Where the run lost: the champion's settings, fitted on the present data, that took its place"""


def evaluate_run(config: Config, run: Run) -> EvaluationRecord:
    """Evaluate a run, write its review, and bring MLflow up to date."""
    found = evaluate(config, run)
    set_compared_run(run, config)
    write_review(run, config)
    sync(run, settings_of(run, config))
    return found


def release(config: Config, run: Run) -> Released:
    """Export a run's bundle, register it, let the gate decide, and make it the champion where it passes.

    A run without an evaluation is evaluated first. Where a run with other settings loses on newer data than
    the champion's, the champion's own settings on that data take the champion's place. Raises TrainingError
    where MLflow cannot be used, and GateError where an export check fails.
    """
    require_tracking(config)
    if UserFigures.find(run.folder) is None:
        evaluate_run(config, run)
    entry = export_run(config, run)
    decision = judge(config, run)
    settle(config, run, decision)
    refit = None if decision.is_champion else refit_to_follow(config, run)
    follows = refit is not None and release(config, refit).decision.is_champion
    folder = Registry(config).folder(run)
    return Released(folder, entry.version, decision, refit if follows else None)


def export_run(config: Config, run: Run, *, catalogue_only: bool = False) -> BundleEntry:
    """Write the run's bundle and register it.

    Where only the catalogue changed since the bundle was written, or with `catalogue_only`, nothing is
    trained. Raises ArtefactError with `catalogue_only` where there is no bundle yet, and GateError.
    """
    registry, settings = Registry(config), _tracked_settings(run, config)
    folder = registry.folder(run)
    if catalogue_only:
        registry.exported(run)
    if catalogue_only or only_catalogue_is_new(config, run, folder):
        version = export_catalogue(config, run, folder)
    else:
        version = export_bundle(config, run, folder)
    entry = BundleEntry(version=version, model_version=registry.register(run, settings, version=version))
    run.update(bundle=entry)
    return entry


def judge(config: Config, run: Run) -> Decision:
    """Whether an evaluated run becomes champion: the gate's decision. It changes nothing that is served."""
    settings, champion = settings_of(run, config), Registry(config).champion
    if champion is not None and champion.run == run.name:
        return Decision(True, "it is the champion already")
    if older := _older_data(run, config):
        return Decision(False, older)
    rival = _rival(run, config)
    reason = "the first champion"
    if champion is not None:
        reason = (
            f"the new champion, by the retrievers alone, since the old one ({champion.run}) cannot be "
            "compared; its bundle is kept"
        )
    return decide(_figures(run), rival, without_rival=reason, config=settings.evaluation, gate=config.gate)


def settle(config: Config, run: Run, decision: Decision) -> None:
    """Keep the decision with the exported run, and make it the champion where it passed."""
    registry, settings = Registry(config), _tracked_settings(run, config)
    entry = registry.exported(run)
    entry = entry.model_copy(update={"champion": decision.is_champion, "why": decision.why})
    if decision.is_champion:
        registry.set_champion(run, settings, entry)
    run.update(bundle=entry)
    if UserFigures.find(run.folder) is not None:
        write_review(run, config)
    sync(run, settings)


def renew_catalogue(config: Config, run: Run) -> Released:
    """Give the run's bundle the present catalogue. The champion stays the champion, no other becomes it."""
    require_tracking(config)
    registry = Registry(config)
    before = run.read().bundle
    entry = export_run(config, run, catalogue_only=True)
    is_champion = registry.champion is not None and registry.champion.run == run.name
    kept = before.why if before and before.why else "no gate decided"
    decision = Decision(is_champion, f"the present catalogue, nothing else is new ({kept})")
    settle(config, run, decision)
    return Released(registry.folder(run), entry.version, decision)


def refit_to_follow(config: Config, run: Run) -> Run | None:
    """The champion's settings as they were fitted on the run's data to compare with it; None where there are
    none, or they had to be changed for the comparison."""
    compared = run.read().compared_with
    if compared is None or compared.run == compared.champion:
        return None
    refit, champion = (run_named(config.workspace, name) for name in (compared.run, compared.champion))
    return refit if has_same_settings(settings_of(refit, config), settings_of(champion, config)) else None


def promote(config: Config, run: Run, *, why: str) -> Path:
    """Make the bundle of a run the champion by hand, whatever the gate decided, and return its folder.

    Raises ArtefactError when the run has no bundle, or a file of it was changed.
    """
    registry, settings = Registry(config), _tracked_settings(run, config)
    entry = registry.exported(run)
    require_tracking(config)
    model_version = entry.model_version or registry.register(run, settings, version=entry.version)
    before = registry.champion
    run.update(bundle=entry.model_copy(update={"model_version": model_version}))
    settle(config, run, Decision(True, f"moved by hand from {before.run if before else 'nothing'}: {why}"))
    log(f"{run.name} is the champion now. A server that runs takes it within seconds.")
    return registry.folder(run)


def _tracked_settings(run: Run, config: Config) -> Config:
    """Those of the run, which know where it is tracked; nowhere, where tracking is switched off now."""
    settings = settings_of(run, config)
    if config.tracking.enabled:
        return settings
    return settings.model_copy(update={"tracking": config.tracking})


def _older_data(run: Run, config: Config) -> str | None:
    """Why a run on data that ends before the champion's does not replace it; None where it does not."""
    pointer = Registry(config).champion
    champion = present_champion(run, config)
    if pointer is None or champion is None:
        return None
    try:
        as_of = int(read_manifest(pointer.bundle, kind="bundle")["as_of"])
    except ArtefactError:  # gone, or of another version: it cannot stay
        return None
    dataset = Dataset.open(config.workspace / "dataset")
    if int(dataset.manifest["last_time"]) + 1 >= as_of:
        return None
    return "the data ends before the champion's, so the champion stays"


def _rival(run: Run, config: Config) -> Rival | None:
    """The champion with its figures over the users of this run's evaluation; None when no other champion can
    be read.

    A champion with the run's settings and older data is replayed as it is on the present window: the bundle
    that it was judged by, which saw nothing of that window. One with other settings that was trained on other
    data, or evaluated with other settings, is trained again on the present data: its deployed bundle has seen
    the window.
    """
    champion = present_champion(run, config)
    if champion is None or not is_readable(champion, config):
        return None
    ours, theirs = settings_of(run, config), settings_of(champion, config)
    if has_same_settings(ours, theirs) and not run.read().has_same_training_data(champion.read()):
        replayed = replay_bundle_of(champion, config, settings=ours)
        return Rival(champion.name, replayed, is_same_settings=True) if replayed else None
    name = champion.name
    if not can_be_paired(run, champion, config):
        champion = _refit(champion, _evaluated_alike(ours, theirs), run)
    if UserFigures.find(champion.folder) is None:
        evaluate_run(config, champion)
    run.update(compared_with=ComparedWith(champion=name, run=champion.name))
    return Rival(champion.name, _figures(champion))


def _refit(champion: Run, settings: Config, run: Run) -> Run:
    """The champion's settings fitted on the data of `run`: anew, or where that was begun before."""
    from training.train import train  # not above: Lightning takes seconds to import, and this is rare

    for folder in sorted(run.folder.parent.glob("*/"), reverse=True):
        found = Run(folder)
        record = found.read()
        is_refit = record.refit_of == champion.name and record.dataset == run.read().dataset
        if is_refit and is_readable(found, settings) and settings_of(found, settings) == settings:
            return train(settings, resume=found)
    log(f"fitting the champion's settings ({champion.name}) on the present data, to compare with them")
    return train(settings, refit_of=champion.name)


def _figures(run: Run) -> UserFigures:
    figures = UserFigures.find(run.folder)
    assert figures is not None, f"{run.folder} was just evaluated"
    return figures


def _evaluated_alike(ours: Config, theirs: Config) -> Config:
    """`theirs` with the split, the targets and the evaluation of `ours`, so that figures can be paired."""
    inputs = tuple(dict.fromkeys((*theirs.history.input_event_types, *ours.history.target_event_types)))
    history = theirs.history.model_copy(update={"targets": ours.history.targets, "input_event_types": inputs})
    return theirs.model_copy(update={"split": ours.split, "evaluation": ours.evaluation, "history": history})
