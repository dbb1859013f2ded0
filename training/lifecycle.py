"""The order of the steps after training: evaluate, review, export, register, decide, promote.

Each step is one function of another module, and none of them calls another step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.console import log
from configs.schema import Config
from training.evaluate import evaluate
from training.evaluation.comparable_runs import (
    can_be_paired,
    is_readable,
    present_champion,
    set_compared_run,
)
from training.evaluation.evaluation_record import EvaluationRecord
from training.evaluation.review.write import write_review
from training.evaluation.user_figures import UserFigures
from training.export.export import export_bundle
from training.gate import Decision, Rival, decide
from training.registry import Registry
from training.runs.record import BundleEntry, ComparedWith
from training.runs.run import Run, settings_of
from training.tracking.client import require_tracking
from training.tracking.mlflow_sync import sync
from training.train import train


@dataclass(frozen=True)
class Released:
    """The outcome of `release`."""

    bundle: Path
    version: str
    decision: Decision


def evaluate_run(config: Config, run: Run) -> EvaluationRecord:
    """Evaluate a run, write its review, and bring MLflow up to date."""
    found = evaluate(config, run)
    set_compared_run(run, config)
    write_review(run, config)
    sync(run, settings_of(run, config))
    return found


def release(config: Config, run: Run) -> Released:
    """Export a run's bundle, register it, let the gate decide, and make it the champion where it wins.

    A run without an evaluation is evaluated first. Raises TrainingError where MLflow cannot be used, and
    GateError where an export check fails.
    """
    require_tracking(config)
    if UserFigures.find(run.folder) is None:
        evaluate_run(config, run)
    registry, settings = Registry(config), settings_of(run, config)
    bundle = registry.folder(run)
    version = export_bundle(config, run, bundle)
    model_version = registry.register(run, settings, version=version)
    rival = _rival(run, config)
    decision = decide(
        _figures(run),
        rival,
        without_rival=_reason_without_rival(run, registry),
        config=settings.evaluation,
        gate=config.gate,
    )
    entry = BundleEntry(
        version=version, model_version=model_version, champion=decision.is_champion, why=decision.why
    )
    if decision.is_champion:
        registry.set_champion(run, settings, entry)
    run.update(bundle=entry)
    write_review(run, config)
    sync(run, settings)
    return Released(bundle, version, decision)


def promote(config: Config, run: Run, *, why: str) -> Path:
    """Make the bundle of a run the champion by hand, whatever the gate decided, and return its folder.

    Raises ArtefactError when the run has no bundle, or a file of it was changed.
    """
    registry, settings = Registry(config), settings_of(run, config)
    entry = registry.exported(run)
    require_tracking(config)
    model_version = entry.model_version or registry.register(run, settings, version=entry.version)
    before = registry.champion
    moved = f"moved by hand from {before.run if before else 'nothing'}: {why}"
    entry = entry.model_copy(update={"model_version": model_version, "champion": True, "why": moved})
    registry.set_champion(run, settings, entry)
    run.update(bundle=entry)
    if UserFigures.find(run.folder) is not None:
        write_review(run, config)
    sync(run, settings)
    log(f"{run.name} is the champion now. A server that runs keeps its bundle until it is started again.")
    return registry.folder(run)


def _rival(run: Run, config: Config) -> Rival | None:
    """The champion with its figures over the users of this run's evaluation; None when no other champion can
    be read.

    A champion that was trained on other data, or evaluated with other settings, is trained again on the
    present data with its own settings: its deployed bundle has seen the test window.
    """
    champion = present_champion(run, config)
    if champion is None or not is_readable(champion, config):
        return None
    name = champion.name
    if not can_be_paired(run, champion, config):
        log(f"fitting the champion's settings ({name}) on the present data, to compare on the same window")
        settings = _evaluated_alike(settings_of(run, config), settings_of(champion, config))
        champion = train(settings, refit_of=name)
    if UserFigures.find(champion.folder) is None:
        evaluate_run(config, champion)
    run.update(compared_with=ComparedWith(champion=name, run=champion.name))
    return Rival(champion.name, _figures(champion))


def _reason_without_rival(run: Run, registry: Registry) -> str:
    """Why a pipeline that beats every retriever becomes champion without a comparison.

    A champion that cannot be read can be neither compared nor trained again. It is replaced, since nothing
    could ever beat it.
    """
    pointer = registry.champion
    if pointer is None or pointer.run == run.name:
        return "the first champion"
    return (
        f"the new champion, by the retrievers alone, since the old one ({pointer.run}) cannot be compared; "
        "its bundle is kept"
    )


def _figures(run: Run) -> UserFigures:
    figures = UserFigures.find(run.folder)
    assert figures is not None, f"{run.folder} was just evaluated"
    return figures


def _evaluated_alike(ours: Config, theirs: Config) -> Config:
    """`theirs` with the split, the targets and the evaluation of `ours`, so that figures can be paired."""
    inputs = tuple(dict.fromkeys((*theirs.history.input_event_types, *ours.history.target_event_types)))
    history = theirs.history.model_copy(update={"targets": ours.history.targets, "input_event_types": inputs})
    return theirs.model_copy(update={"split": ours.split, "evaluation": ours.evaluation, "history": history})
