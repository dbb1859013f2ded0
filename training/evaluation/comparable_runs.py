"""Which run a run is compared with: the champion, where both were evaluated on the same data and settings."""

from __future__ import annotations

from typing import Any

from configs.console import log
from configs.exceptions import ArtefactError, ConfigError
from configs.schema import Config
from features.retrievers import configured_retrievers, retriever_class
from serving.recommend.served_bundle import read_pointer
from training.evaluation.user_figures import UserFigures
from training.ranker.list_questions import TRAINING_SURFACES
from training.runs.run import Run, settings_of


def present_champion(run: Run, config: Config) -> Run | None:
    """The champion's run; None when there is none, when it is this run, or when its folder is missing."""
    pointer = read_pointer(config.workspace)
    if pointer is None or pointer.run == run.name:
        return None
    champion = Run(config.workspace / "runs" / pointer.run)
    if not champion.exists:
        log(f"the champion's run {champion.folder} is missing, so it cannot be compared")
        return None
    return champion


def evaluation_differences(run: Run, other: Run, config: Config) -> list[str]:
    """In which of data, window, targets and evaluation settings two runs differ; nothing where their figures
    can be paired.

    Raises ConfigError for a run of another version.
    """
    ours, theirs = settings_of(run, config), settings_of(other, config)
    same = {
        "data": run.read().has_same_training_data(other.read()),
        "window": ours.split == theirs.split,
        "targets": ours.history.targets == theirs.history.targets,
        "evaluation": ours.evaluation == theirs.evaluation,
    }
    return [name for name, is_same in same.items() if not is_same]


def has_same_settings(ours: Config, theirs: Config) -> bool:
    """Whether two configurations ask for the same model, as of whatever data: equal in all that a list on the
    home page depends on, the pages that its ranker learns from among it."""
    return _of_model(ours) == _of_model(theirs)


def _of_model(config: Config) -> dict[str, Any]:
    """Without where things are (`data`, `workspace`, `serving`, `tracking`), how they run, and what only
    measures them (`evaluation`, but for what a model is fitted for)."""
    sections = ("split", "history", "encoder", "training", "retrievers", "ranker")
    found: dict[str, Any] = {name: getattr(config, name).model_dump() for name in sections}
    for name in ("device", "precision", "checkpoint_minutes"):
        del found["training"][name]
    fitted_for = config.evaluation.headline_k, config.evaluation.exclude_seen
    with_columns = [name for name in configured_retrievers(config.surfaces) if retriever_class(name).columns]
    fitted = {"fitted_retrievers": with_columns, "fitted_for": fitted_for}
    asked = {name: one.model_dump() for name, one in config.surfaces.items() if name in TRAINING_SURFACES}
    return {**found, **asked, **fitted}


def can_be_paired(run: Run, other: Run, config: Config) -> bool:
    """Whether the figures of both runs can be paired user by user. Raises ConfigError for a run of another
    version."""
    return not evaluation_differences(run, other, config)


def is_readable(champion: Run, config: Config) -> bool:
    """Whether this version can read the champion's record and settings; logs a message where it cannot."""
    try:
        champion.read()
        settings_of(champion, config)
    except (ArtefactError, ConfigError) as error:
        log(f"the champion {champion.name} is of another version and is not compared ({error})")
        return False
    return True


def set_compared_run(run: Run, config: Config) -> None:
    """Write `compared_with` into `run.json` where the champion was evaluated as this run was."""
    champion = present_champion(run, config)
    if champion is None or UserFigures.find(champion.folder) is None or not is_readable(champion, config):
        return
    if can_be_paired(run, champion, config):
        run.update(compared_with={"champion": champion.name, "run": champion.name})


def compared_run(run: Run) -> tuple[str, Run] | None:
    """(name of the champion, the run to compare with): the champion's own run, or the refit of its settings
    on this run's data."""
    found = run.read().compared_with
    if found is None:
        return None
    other = Run(run.folder.parent / found.run)
    return (found.champion, other) if other.exists else None
