"""When is each of a person's own items due? The surface `buy_again` as a ranking and by calibration, beside
frequency, and docs/benchmarks-due.md.

    BENCH_ARGS="--files DIR" make benchmark-due     complete-journey and online-retail: some minutes
    BENCH_ARGS=--page make benchmark-due            only writes the page again

Four weeks in a row, each with a split point before it: everything is fitted on events before the split point,
and asked which of their own items every user buys in the seven days after it. The results are kept in
docs/results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.due_page import write_page
from benchmarks.folders import RESULTS
from benchmarks.quality import configuration, data_file
from configs.console import log, progress
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.histories import History
from features.interactions import Interactions
from features.prepare import prepare
from features.profiles.due_columns import DUE_COLUMNS, POISSON_GAMMA
from features.profiles.due_model import logistic_regression, probability
from features.profiles.user_profile import HALF_LIVES, build_user_profile
from features.retriever import ScoredItems, UserContext
from features.retrievers.due import Due
from features.retrievers.repurchase import HALF_LIFE
from features.splits import split_point_at, targets_between
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval, user_metrics
from training.runs.environment import environment
from training.runs.run import write_json

NUM_WEEKS: Final = 4
CUTOFF: Final = 10
BINS: Final = (0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1)
"""Edges of the reliability table, probabilities"""
LONG_DAYS: Final = 28
"""An item's interval from so many days on is long."""
Scores = Mapping[str, NDArray[np.float64]]
"""System → one score for each own item"""


@dataclass
class Week:
    """Every user's own items at one moment. Shapes: P pairs of a user and an own item."""

    users: NDArray[np.int64]
    """(P,) whose pair each is"""
    bought: NDArray[np.bool_]
    """(P,) within the days after the moment"""
    scores: Scores
    """(P,) each; probabilities, where the system says `due` or `Poisson`"""
    metrics: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    """system → user → metrics, of the users who bought one of their own items"""


def main() -> int:
    """Measure what was asked for and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="complete-journey,online-retail", help="one, or both with a comma")
    parser.add_argument("--files", type=Path, default=Path(), help="folder of online_retail.parquet")
    parser.add_argument("--page", action="store_true", help="only write the page again from docs/results")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    given = parser.parse_args()
    for data in [] if given.page else given.data.split(","):
        file = data_file(data, given.files)
        config = configuration(data, "sasrec", file=file, overrides=given.overrides)
        if not (config.workspace / "dataset").is_dir():
            prepare(config, now=datetime.now(UTC), progress=log)
        found = measure(Dataset.open(config.workspace / "dataset"), config)
        write_json(RESULTS / f"due-{data}.json", {"data": data, **found, **environment()})
    write_page()
    return 0


def measure(dataset: Dataset, config: Config, *, num_weeks: int = NUM_WEEKS) -> dict[str, Any]:
    """The figures of every system over the last weeks of a data set."""
    window = int(config.retrievers.due_days * MICROSECONDS_PER_DAY)
    end = int(dataset.manifest["last_time"]) + 1
    moments = [end - number * window for number in range(num_weeks + 1, 0, -1)]
    weeks = [week_at(dataset, config, moment, until=moment + window) for moment in moments]
    judged = [calibrated(week, before=before) for before, week in pairwise(weeks)]
    return {
        "due_days": config.retrievers.due_days,
        "moments": [str(np.datetime64(moment, "s")) for moment in (m // 1_000_000 for m in moments[1:])],
        "num_pairs": sum(len(week.bought) for week in judged),
        "share_bought": float(np.concatenate([week.bought for week in judged]).mean()),
        "num_users": len({user for week in judged for user in week.metrics["due"]}),
        "ranking": ranking(judged, config),
        "calibration": calibration(judged),
        "just_bought": just_bought(dataset, config, moments[-1]),
    }


def week_at(dataset: Dataset, config: Config, as_of: int, *, until: int) -> Week:
    """Score every user's own items as of a moment, and see which were bought before `until`."""
    log(f"as of {np.datetime64(as_of // 1_000_000, 's')}")
    points = (split_point_at(dataset, moment, name="test") for moment in (as_of, until))
    point, later = points
    interactions = Interactions.before(dataset, point, config)
    systems = systems_of(Due.fit(interactions, config))
    bought = targets_between(dataset, point, later, targets=config.history.targets)
    parts: list[tuple[NDArray[np.int64], NDArray[np.bool_], list[NDArray[np.float64]]]] = []
    metrics: dict[str, dict[int, dict[str, float]]] = {name: {} for name in systems}
    with progress("users", total=dataset.num_users) as work:
        for user, context in contexts(dataset, interactions, config):
            own, wanted = context.profile.own.codes, bought.get(user, np.empty(0, np.int32))
            found = {name: score(context) for name, score in systems.items()}
            values = [one.at(own).astype(np.float64) for one in found.values()]
            parts.append((np.full(len(own), user, np.int64), np.isin(own, wanted), values))
            again = wanted[np.isin(wanted, own)]
            for name, one in found.items() if len(again) else ():
                metrics[name][user] = user_metrics(one.best(CUTOFF), again, cutoffs=(CUTOFF,))
            work.advance()
    users, labels, scores = zip(*parts, strict=True)
    by_system = {name: np.concatenate([one[place] for one in scores]) for place, name in enumerate(systems)}
    return Week(np.concatenate(users), np.concatenate(labels), by_system, metrics)


def contexts(
    dataset: Dataset, interactions: Interactions, config: Config
) -> Iterator[tuple[int, UserContext]]:
    """What a server would know of every user who had something before the moment."""
    for user in np.unique(interactions.users).tolist():
        context = context_of(dataset.history(user), interactions, config)
        if len(context.profile.own):
            yield user, context


def context_of(history: History, interactions: Interactions, config: Config) -> UserContext:
    """What a server would know of a user with this history."""
    profile = build_user_profile(
        history,
        as_of=interactions.as_of,
        targets=config.history.targets,
        item_categories=interactions.categories,
        item_parents=interactions.parents,
        half_lives=HALF_LIVES,
        recent_days=(),
        num_recent=1,
        profile_event_types=np.empty(0, np.int8),
        has_times=interactions.has_times,
    )
    return UserContext(history, interactions.as_of, profile, np.empty(0, np.int32))


def systems_of(due: Due) -> dict[str, Callable[[UserContext], ScoredItems]]:
    """System → what it gives for a user."""
    alone = np.zeros(len(DUE_COLUMNS))
    alone[POISSON_GAMMA] = 1.0
    poisson_gamma = replace(due, weights=alone)

    def of_own(which: Callable[[UserContext], NDArray[Any]]) -> Callable[[UserContext], ScoredItems]:
        return lambda user: ScoredItems(user.profile.own.codes, which(user).astype(np.float32))

    return {
        "most bought": of_own(lambda user: user.profile.own.counts),
        "latest": of_own(lambda user: 1 / (1 + user.profile.own.days_since)),
        "repurchase": of_own(lambda user: user.profile.own.decayed[:, HALF_LIFE]),
        "Poisson-gamma": poisson_gamma.for_user,
        "due": due.for_user,
    }


def calibrated(week: Week, *, before: Week) -> Week:
    """The scores as probabilities: those of `due` and the Poisson-gamma are; of the others logistic
    regression on their logarithm makes some, fitted on the week before."""
    scores = dict(week.scores)
    for name in set(scores) - {"due", "Poisson-gamma"}:
        fitted, asked = (
            np.stack([np.ones(len(one.bought)), np.log(np.maximum(one.scores[name], 1e-9))], axis=1)
            for one in (before, week)
        )
        weights = logistic_regression(fitted, before.bought, prior=np.zeros(2))
        scores[name] = probability(asked @ weights)
    return replace(week, scores=scores)


def just_bought(dataset: Dataset, config: Config, as_of: int) -> list[dict[str, Any]]:
    """Where an item stands that the user bought a minute ago, by how long its interval is.

    Of every user with ten own items or more one is drawn, and its purchase added to the history.
    """
    interactions = Interactions.before(dataset, split_point_at(dataset, as_of, name="test"), config)
    due = Due.fit(interactions, config)
    systems, chance = systems_of(due), np.random.default_rng(0)
    places: dict[str, dict[str, list[int]]] = {}
    for _, context in contexts(dataset, interactions, config):
        if len(context.profile.own) < CUTOFF:
            continue
        item = int(chance.choice(context.profile.own.codes))
        days = float(np.exp(due.intervals[item, 0] + due.of_shop[0]))
        of_interval = places.setdefault("long" if days >= LONG_DAYS else "short", {})
        now = context_of(
            context.history.before(as_of).followed_by(purchase(item, as_of)), interactions, config
        )
        for name, system in systems.items():
            best = system(now).best(len(now.profile.own))
            of_interval.setdefault(name, []).append(int(np.flatnonzero(best == item)[0]) + 1)
    return [
        {
            "interval": interval,
            "system": name,
            "users": len(found),
            "first": float(np.mean(np.array(found) == 1)),
            "in_first_10": float(np.mean(np.array(found) <= CUTOFF)),
        }
        for interval, by_system in sorted(places.items())
        for name, found in by_system.items()
    ]


def purchase(item: int, as_of: int) -> History:
    """One, a minute before a moment."""
    return History(
        items=np.array([item], np.int32),
        event_types=np.array([EVENT_TYPE_CODE["purchase"]], np.int8),
        times=np.array([as_of - 60_000_000]),
        baskets=np.array([-1]),
        prices=np.full(1, np.nan, np.float32),
    )


def ranking(weeks: list[Week], config: Config) -> dict[str, dict[str, Any]]:
    """System → recall and NDCG with intervals over users, each their mean over weeks; and how much `due` is
    above it."""
    samples, seed = config.evaluation.bootstrap_samples, config.evaluation.seed
    users = sorted({user for week in weeks for user in week.metrics["due"]})

    def values(system: str, metric: str) -> NDArray[np.float64]:
        of_user: dict[int, list[float]] = {user: [] for user in users}
        for week in weeks:
            for user, row in week.metrics[system].items():
                of_user[user].append(row[metric])
        return np.array([np.mean(of_user[user]) for user in users])

    found: dict[str, dict[str, Any]] = {}
    for system in weeks[0].scores:
        found[system] = {}
        for metric in (f"recall_{CUTOFF}", f"ndcg_{CUTOFF}"):
            mine, of_due = values(system, metric), values("due", metric)
            found[system][metric] = mean_and_interval(mine, samples=samples, seed=seed)
            above = difference_interval(of_due, mine, samples=samples, seed=seed)
            found[system][f"due_above_{metric}"] = above
    return found


def calibration(weeks: list[Week]) -> dict[str, dict[str, Any]]:
    """System → Brier score, log loss, expected calibration error and the table that it is made of."""
    bought = np.concatenate([week.bought for week in weeks])
    found = {}
    for system in weeks[0].scores:
        said = np.concatenate([week.scores[system] for week in weeks])
        table = reliability(said, bought)
        bounded = np.clip(said, 1e-9, 1 - 1e-9)
        found[system] = {
            "brier": float(np.mean((said - bought) ** 2)),
            "log_loss": float(-np.mean(np.log(np.where(bought, bounded, 1 - bounded)))),
            "calibration_error": sum(row["pairs"] * abs(row["said"] - row["bought"]) for row in table)
            / max(len(said), 1),
            "table": table,
        }
    return found


def reliability(said: NDArray[np.float64], bought: NDArray[np.bool_]) -> list[dict[str, float]]:
    """What was said of the pairs in each bin of probabilities, and what came true."""
    place = np.searchsorted(BINS, said, side="right").clip(1, len(BINS) - 1) - 1
    rows = []
    for number, (low, high) in enumerate(pairwise(BINS)):
        within = place == number
        if within.any():
            row = {"low": low, "high": high, "pairs": int(within.sum())}
            rows.append(row | {"said": float(said[within].mean()), "bought": float(bought[within].mean())})
    return rows


if __name__ == "__main__":
    sys.exit(main())
