"""Diversity: as much of everything as asked for, and the same list without it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made_bundle import write_bundle

from features.core.columns import EVENT_TYPE_CODE
from features.histories import History, IntArray
from serving.recommend.diversity import Diversity, category_cap
from serving.recommend.list_options import ListOptions
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Answer, Query

PURCHASE = EVENT_TYPE_CODE["purchase"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(write_bundle(tmp_path_factory.mktemp("diverse") / "bundle"))


def query(pipeline: Pipeline, diversity: float | None = None) -> Query:
    """Of somebody who bought fruit."""
    at = pipeline.bundle.as_of - 10**12
    history = History(
        items=np.array([0, 1, 2], np.int32),
        event_types=np.full(3, PURCHASE, np.int8),
        times=np.array([at, at + 1, at + 2], np.int64),
        baskets=np.arange(3, dtype=np.int64),
        prices=np.ones(3, np.float32),
    )
    options = ListOptions(diversity=diversity)
    return Query(history, pipeline.bundle.as_of, num_results=10, options=options)


def aisles(answer: Answer) -> list[int]:
    return [one.item // 10 for one in answer.recommendations]


def test_the_more_diversity_the_more_aisles_and_none_is_the_list_as_ever(pipeline: Pipeline) -> None:
    as_ever = pipeline.recommend(query(pipeline))
    assert pipeline.recommend(query(pipeline, diversity=0.0)) == as_ever
    assert Counter(aisles(as_ever))[0] >= 8, "this person buys fruit"
    shares = [
        Counter(aisles(pipeline.recommend(query(pipeline, diversity=diversity))))[0]
        for diversity in (0.0, 0.3, 1.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < shares[0] - 3
    first = pipeline.recommend(query(pipeline, diversity=0.7)).recommendations[0]
    assert first.item == as_ever.recommendations[0].item, "the best stays the first"


def test_a_category_has_no_more_places_than_its_share_while_there_are_others(pipeline: Pipeline) -> None:
    assert [category_cap(20, diversity=one) for one in (0, 0.25, 0.5, 1)] == [20, 16, 12, 4]
    assert category_cap(1, diversity=1) == 1
    diversity, many = Diversity(pipeline.bundle), np.arange(30, dtype=np.int32)
    found = many[diversity.order(many, diversity=0.8, length=15, page_length=15)][:15]
    assert max(Counter((found // 10).tolist()).values()) <= category_cap(15, diversity=0.8) == 6
    fruit = np.arange(10, dtype=np.int32)
    assert len(diversity.order(fruit, diversity=1, length=8, page_length=8)) == 10, "there are no others"


def test_the_surface_says_what_holds_where_the_request_does_not(pipeline: Pipeline) -> None:
    bundle = pipeline.bundle
    home = bundle.surfaces["home"].model_copy(update={"diversity": 0.6})
    settings = bundle.settings.model_copy(update={"surfaces": {**bundle.surfaces, "home": home}})
    diverse = Pipeline(replace(bundle, settings=settings))
    assert diverse.recommend(query(diverse)) == pipeline.recommend(query(pipeline, diversity=0.6))
    assert diverse.recommend(query(diverse, diversity=0.0)) == pipeline.recommend(query(pipeline))


def slow_order(
    items: IntArray, vectors: np.ndarray, categories: np.ndarray, *, diversity: float, count: int
) -> list[int]:
    """The definition, word for word."""
    chosen: list[int] = []

    def likeness(place: int, other: int) -> float:
        a, b = vectors[items[place]], vectors[items[other]]
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        return max(0.0, float(a @ b) / size) if size else 0.0

    def gain(place: int) -> float:
        relevance = 1 - place / len(items)
        most = max((likeness(place, other) for other in chosen), default=0.0)
        return (1 - diversity) * relevance - diversity * most

    while len(chosen) < count:
        left = [place for place in range(len(items)) if place not in chosen]
        taken = Counter(int(categories[items[place]]) for place in chosen)
        cap = category_cap(count, diversity=diversity)
        free = [
            place
            for place in left
            if categories[items[place]] < 0 or taken[int(categories[items[place]])] < cap
        ]
        chosen.append(max(free or left, key=gain))
    return chosen


@pytest.mark.parametrize("diversity", [0.1, 0.5, 0.9])
def test_it_is_maximal_marginal_relevance(pipeline: Pipeline, tmp_path: Path, diversity: float) -> None:
    """Beside the plain, slow definition, with items of no category and items without a vector."""
    random = np.random.default_rng(1)
    vectors = random.normal(size=(30, 4)).astype(np.float32)
    vectors[::7] = 0
    categories = random.integers(-1, 4, 30).astype(np.int32)
    encoder = replace(pipeline.bundle.retrievers["encoder"], item_vectors=vectors)  # type: ignore[type-var]
    bundle = replace(
        pipeline.bundle,
        retrievers={**pipeline.bundle.retrievers, "encoder": encoder},
        item_profiles=replace(pipeline.bundle.item_profiles, category=categories),
    )
    items = random.permutation(30).astype(np.int32)
    found = Diversity(bundle).order(items, diversity=diversity, length=12, page_length=12)
    assert sorted(found.tolist()) == list(range(30))
    assert found[:12].tolist() == slow_order(items, vectors, categories, diversity=diversity, count=12)


def test_pages_follow_one_another_whatever_is_asked_for(pipeline: Pipeline) -> None:
    items = np.arange(30, dtype=np.int32)
    diversity = Diversity(pipeline.bundle)
    one, three = (diversity.order(items, diversity=0.5, length=length, page_length=5) for length in (5, 15))
    assert three[:5].tolist() == one[:5].tolist()


def test_without_an_encoder_likeness_is_the_same_category(pipeline: Pipeline) -> None:
    others = {name: one for name, one in pipeline.bundle.retrievers.items() if name != "encoder"}
    diversity = Diversity(replace(pipeline.bundle, retrievers=others))
    found = diversity.order(np.arange(30, dtype=np.int32), diversity=0.9, length=3, page_length=3)
    assert sorted((found[:3] // 10).tolist()) == [0, 1, 2]
