"""Every surface beside each retriever alone, on the surface's own question.

`home`: what does the user have next? `buy again`: which of the user's own items do they have next? `product`:
the page is an item of a basket of the window, what else is in the basket, and what of it is new to the user?
`cart`: the same, where half of a basket of four items or more lies in the cart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from configs.console import progress
from configs.schema import Config
from configs.settings.recommend import PAGE_RETRIEVERS, SurfaceConfig
from features.dataset import Dataset
from features.histories import History, IntArray
from features.splits import SplitPoint, targets_between
from features.target_weights import target_weights
from serving.recommend.candidates import KnownUser
from serving.recommend.pipeline import Pipeline, Ranked
from serving.recommend.request import Query
from training.evaluation.ranking_metrics import difference_interval, mean_and_interval
from training.evaluation.replay import ALONE_DEPTH, lists_alone
from training.queries import query_at

RULES_AND_ENCODER: Final = ("association_rules", "co_occurrence", "next_basket", "encoder", "popularity")
VARIANTS: Final = {
    "every rule first, then rules, encoder and popularity by the ranker": SurfaceConfig(
        retrievers=RULES_AND_ENCODER, order_by="retriever"
    ),
    "rules, encoder and popularity by the ranker": SurfaceConfig(retrievers=RULES_AND_ENCODER),
    "all by the ranker": SurfaceConfig(retrievers=PAGE_RETRIEVERS),
}
"""Other settings of `product` and `cart`, for comparison"""
LEAST_ITEMS: Final = {"product": 2, "cart": 4}
"""Surface with a page → events of a basket that is asked about, at least"""
K: Final = 20


@dataclass(frozen=True)
class Question:
    """What one user is asked for, and what is right."""

    surface: str
    query: Query
    relevant: IntArray
    among: NDArray[np.bool_]
    """(N,) what may stand in its lists"""
    name: str


def surface_figures(
    pipeline: Pipeline,
    dataset: Dataset,
    point: SplitPoint,
    later: SplitPoint,
    *,
    config: Config,
    num_users: int,
) -> dict[str, Any]:
    """Surface → the pipeline's capped recall@20, each retriever's, and the difference of the pipeline from
    the best of them."""
    pipeline = _with_variants(pipeline)
    generator = np.random.default_rng(config.evaluation.seed)
    relevant = targets_between(dataset, point, later, targets=config.history.targets)
    users = np.array(sorted(relevant))
    if len(users) > num_users:
        users = np.sort(generator.choice(users, num_users, replace=False))
    rows: dict[str, list[dict[str, float]]] = {}
    with progress("surfaces", total=len(users)) as work:
        for user in users.tolist():
            window = _window(dataset, point, later, user=user, config=config)
            query = query_at(dataset, point, user, num_results=K)
            known = pipeline.know(query)
            for question in _questions(pipeline, query, known, relevant[user], window, generator):
                rows.setdefault(question.name, []).append(_recalls(pipeline, question, known))
            work.advance()
    return {surface: _summary(of_surface, config) for surface, of_surface in rows.items()}


def _with_variants(pipeline: Pipeline) -> Pipeline:
    bundle = pipeline.bundle
    settings = bundle.settings.model_copy(update={"surfaces": {**bundle.surfaces, **VARIANTS}})
    return Pipeline(replace(bundle, settings=settings))


def _window(dataset: Dataset, point: SplitPoint, later: SplitPoint, *, user: int, config: Config) -> History:
    starts, ends = point.to_predict(later)
    first = int(dataset.offsets[user])
    events = dataset.history(user).take(slice(int(starts[user]) - first, int(ends[user]) - first))
    return events.take(target_weights(None, events, config.history.targets) > 0)


def _questions(
    pipeline: Pipeline,
    query: Query,
    known: KnownUser,
    relevant: IntArray,
    window: History,
    generator: np.random.Generator,
) -> Iterator[Question]:
    own = np.zeros(pipeline.bundle.num_items, bool)
    own[known.context.profile.own.codes] = True
    may = pipeline.bundle.recommendable.copy()
    may[query.exclude] = False
    surfaces = pipeline.bundle.surfaces
    yield Question("home", query, relevant, may, "home")
    if "buy_again" in surfaces and own[relevant].any():
        yield Question("buy_again", query, relevant[own[relevant]], may & own, "buy again")
    baskets, sizes = np.unique(window.baskets, return_counts=True)
    for surface, least in LEAST_ITEMS.items():
        if surface in surfaces and (sizes >= least).any():
            chosen = generator.choice(baskets[sizes >= least])
            basket = generator.permutation(np.unique(window.items[window.baskets == chosen]))
            yield from _of_basket(surface, query, basket.astype(np.int32), may, own)


def _of_basket(
    surface: str, query: Query, basket: IntArray, may: NDArray[np.bool_], own: NDArray[np.bool_]
) -> Iterator[Question]:
    """The rest of a basket, of which a product page shows one item and a cart half; and what of the rest is
    new to the user."""
    num_shown = 1 if surface == "product" else len(basket) // 2
    page, rest = basket[:num_shown], basket[num_shown:]
    may = may.copy()
    may[page] = False
    asked = replace(query, page_items=page)
    if len(rest):
        yield Question(surface, asked, rest, may, surface)
    if len(new := rest[~own[rest]]):
        away = np.concatenate([query.exclude, np.flatnonzero(own).astype(np.int32)])
        yield Question(surface, replace(asked, exclude=away), new, may & ~own, f"{surface}, new")


def _recalls(pipeline: Pipeline, question: Question, known: KnownUser) -> dict[str, float]:
    """System → capped recall@20."""

    def served(surface: str, ranked: Ranked | None = None) -> IntArray:
        query = replace(question.query, surface=surface)
        answer = pipeline.recommend(query, ranked=ranked or pipeline.rank(query, known=known))
        return np.array([one.item for one in answer.recommendations], np.int32)

    ranked = pipeline.rank(replace(question.query, surface=question.surface), known=known)
    lists = {"pipeline": served(question.surface, ranked)}
    if question.surface in LEAST_ITEMS:
        for name, found in ranked.retrievals.items():
            answer = found.for_page if len(found.for_page.items) else found.for_user
            lists[name] = answer.best(ALONE_DEPTH)
        lists |= {name: served(name) for name in VARIANTS}
    else:
        lists |= lists_alone(pipeline, ranked)
    found_by = {}
    for name, items in lists.items():
        shown = items[question.among[items]][:K]
        found_by[name] = float(np.isin(question.relevant, shown).sum() / min(K, len(question.relevant)))
    return found_by


def _summary(rows: list[dict[str, float]], config: Config) -> dict[str, Any]:
    drawn = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}
    values: Mapping[str, NDArray[np.float64]] = {
        name: np.array([row[name] for row in rows]) for name in rows[0]
    }
    others = [name for name in values if name != "pipeline" and name not in VARIANTS]
    best = max(others, key=lambda name: values[name].mean())
    return {
        "num_users": len(rows),
        "recall": {name: mean_and_interval(found, **drawn) for name, found in values.items()},
        "best": best,
        "difference": difference_interval(values["pipeline"], values[best], **drawn),
    }
