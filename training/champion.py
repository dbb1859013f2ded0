"""The gate for what is served: a bundle becomes champion when its pipeline beats every source alone and the present champion.

<workspace>/bundles/<run>      every exported bundle
<workspace>/champion.json      the one to serve: a local pointer, so that a server starts without MLflow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from configs.console import say
from configs.schema import Config
from features.dataset import Dataset
from features.splits import cuts
from serving.champion import POINTER_FILE, read_pointer
from training.evaluate import PIPELINE, SOURCES
from training.fit import fit
from training.metrics import difference_interval
from training.report import headline_metric, report, require_same_data, settings_of
from training.run_log import RunLog, write_json
from training.tracking import register, require_tracking, set_champion, sync
from training.train import train


@dataclass(frozen=True)
class Exported:
    """What became of an export."""

    bundle: Path
    version: str
    is_champion: bool
    why: str
    """The figures behind the decision."""


def export(config: Config, run: RunLog) -> Exported:
    """Fit on everything, write the bundle, register it, and let the gate decide. Evaluates the run first if need be."""
    dataset = Dataset.open(config.workspace / "dataset")
    require_same_data(run, dataset)
    require_tracking(config)
    if not (run.folder / "evaluation_users.npz").is_file():
        report(config, run)
    settings = settings_of(run, config)
    _, test, everything = cuts(dataset, settings.split)
    bundle = config.workspace / "bundles" / run.name
    version = fit(dataset, test, everything, bundle, config=settings, run=run)
    model_version = register(run, bundle, settings, version=version)
    is_champion, why = _wins(run, config, dataset)
    if is_champion:
        write_json(config.workspace / POINTER_FILE, {"bundle": f"bundles/{run.name}", "version": version, "run": run.name})
        if model_version is not None:
            set_champion(settings, model_version=model_version)
    run.update(bundle={"version": version, "model_version": model_version, "champion": is_champion, "why": why})
    sync(run, settings)
    return Exported(bundle, version, is_champion, why)


def _wins(run: RunLog, config: Config, dataset: Dataset) -> tuple[bool, str]:
    mine = np.load(run.folder / "evaluation_users.npz")
    name = headline_metric(settings_of(run, config))
    means = {system: float(mine[system].mean()) for system in (PIPELINE, *SOURCES)}
    best_source = max(SOURCES, key=lambda source: means[source])
    found = f"pipeline {name} {means[PIPELINE]:.4f}, best source alone {best_source} {means[best_source]:.4f}"
    if means[PIPELINE] <= means[best_source]:
        return False, f"{found}: a source alone is as good, so the champion stays"
    champion = _champion_users(run, config, dataset)
    if champion is None:
        return True, f"{found}: the first champion"
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
    margin, low, high = difference_interval(mine[PIPELINE], champion, samples=samples, seed=seed)
    found = f"{found}, against the champion {margin:+.4f} ({low:+.4f} to {high:+.4f})"
    return margin > 0, f"{found}: {'the new champion' if margin > 0 else 'the champion stays'}"


def _champion_users(run: RunLog, config: Config, dataset: Dataset) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """The champion's figure for each user of this run's table; None when there is no other champion.

    A champion trained on other data is trained again on this, with its own settings: its deployed bundle knows the window.
    """
    pointer = read_pointer(config.workspace)
    if pointer is None or pointer.run == run.name:
        return None
    champion = RunLog(config.workspace / "runs" / pointer.run)
    if not champion.read():
        say(f"the champion's run {champion.folder} is gone, so it cannot be compared")
        return None
    ours, theirs = settings_of(run, config), settings_of(champion, config)
    same_table = (ours.split, ours.evaluation, ours.history.targets) == (
        theirs.split,
        theirs.evaluation,
        theirs.history.targets,
    )
    if champion.read().get("dataset") != dataset.fingerprint or not same_table:
        say(f"fitting the champion's settings ({pointer.run}) on the present data, to compare on the same window")
        champion = train(_on_the_table_of(ours, theirs))
        champion.update(refit_of=pointer.run)
        report(config, champion)
    elif not (champion.folder / "evaluation_users.npz").is_file():
        report(config, champion)
    mine, found = np.load(run.folder / "evaluation_users.npz"), np.load(champion.folder / "evaluation_users.npz")
    if not np.array_equal(mine["users"], found["users"]):
        raise AssertionError("the same data and settings gave tables over different users")
    return np.asarray(found[PIPELINE], np.float64)


def _on_the_table_of(ours: Config, theirs: Config) -> Config:
    """Their settings, asked the question that ours were asked."""
    inputs = tuple(dict.fromkeys((*theirs.history.input_kinds, *ours.history.target_kinds)))
    history = theirs.history.model_copy(update={"targets": ours.history.targets, "input_kinds": inputs})
    return theirs.model_copy(update={"split": ours.split, "evaluation": ours.evaluation, "history": history})
