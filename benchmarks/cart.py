"""Completes carts: hides one item of a basket, and asks for it.

    make benchmark-cart                                        complete-journey, a few minutes
    BENCH_ARGS="--data online-retail --files DIR" make benchmark-cart
    BENCH_ARGS=--page make benchmark-cart                      only writes the page from docs/results

It takes the newest finished run of SASRec of `make benchmark-quality`, whose bundle knows nothing of the
test window. Of each user drawn, one basket of that window is drawn, and of it one item, which is hidden. The
result is kept in docs/results, and docs/benchmarks-cart.md is made from it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.cart_page import cart_page
from benchmarks.folders import DOCS, RESULTS
from benchmarks.quality import FILES, configuration
from benchmarks.reuse_encoders import finished_run
from configs.console import log, progress
from configs.exceptions import ArtefactError
from configs.schema import Config
from configs.settings.recommend import DEFAULT_SURFACES, SurfaceConfig
from features.dataset import Dataset
from features.histories import IntArray
from features.interactions import Interactions
from features.retriever import Retriever
from features.retrievers.association_rules import AssociationRules
from features.sessions import session_numbers
from features.splits import SplitPoint, split_points
from features.user_keys import user_keys
from serving.recommend.bundle import Bundle
from serving.recommend.candidates import KnownUser
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval, user_metrics
from training.export.fit_pipeline import bundle_folder
from training.runs.environment import environment
from training.runs.run import write_json

LENGTH: Final = 20
METRICS: Final = ("recall_10", "recall_20", "mrr_20")
RULES: Final = AssociationRules.name
PAGE_FILE: Final = DOCS / "benchmarks-cart.md"
RETRIEVERS: Final = (RULES, "co_occurrence", "popularity")
"""Those that are measured alone"""
OTHERS: Final = ("co_occurrence", "next_basket", "encoder", "popularity")
SURFACES: Final = {
    **{name: DEFAULT_SURFACES[name] for name in ("home", "product", "cart")},
    "by_page": SurfaceConfig(retrievers=OTHERS, order_by="page"),
    "rules_ranked": SurfaceConfig(retrievers=(RULES,)),
    "all_ranked": SurfaceConfig(retrievers=(RULES, *OTHERS)),
}
"""Name → the surface that is measured: a shop's own, and what else they could be"""


@dataclass(frozen=True)
class Case:
    """A basket without one item."""

    user: int
    as_of: int
    """Microseconds: when the basket began"""
    shown: IntArray
    """(M,) what is left of it, in no order"""
    hidden: int


def main() -> int:
    """Measure what was asked for and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="complete-journey", help="complete-journey or online-retail")
    parser.add_argument("--files", type=Path, default=Path(), help="folder of the data set's file")
    parser.add_argument("--baskets", type=int, default=2000, help="a sample, drawn by seed")
    parser.add_argument("--page", action="store_true", help="only write the page again from docs/results")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    given = parser.parse_args()
    if not given.page:
        file = given.files / str(FILES[given.data]) if FILES[given.data] else None
        config = configuration(given.data, "sasrec", file=file, overrides=given.overrides)
        result = measure(config, num_baskets=given.baskets)
        write_json(RESULTS / f"cart-{given.data}.json", {"data": given.data, **result, **environment()})
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("cart-*.json"))]
    PAGE_FILE.write_text(cart_page(kept), encoding="utf-8")
    return 0


def measure(config: Config, *, num_baskets: int) -> dict[str, Any]:
    """The whole cart but one item, and one item of it alone: figures of every system."""
    dataset = Dataset.open(config.workspace / "dataset")
    _, test, full = split_points(dataset, config.split)
    bundle = bundle_to_measure(config, dataset, test)
    cases = list(hidden_items(dataset, test, full, config, num_baskets=num_baskets))
    log(f"{len(cases):,} baskets")
    one_item = [replace(case, shown=case.shown[:1]) for case in cases]
    tasks = {"cart": cases, "product": one_item}
    options = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}
    return {
        "cart": {name: compared(rows_of(bundle, dataset, found), options) for name, found in tasks.items()},
        "baskets": len(cases),
        "median_size": float(np.median([len(case.shown) + 1 for case in cases])),
        "window_days": config.split.window_days,
        "dataset": dataset.fingerprint,
    }


def bundle_to_measure(config: Config, dataset: Dataset, test: SplitPoint) -> Bundle:
    """The run's judged bundle, with rules as of the same split point, and the surfaces to measure."""
    try:
        bundle = Bundle.open(bundle_folder(finished_run(config), test))
    except ArtefactError as error:
        raise SystemExit(f"{error} For a run: BENCH_ARGS='--models sasrec' make benchmark-quality.") from None
    rules = AssociationRules.fit(Interactions.before(dataset, test, config), config)
    retrievers: Mapping[str, Retriever] = dict(sorted({**bundle.retrievers, RULES: rules}.items()))
    settings = bundle.settings.model_copy(update={"surfaces": SURFACES})
    return replace(bundle, settings=settings, retrievers=retrievers)


def hidden_items(
    dataset: Dataset, test: SplitPoint, full: SplitPoint, config: Config, *, num_baskets: int
) -> Iterator[Case]:
    """One basket of at least two items of each of so many users, without one of its items."""
    later = Interactions.before(dataset, full, config)
    sessions = session_numbers(later.users, later.events)
    in_window = later.events.times >= test.as_of
    generator = np.random.default_rng(0)
    of_user: dict[int, list[tuple[int, IntArray]]] = {}
    for session in np.unique(sessions[in_window]):
        which = slice(*np.searchsorted(sessions, [session, session + 1]))
        items, as_of = np.unique(later.events.items[which]), int(later.events.times[which][0])
        if len(items) > 1 and as_of >= test.as_of:
            of_user.setdefault(int(later.users[which][0]), []).append((as_of, items.astype(np.int32)))
    users = generator.permutation(sorted(of_user))[:num_baskets]
    for user in users.tolist():
        as_of, items = of_user[user][generator.integers(len(of_user[user]))]
        items = generator.permutation(items)
        yield Case(user, as_of, items[1:], int(items[0]))


def rows_of(bundle: Bundle, dataset: Dataset, cases: list[Case]) -> dict[str, list[dict[str, float]]]:
    """System → the metrics of each case."""
    pipeline, keys = Pipeline(bundle), user_keys(dataset)
    systems: dict[str, Callable[[Query, KnownUser], IntArray]] = {
        **{name: _alone(pipeline, name) for name in RETRIEVERS},
        **{f"surface {name}": _served(pipeline, name) for name in SURFACES},
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
    with progress("carts", total=len(cases)) as work:
        for case in cases:
            query = Query(
                dataset.history(case.user).before(case.as_of),
                case.as_of,
                page_items=case.shown,
                num_results=LENGTH,
                user_attributes=np.asarray(dataset.user_attributes[case.user]),
                user=keys[case.user],
            )
            hidden, known = np.array([case.hidden], np.int32), pipeline.know(query)
            for name, list_of in systems.items():
                found[name].append(user_metrics(list_of(query, known), hidden, cutoffs=(10, LENGTH)))
            work.advance()
    return found


def _alone(pipeline: Pipeline, name: str) -> Callable[[Query, KnownUser], IntArray]:
    """The list of a retriever for a page, without what is on it."""
    retriever, bundle = pipeline.bundle.retrievers[name], pipeline.bundle

    def list_of(query: Query, known: KnownUser) -> IntArray:
        if name == "popularity":
            popular = pipeline.most_popular(LENGTH + len(query.page_items))
            return popular[~np.isin(popular, query.page_items)][:LENGTH]
        allowed = bundle.recommendable.copy()
        allowed[query.page_items] = False
        return retriever.for_page(query.page_items).best(LENGTH, allowed=allowed)

    return list_of


def _served(pipeline: Pipeline, surface: str) -> Callable[[Query, KnownUser], IntArray]:
    def list_of(query: Query, known: KnownUser) -> IntArray:
        asked = replace(query, surface=surface)
        answer = pipeline.recommend(asked, ranked=pipeline.rank(asked, known=known))
        return np.array([one.item for one in answer.recommendations], np.int32)

    return list_of


def compared(rows: Mapping[str, list[dict[str, float]]], options: Mapping[str, int]) -> dict[str, Any]:
    """System → metric → mean with its interval, and the same of the difference to the rules alone."""
    values = {
        name: {metric: np.array([row[metric] for row in found]) for metric in METRICS}
        for name, found in rows.items()
    }
    return {
        name: {
            metric: {
                "mean": mean_and_interval(of_metric, **options),
                "rules_minus": difference_interval(values[RULES][metric], of_metric, **options),
            }
            for metric, of_metric in found.items()
        }
        for name, found in values.items()
    }


if __name__ == "__main__":
    sys.exit(main())
