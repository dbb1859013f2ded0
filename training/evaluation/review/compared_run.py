"""Which run a run is compared with: the champion, where both were asked the same question."""

from __future__ import annotations

from configs.console import log
from configs.exceptions import ConfigError
from configs.load import load_config
from configs.schema import Config
from serving.recommend.served_bundle import read_pointer
from training.evaluation.review.user_figures import UserFigures
from training.runs.run import Run


def present_champion(run: Run, config: Config) -> Run | None:
    """The champion's run; None when there is none, when it is this run itself, or when its folder is gone."""
    pointer = read_pointer(config.workspace)
    if pointer is None or pointer.run == run.name:
        return None
    champion = Run(config.workspace / "runs" / pointer.run)
    if not champion.read():
        log(f"the champion's run {champion.folder} is gone, so it cannot be compared")
        return None
    return champion


def asked_otherwise(run: Run, other: Run, config: Config) -> list[str]:
    """In what the question of two tables differs; nothing where both are over the same users and items, at
    the same k.

    Raises ConfigError for a run of another version.
    """
    ours, theirs = (
        load_config(one.folder / "config.yaml", workspace=config.workspace) for one in (run, other)
    )
    same = {
        "data": run.read().get("dataset") == other.read().get("dataset"),
        "window": ours.split == theirs.split,
        "targets": ours.history.targets == theirs.history.targets,
        "evaluation": ours.evaluation == theirs.evaluation,
    }
    return [name for name, is_same in same.items() if not is_same]


def same_question(run: Run, other: Run, config: Config) -> bool:
    """Whether figures of both may be paired, user by user. Raises ConfigError for a run of another
    version."""
    return not asked_otherwise(run, other, config)


def of_this_version(champion: Run, config: Config) -> bool:
    """Whether its settings can be read here; where not, say so."""
    try:
        load_config(champion.folder / "config.yaml", workspace=config.workspace)
    except ConfigError as error:
        log(f"the champion {champion.name} is of another version and is not compared ({error})")
        return False
    return True


def note_champion(run: Run, config: Config) -> None:
    """Write into `run.json` which run this one can be compared with, where the champion was asked the same
    question."""
    champion = present_champion(run, config)
    if champion is None or UserFigures.find(champion.folder) is None or not of_this_version(champion, config):
        return
    if same_question(run, champion, config):
        run.update(compared_with={"champion": champion.name, "run": champion.name})


def compared_run(run: Run) -> tuple[str, Run] | None:
    """(name of the champion, the run to compare with): the champion itself, or its settings fitted on the
    same data."""
    found = run.read().get("compared_with")
    if not found:
        return None
    other = Run(run.folder.parent / found["run"])
    return (str(found["champion"]), other) if other.read() else None
