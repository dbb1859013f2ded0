"""What each group of features, and each source, brings: the ranker fitted again without it, on a run that is
trained.

    make benchmark-ablation                                          complete-journey, the newest run of sasrec
    BENCH_ARGS="--data taobao --model hstu" make benchmark-ablation

Fitted on the window between the validation and the test split point, measured on the test window, like the
run itself. A source is left out with the features that are its own: its candidates are not in the lists then.
Kept in docs/results and shown on docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.again import finished_run
from benchmarks.quality import RESULTS, configuration, write_page
from configs.console import log, progress
from configs.schema import Config
from features.dataset import Dataset
from features.histories import IntArray
from features.splits import SplitPoint, split_points, targets_between
from models.ranker import RankerNetwork
from serving.recommend.feature_names import FEATURE_GROUPS, FEATURES
from serving.recommend.pipeline import Pipeline
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval
from training.queries import query_at
from training.ranker.fit import split_lists, train_ranker
from training.ranker.lists import RankedList, ranked_lists
from training.runs.run import Run, environment, write_json

PARTS = ("all", "repeat", "new")
OWN_FEATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "encoder": ("encoder",),
    "repeats": ("how often", "how lately"),
    "together": ("goes together",),
    "people": ("people alike",),
    "popular": ("what sells",),
}
"""Source → the groups of features that are its own."""


@dataclass(frozen=True)
class Asked:
    """One user's candidates at the test split point. Shapes: C candidates, F features, S sources."""

    features: NDArray[np.float32]
    """(C, F)"""
    is_own: NDArray[np.bool_]
    """(C,)"""
    is_relevant: NDArray[np.bool_]
    """(C,)"""
    num_relevant: Mapping[str, int]
    """part → how many items are relevant, among the candidates or not"""
    proposed: Mapping[str, NDArray[np.bool_]]
    """source → (C,) whether it proposed the candidate"""


def main() -> int:
    """Fit and measure without one group, without one source; write the result and the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="complete-journey")
    parser.add_argument("--model", default="sasrec")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    arguments = parser.parse_args()
    config = configuration(arguments.data, arguments.model, overrides=arguments.overrides)
    run = finished_run(config)
    rows = ablate(Dataset.open(config.workspace / "dataset"), run, config)
    result = {"data": arguments.data, "model": arguments.model, "ablation": rows, **environment()}
    write_json(RESULTS / f"ablation-{arguments.data}.json", result)
    write_page()
    for row in rows:
        mean, low, high = row["all"]
        sys.stdout.write(
            f"{row['without']:<40} {mean:+.4f} ({low:+.4f} to {high:+.4f})   new {row['new'][0]:+.4f}\n"
        )
    return 0


def ablate(dataset: Dataset, run: Run, config: Config) -> list[dict[str, Any]]:
    """A row for the whole, then the difference without each group and each source: part → (mean, low,
    high)."""
    validation, test, full = split_points(dataset, config.split)
    fitted = Pipeline.load(run.folder / "bundle-validation")
    lists = split_lists(list(ranked_lists(fitted, dataset, validation, test, config=config)), config.ranker)
    asked = ask(Pipeline.load(run.folder / "bundle-test"), dataset, test, full, config=config)
    whole = measured(lists, asked, config, groups=(), source=None)
    rows = [{"without": "nothing", **_intervals(whole, config)}]
    for group in FEATURE_GROUPS:
        found = measured(lists, asked, config, groups=(group,), source=None)
        rows.append({"without": f"features: {group}", **_differences(found, whole, config)})
    for source, groups in OWN_FEATURES.items():
        found = measured(lists, asked, config, groups=groups, source=source)
        rows.append({"without": f"source: {source}", **_differences(found, whole, config)})
    return rows


def ask(
    pipeline: Pipeline, dataset: Dataset, point: SplitPoint, later: SplitPoint, *, config: Config
) -> list[Asked]:
    """The candidates of each user with a target between the split points, with what became of them."""
    relevant = targets_between(dataset, point, later, targets=config.history.targets)
    found = []
    with progress("candidates", total=len(relevant)) as work:
        for user in sorted(relevant)[: config.evaluation.max_users]:
            found.append(_asked(pipeline, dataset, point, user, relevant[user]))
            work.advance()
    return found


def _asked(pipeline: Pipeline, dataset: Dataset, point: SplitPoint, user: int, relevant: IntArray) -> Asked:
    candidates, person, _ = pipeline.candidates(query_at(dataset, point, user))
    num_own = int(np.isin(relevant, person.own.items).sum())
    return Asked(
        features=candidates.features,
        is_own=np.isin(candidates.items, person.own.items),
        is_relevant=np.isin(candidates.items, relevant),
        num_relevant={"all": len(relevant), "repeat": num_own, "new": len(relevant) - num_own},
        proposed={
            source: np.isin(candidates.items, items) for source, items in candidates.proposed_by.items()
        },
    )


def measured(
    lists: tuple[list[RankedList], list[RankedList]],
    asked: list[Asked],
    config: Config,
    *,
    groups: Iterable[str],
    source: str | None,
) -> dict[str, NDArray[np.float64]]:
    """part → capped recall of each user (NaN where the part has nothing relevant), with a ranker fitted
    without the groups."""
    away = np.isin(FEATURES, [name for group in groups for name in FEATURE_GROUPS[group]])
    log(f"without {', '.join([*groups, *([source] if source else [])]) or 'nothing'}")
    training, held_back = (
        [replace(one, features=np.where(away, np.float32(0), one.features)) for one in part] for part in lists
    )
    network = train_ranker(training, held_back, config)
    rows = [_recalls(network, one, away=away, source=source, k=config.evaluation.headline_k) for one in asked]
    return {part: np.array([row[part] for row in rows]) for part in PARTS}


@torch.no_grad()
def _recalls(
    network: RankerNetwork, one: Asked, *, away: NDArray[np.bool_], source: str | None, k: int
) -> dict[str, float]:
    stands = np.ones(len(one.is_own), bool)
    if source is not None:
        stands = np.any([by for name, by in one.proposed.items() if name != source], axis=0)
    features = np.where(away, np.float32(0), one.features)
    order = np.argsort(-network(torch.from_numpy(features)).numpy(), kind="stable")
    order = order[stands[order]]
    found = {"all": order, "repeat": order[one.is_own[order]], "new": order[~one.is_own[order]]}
    return {
        part: int(one.is_relevant[found[part][:k]].sum()) / min(k, count)
        if (count := one.num_relevant[part])
        else float("nan")
        for part in PARTS
    }


def _intervals(
    values: Mapping[str, NDArray[np.float64]], config: Config
) -> dict[str, tuple[float, float, float]]:
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
    return {
        part: mean_and_interval(found[~np.isnan(found)], samples=samples, seed=seed)
        for part, found in values.items()
    }


def _differences(
    found: Mapping[str, NDArray[np.float64]], whole: Mapping[str, NDArray[np.float64]], config: Config
) -> dict[str, tuple[float, float, float]]:
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
    known = {part: ~np.isnan(whole[part]) for part in PARTS}
    return {
        part: difference_interval(
            found[part][known[part]], whole[part][known[part]], samples=samples, seed=seed
        )
        for part in PARTS
    }


if __name__ == "__main__":
    sys.exit(main())
