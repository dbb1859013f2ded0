"""The gate for what is served: a bundle becomes champion when its pipeline beats every source alone and the
present champion.

<workspace>/bundles/<run>      every exported bundle
<workspace>/champion.json      the one to serve: a local pointer, so that a server starts without MLflow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.console import log
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from serving.recommend.served_bundle import POINTER_FILE, read_pointer
from training.evaluate import headline_metric, report, settings_of
from training.evaluation.breakdowns import over_run
from training.evaluation.comparable_runs import of_this_version, present_champion, same_question
from training.evaluation.review.write import write_review
from training.evaluation.systems import PIPELINE
from training.evaluation.user_figures import UserFigures
from training.export.fit_pipeline import fit_pipeline
from training.runs.run import Run, require_same_data, write_json
from training.runs.tracking import register, require_tracking, set_champion, sync
from training.train import train


@dataclass(frozen=True)
class Exported:
    """What became of an export."""

    bundle: Path
    version: str
    is_champion: bool
    why: str
    """The figures behind the decision."""


def export(config: Config, run: Run) -> Exported:
    """Fit on everything, write the bundle, register it, and let the gate decide. Evaluates the run first if
    need be."""
    dataset = Dataset.open(config.workspace / "dataset")
    require_same_data(run, dataset)
    require_tracking(config)
    if UserFigures.find(run.folder) is None:
        report(config, run)
    settings = settings_of(run, config)
    _, test, full = split_points(dataset, settings.split)
    bundle = config.workspace / "bundles" / run.name
    fitted = fit_pipeline(dataset, test, full, config=settings, run=run)
    version = fitted.save(bundle, made_from=dataset.fingerprint)
    model_version = register(run, bundle, settings, version=version)
    is_champion, why = _wins(run, config)
    if is_champion:
        write_json(
            config.workspace / POINTER_FILE,
            {"bundle": f"bundles/{run.name}", "version": version, "run": run.name},
        )
        if model_version is not None:
            set_champion(settings, model_version=model_version)
    run.update(
        bundle={"version": version, "model_version": model_version, "champion": is_champion, "why": why}
    )
    write_review(run, config)
    sync(run, settings)
    return Exported(bundle, version, is_champion, why)


def _wins(run: Run, config: Config) -> tuple[bool, str]:
    mine = _figures(run)
    settings = settings_of(run, config)
    name = headline_metric(settings)
    means = {system: float(parts["all"].mean()) for system, parts in mine.values.items()}
    best_source = max((system for system in means if system != PIPELINE), key=lambda source: means[source])
    found = f"pipeline {name} {means[PIPELINE]:.4f}, best source alone {best_source} {means[best_source]:.4f}"
    if means[PIPELINE] <= means[best_source]:
        return False, f"{found}: a source alone is as good, so the champion stays"
    champion = _comparable_champion(run, config)
    if champion is None:
        return True, f"{found}: {_why_alone(run, config)}"
    differences = over_run(mine, _figures(champion), name=champion.name, config=settings.evaluation)
    if not differences or differences[0].by != "all":
        raise AssertionError("the same data and settings gave tables over different users")
    margin = differences[0]
    found = f"{found}, against the champion {margin.mean:+.4f} ({margin.low:+.4f} to {margin.high:+.4f})"
    return margin.mean > 0, f"{found}: {'the new champion' if margin.mean > 0 else 'the champion stays'}"


def _why_alone(run: Run, config: Config) -> str:
    """Why a pipeline that beats every source becomes champion without being compared.

    A champion that cannot be read can be neither compared nor trained again: were it to stay, it would stay
    for ever.
    """
    pointer = read_pointer(config.workspace)
    if pointer is None or pointer.run == run.name:
        return "the first champion"
    return f"the new champion, by the sources alone, since the old one ({pointer.run}) cannot be compared; its bundle is kept"


def _figures(run: Run) -> UserFigures:
    figures = UserFigures.find(run.folder)
    if figures is None:
        raise AssertionError(f"{run.folder} was just evaluated")
    return figures


def _comparable_champion(run: Run, config: Config) -> Run | None:
    """The champion's run with its figures over the users of this run's table; None when there is no other
    that can be read.

    A champion trained on other data is trained again on this, with its own settings: its deployed bundle
    knows the window.
    """
    champion = present_champion(run, config)
    if champion is None or not of_this_version(champion, config):
        return None
    name = champion.name
    if not same_question(run, champion, config):
        log(f"fitting the champion's settings ({name}) on the present data, to compare on the same window")
        champion = train(
            _on_the_table_of(settings_of(run, config), settings_of(champion, config)), refit_of=name
        )
        report(config, champion)
    elif UserFigures.find(champion.folder) is None:
        report(config, champion)
    run.update(compared_with={"champion": name, "run": champion.name})
    return champion


def _on_the_table_of(ours: Config, theirs: Config) -> Config:
    """Their settings, asked the question that ours were asked."""
    inputs = tuple(dict.fromkeys((*theirs.history.input_event_types, *ours.history.target_event_types)))
    history = theirs.history.model_copy(update={"targets": ours.history.targets, "input_event_types": inputs})
    return theirs.model_copy(update={"split": ours.split, "evaluation": ours.evaluation, "history": history})
