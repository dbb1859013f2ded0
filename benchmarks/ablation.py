"""Ablation of the ranker: fits it again on a trained run, without one feature group or one retriever.

    make benchmark-ablation                                         complete-journey, the newest run of sasrec
    BENCH_ARGS="--data taobao --model hstu" make benchmark-ablation

The ranker is fitted on the window between the validation and the test split point and measured on the test
window, as in the run itself. Without a retriever, its candidates are not in the lists and its own features
are left out too. The result is kept in docs/results and shown on docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.ablation_table import PARTS
from benchmarks.folders import RESULTS
from benchmarks.quality import configuration
from benchmarks.quality_page import write_page
from benchmarks.reuse_encoders import finished_run
from configs.console import log, progress
from configs.schema import Config
from features.dataset import Dataset
from features.histories import IntArray
from features.splits import SplitPoint, split_points, targets_between
from models.ranker import RankerNetwork
from serving.recommend.pipeline import Pipeline
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval
from training.export.fit_pipeline import candidate_pipeline
from training.queries import query_at
from training.ranker.fit import split_lists, train_ranker
from training.ranker.lists import RankedList, ranked_lists
from training.runs.environment import environment
from training.runs.run import Run, write_json


@dataclass(frozen=True)
class UserCandidates:
    """One user's candidates at the test split point. Shapes: C candidates, F features."""

    features: NDArray[np.float32]
    """(C, F)"""
    in_history: NDArray[np.bool_]
    """(C,) whether the candidate is in the purchase history"""
    is_relevant: NDArray[np.bool_]
    """(C,)"""
    num_relevant: Mapping[str, int]
    """part → number of relevant items, whether they are candidates or not"""
    retrieved_by: Mapping[str, NDArray[np.bool_]]
    """retriever → (C,) whether it retrieved the candidate"""


def main() -> int:
    """Fit and measure every ablation; write the result and the page."""
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
    """A row for the complete ranker, then a row of differences from it per group and per retriever left out.

    A row has `without` and, for each part, (mean, lower bound, upper bound).
    """
    validation, test, full = split_points(dataset, config.split)
    fitted = candidate_pipeline(dataset, validation, config=config, run=run)
    lists = split_lists(list(ranked_lists(fitted, dataset, validation, test, config=config)), config.ranker)
    judged = candidate_pipeline(dataset, test, config=config, run=run)
    users = user_candidates(judged, dataset, test, full, config=config)
    blocks, names = judged.columns.groups, judged.columns.names

    def without(columns: Collection[str], retriever: str | None) -> dict[str, NDArray[np.float64]]:
        is_left_out = np.isin(names, list(columns))
        return capped_recall(lists, users, config, is_left_out=is_left_out, retriever=retriever)

    complete = without((), None)
    rows = [{"without": "nothing", **_intervals(complete, config)}]
    for block, columns in blocks.items():
        if not columns:
            continue
        log(f"without the features of {block}")
        found = without(columns, None)
        rows.append({"without": f"features: {block}", **_differences(found, complete, config)})
    for retriever in (name for name, one in judged.bundle.retrievers.items() if one.is_general):
        log(f"without the retriever {retriever}")
        found = without(blocks[retriever], retriever)
        rows.append({"without": f"retriever: {retriever}", **_differences(found, complete, config)})
    return rows


def user_candidates(
    pipeline: Pipeline, dataset: Dataset, point: SplitPoint, later: SplitPoint, *, config: Config
) -> list[UserCandidates]:
    """The candidates of every user with a target between the split points, with their relevance."""
    relevant = targets_between(dataset, point, later, targets=config.history.targets)
    found = []
    with progress("candidates", total=len(relevant)) as work:
        for user in sorted(relevant)[: config.evaluation.max_users]:
            found.append(_candidates_of(pipeline, dataset, point, user=user, relevant=relevant[user]))
            work.advance()
    return found


def _candidates_of(
    pipeline: Pipeline, dataset: Dataset, point: SplitPoint, *, user: int, relevant: IntArray
) -> UserCandidates:
    candidates, known = pipeline.candidates(query_at(dataset, point, user))
    own = known.context.profile.own.codes
    num_repeat = int(np.isin(relevant, own).sum())
    return UserCandidates(
        features=candidates.features,
        in_history=np.isin(candidates.items, own),
        is_relevant=np.isin(candidates.items, relevant),
        num_relevant={"all": len(relevant), "repeat": num_repeat, "new": len(relevant) - num_repeat},
        retrieved_by={
            name: np.isin(candidates.items, found.proposed) for name, found in candidates.retrievals.items()
        },
    )


def capped_recall(
    lists: tuple[list[RankedList], list[RankedList]],
    users: list[UserCandidates],
    config: Config,
    *,
    is_left_out: NDArray[np.bool_],
    retriever: str | None,
) -> dict[str, NDArray[np.float64]]:
    """Capped recall of each user with a ranker that is fitted without some of the features' columns.

    Args:
        lists: the ranker's training lists and its held-back lists.
        is_left_out: (F,) the columns that are set to 0, in training and in the test.
        retriever: the retriever whose candidates are left out of the test lists.

    Returns:
        part → (U,), NaN for a user without a relevant item in the part.
    """
    training, held_back = (
        [replace(one, features=np.where(is_left_out, np.float32(0), one.features)) for one in part]
        for part in lists
    )
    network, k = train_ranker(training, held_back, config), config.evaluation.headline_k
    rows = [_recalls(network, user, is_left_out=is_left_out, retriever=retriever, k=k) for user in users]
    return {part: np.array([row[part] for row in rows]) for part in PARTS}


@torch.no_grad()
def _recalls(
    network: RankerNetwork,
    user: UserCandidates,
    *,
    is_left_out: NDArray[np.bool_],
    retriever: str | None,
    k: int,
) -> dict[str, float]:
    is_retrieved = np.ones(len(user.in_history), bool)
    if retriever is not None:
        is_retrieved = np.any([by for name, by in user.retrieved_by.items() if name != retriever], axis=0)
    features = np.where(is_left_out, np.float32(0), user.features)
    order = np.argsort(-network(torch.from_numpy(features)).numpy(), kind="stable")
    order = order[is_retrieved[order]]
    lists = {"all": order, "repeat": order[user.in_history[order]], "new": order[~user.in_history[order]]}
    return {
        part: int(user.is_relevant[lists[part][:k]].sum()) / min(k, count)
        if (count := user.num_relevant[part])
        else float("nan")
        for part in PARTS
    }


def _intervals(
    recalls: Mapping[str, NDArray[np.float64]], config: Config
) -> dict[str, tuple[float, float, float]]:
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
    return {
        part: mean_and_interval(values[~np.isnan(values)], samples=samples, seed=seed)
        for part, values in recalls.items()
    }


def _differences(
    found: Mapping[str, NDArray[np.float64]], complete: Mapping[str, NDArray[np.float64]], config: Config
) -> dict[str, tuple[float, float, float]]:
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
    known = {part: ~np.isnan(complete[part]) for part in PARTS}
    return {
        part: difference_interval(
            found[part][known[part]], complete[part][known[part]], samples=samples, seed=seed
        )
        for part in PARTS
    }


if __name__ == "__main__":
    sys.exit(main())
