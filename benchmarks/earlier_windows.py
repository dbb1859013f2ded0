"""The ranker fitted on several windows, one after the other, beside the ranker of the last one alone.

A small data set has few purchases in a window. Each earlier window has lists of its own: the retrievers and
the encoder of its beginning, which saw nothing of it, and the labels of its days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.outcome_figures import Candidates, figures, outcome_candidates, reliability
from configs.console import log
from configs.schema import Config
from configs.settings.outcomes import Outcome
from features.core.columns import MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.splits import SplitPoint, split_point_at, split_points
from models.ranker import RankerNetwork
from serving.recommend.pipeline import Pipeline
from training.encoder.fit import fit_encoders
from training.export.fit_pipeline import candidate_pipeline
from training.ranker.calibration import outcome_weights
from training.ranker.fit import split_lists, train_ranker
from training.ranker.lists import RankedList, ranked_lists
from training.runs.run import Run

EARLIER_WINDOWS: Final[Mapping[str, int]] = {"taobao": 4}
"""Data set → windows before the one that the ranker is fitted on, each with a past of three days or more"""

Orders = Callable[[Pipeline, RankerNetwork, list[Candidates]], Mapping[str, Sequence[NDArray[np.float32]]]]


def window_figures(
    data: str, dataset: Dataset, config: Config, *, num_users: int, orders: Orders
) -> dict[str, Any]:
    """Figures of rankers of one window and of all, over the same candidates, with the same encoders: one is
    fitted before the first window, and continued at the beginning of each later one.

    `orders` makes scores of what a ranker with several heads gives for each user's candidates.
    """
    _, test, full = split_points(dataset, config.split)
    points = [*_earlier_points(dataset, config, EARLIER_WINDOWS[data]), *split_points(dataset, config.split)]
    run = Run.create(config.workspace / "runs-of-windows", name=config.name)
    first, second, *others = points
    fit_encoders(dataset, (first, second, *others), config=config, run=run)  # type: ignore[arg-type]
    outcomes = outcome_weights(config, dataset)
    windows = [
        _lists_by_user(dataset, earlier, later, config=config, run=run, outcomes=tuple(outcomes))
        for earlier, later in pairwise(points)
        if later.as_of <= test.as_of
    ]
    judged = candidate_pipeline(dataset, test, config=config, run=run)
    found = outcome_candidates(judged, dataset, test, full, config=config, num_users=num_users)
    systems: dict[str, Sequence[NDArray[np.float32]]] = {}
    tables: dict[str, Any] = {}
    counts: dict[str, dict[str, int]] = {}
    for name, chosen in {"1 window": windows[-1:], f"{len(windows)} windows": windows}.items():
        lists = split_lists(_joined(chosen), config.ranker)
        network = train_ranker(*lists, config, outcomes=outcomes)
        counts[name] = _counts(lists[0], list(outcomes))
        tables[name] = reliability(network, found)
        systems |= {f"{order}, {name}": scores for order, scores in orders(judged, network, found).items()}
    return {"lists": counts, "systems": figures(systems, found, judged, config), "reliability": tables}


def _earlier_points(dataset: Dataset, config: Config, count: int) -> list[SplitPoint]:
    validation, *_ = split_points(dataset, config.split)
    window = int(config.split.window_days * MICROSECONDS_PER_DAY)
    return [
        split_point_at(dataset, validation.as_of - number * window, name=f"earlier-{number}")
        for number in range(count, 0, -1)
    ]


def _lists_by_user(
    dataset: Dataset,
    earlier: SplitPoint,
    later: SplitPoint,
    *,
    config: Config,
    run: Run,
    outcomes: Sequence[Outcome],
) -> dict[int, list[RankedList]]:
    log(f"lists of the window after {np.datetime64(earlier.as_of // 1_000_000, 's')}")
    pipeline = candidate_pipeline(dataset, earlier, config=config, run=run)
    starts, ends = earlier.to_predict(later)
    users = np.flatnonzero(ends > starts).tolist()
    lists = ranked_lists(pipeline, dataset, earlier, later, config=config, outcomes=outcomes)
    return dict(zip(users, lists, strict=True))


def _joined(windows: Sequence[Mapping[int, list[RankedList]]]) -> list[list[RankedList]]:
    """The lists of each user, of all windows together: one user is trained on or held back."""
    users = sorted({user for window in windows for user in window})
    return [[one for window in windows for one in window.get(user, [])] for user in users]


def _counts(lists: Sequence[RankedList], outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Training lists in all, and those in which an outcome happened."""
    labels = [one.outcomes.any(axis=0) for one in lists if one.outcomes is not None]
    happened = np.stack(labels).sum(axis=0).tolist()
    return {"all": len(lists), **dict(zip(outcomes, happened, strict=True))}
