"""The life of a run after its training: evaluated, exported, decided upon, promoted. Each step is one
function elsewhere; here is their order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.console import log
from configs.schema import Config
from training.evaluate import evaluate
from training.evaluation.comparable_runs import (
    note_champion,
    of_this_version,
    present_champion,
    same_question,
)
from training.evaluation.evaluation_record import EvaluationRecord
from training.evaluation.review.write import write_review
from training.evaluation.user_figures import UserFigures
from training.export.export import export_bundle
from training.gate import Decision, Rival, decide
from training.registry import Registry
from training.runs.record import BundleEntry, ComparedWith
from training.runs.run import Run, settings_of
from training.tracking.mlflow_sync import require_tracking, sync
from training.train import train


@dataclass(frozen=True)
class Released:
    """What became of an export."""

    bundle: Path
    version: str
    decision: Decision


def evaluate_run(config: Config, run: Run) -> EvaluationRecord:
    """Evaluate a run, make its review, and bring MLflow up to date."""
    found = evaluate(config, run)
    note_champion(run, config)
    write_review(run, config)
    sync(run, settings_of(run, config))
    return found


def release(config: Config, run: Run) -> Released:
    """Export a run's bundle, register it, let the gate decide, and make it champion where it wins.

    A run without an evaluation is evaluated first. The champion is evaluated on the same data and settings,
    where it was not.
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
        _figures(run), rival, without_rival=_why_alone(run, registry), config=settings.evaluation
    )
    entry = BundleEntry(
        version=version, model_version=model_version, champion=decision.is_champion, why=decision.why
    )
    if decision.is_champion:
        registry.set_champion(run, settings, entry)
    run.update(bundle=entry.model_dump())
    write_review(run, config)
    sync(run, settings)
    return Released(bundle, version, decision)


def promote(config: Config, run: Run, *, why: str) -> Path:
    """A person makes the bundle of a run the champion, whatever the gate said; returns the bundle's folder.

    Raises ArtefactError when the run was not exported, or its bundle was changed since.
    """
    registry, settings = Registry(config), settings_of(run, config)
    entry = registry.exported(run)
    require_tracking(config)
    model_version = entry.model_version or registry.register(run, settings, version=entry.version)
    before = registry.champion
    moved = f"moved by hand from {before.run if before else 'nothing'}: {why}"
    entry = entry.model_copy(update={"model_version": model_version, "champion": True, "why": moved})
    registry.set_champion(run, settings, entry)
    run.update(bundle=entry.model_dump())
    if UserFigures.find(run.folder) is not None:
        write_review(run, config)
    sync(run, settings)
    log(f"{run.name} is the champion now. A server that runs keeps its bundle until it is started again.")
    return registry.folder(run)


def _rival(run: Run, config: Config) -> Rival | None:
    """The champion with its figures over the users of this run's table; None when there is no other that can
    be read.

    A champion trained on other data is trained again on this, with its own settings: its deployed bundle
    knows the window.
    """
    champion = present_champion(run, config)
    if champion is None or not of_this_version(champion, config):
        return None
    name = champion.name
    if not same_question(run, champion, config):
        log(f"fitting the champion's settings ({name}) on the present data, to compare on the same window")
        settings = _evaluated_alike(settings_of(run, config), settings_of(champion, config))
        champion = train(settings, refit_of=name)
    if UserFigures.find(champion.folder) is None:
        evaluate_run(config, champion)
    run.update(compared_with=ComparedWith(champion=name, run=champion.name).model_dump())
    return Rival(champion.name, _figures(champion))


def _why_alone(run: Run, registry: Registry) -> str:
    """Why a pipeline that beats every retriever becomes champion without being compared.

    A champion that cannot be read can be neither compared nor trained again: were it to stay, it would stay
    for ever.
    """
    pointer = registry.champion
    if pointer is None or pointer.run == run.name:
        return "the first champion"
    return (
        f"the new champion, by the retrievers alone, since the old one ({pointer.run}) cannot be compared; "
        "its "
        "bundle is kept"
    )


def _figures(run: Run) -> UserFigures:
    figures = UserFigures.find(run.folder)
    assert figures is not None, f"{run.folder} was just evaluated"
    return figures


def _evaluated_alike(ours: Config, theirs: Config) -> Config:
    """Their settings, with the split, targets and evaluation of ours."""
    inputs = tuple(dict.fromkeys((*theirs.history.input_event_types, *ours.history.target_event_types)))
    history = theirs.history.model_copy(update={"targets": ours.history.targets, "input_event_types": inputs})
    return theirs.model_copy(update={"split": ours.split, "evaluation": ours.evaluation, "history": history})
