"""What was made fast, against the same said plainly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import History
from features.profiles.item_neighbours import Neighbours, closest
from features.retriever import ScoredItems
from serving.recommend.first_pass import RANK_OFFSET, first_pass
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

NUM_ITEMS = 12


@st.composite
def neighbour_tables(draw: st.DrawFn) -> Neighbours:
    """Lists of distinct neighbours, with ties, and short ones that end in -1 and 0."""
    items, scores = np.full((NUM_ITEMS, 4), -1, np.int32), np.zeros((NUM_ITEMS, 4), np.float32)
    for item in range(NUM_ITEMS):
        near = draw(st.lists(st.integers(0, NUM_ITEMS - 1), unique=True, max_size=4))
        items[item, : len(near)] = near
        scores[item, : len(near)] = sorted(
            (draw(st.sampled_from([0.1, 0.2, 0.5])) for _ in near), reverse=True
        )
    return Neighbours(items=items, scores=scores)


def slow_companion(item: int, among: list[int], neighbours: Neighbours) -> int | None:
    best, best_score = None, 0.0
    for other in among:
        for near, score in zip(
            neighbours.items[other].tolist(), neighbours.scores[other].tolist(), strict=True
        ):
            if near == item and score > best_score:
                best, best_score = other, score
    return best


some_items = st.lists(st.integers(0, NUM_ITEMS - 1), unique=True)


@given(neighbour_tables(), some_items, some_items)
def test_the_companions_of_a_whole_list_are_those_of_each_item(
    neighbours: Neighbours, items: list[int], among: list[int]
) -> None:
    found = closest(np.array(items, np.int32), among=np.array(among, np.int32), neighbours=neighbours)
    one_by_one = {item: slow_companion(item, among, neighbours) for item in items}
    assert found == {item: other for item, other in one_by_one.items() if other is not None}


@given(st.lists(st.lists(st.integers(0, 30), unique=True), max_size=5), st.integers(1, 12))
def test_the_first_pass_keeps_what_stands_highest_in_all_lists_together(
    proposed: list[list[int]], limit: int
) -> None:
    weights: dict[int, float] = {}
    for one in proposed:
        for rank, item in enumerate(one):
            weights[item] = weights.get(item, 0.0) + 1 / (RANK_OFFSET + rank)
    found = first_pass([np.array(one, np.int32) for one in proposed], limit=limit)
    assert found.dtype == np.int32
    assert found.tolist() == sorted(set(found.tolist()))
    assert len(found) == min(limit, len(weights))
    lowest = min((weights[item] for item in found.tolist()), default=0.0)
    assert all(weights[item] < lowest + 1e-6 for item in weights.keys() - set(found.tolist()))


@given(st.lists(st.integers(-1, 5)), st.sets(st.integers(-1, 5)))
def test_events_of_some_kinds_are_picked_in_their_order(event_types: list[int], wanted: set[int]) -> None:
    count = len(event_types)
    history = History(
        items=np.arange(count, dtype=np.int32),
        event_types=np.array(event_types, np.int8),
        times=np.arange(count),
        baskets=np.arange(count),
        prices=np.ones(count, np.float32),
    )
    picked = history.of_event_types(np.array(sorted(wanted), np.int8))
    assert picked.items.tolist() == [place for place, kind in enumerate(event_types) if kind in wanted]
    assert picked.event_types.tolist() == [kind for kind in event_types if kind in wanted]


@pytest.mark.parametrize("surface", ["home", "product", "similar", "cart", "buy_again"])
def test_what_is_known_of_a_user_serves_for_every_page(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, surface: str
) -> None:
    for user in range(20):
        home = Query(shop_dataset.history(user), tiny_pipeline.bundle.as_of, surface=surface)
        known = tiny_pipeline.know(replace(home, page_items=np.array([3], np.int32), surface="home"))
        for page in ([], [user % 7], [4, 2]):
            query = replace(home, page_items=np.array(page, np.int32))
            again, _ = tiny_pipeline.candidates(query, known=known)
            anew, _ = tiny_pipeline.candidates(query)
            np.testing.assert_array_equal(again.items, anew.items)
            np.testing.assert_array_equal(again.features, anew.features)
            ranked = tiny_pipeline.rank(query, known=known)
            assert tiny_pipeline.recommend(query, ranked=ranked) == tiny_pipeline.recommend(query)


@given(st.lists(st.integers(0, 30), unique=True), st.sets(st.integers(0, 30)), st.integers(0, 8))
def test_the_best_allowed_items_are_those_of_a_plain_loop(
    ranked: list[int], allowed: set[int], count: int
) -> None:
    order = np.array(ranked, np.int32)
    scores = np.zeros(31, np.float32)
    scores[order] = np.arange(len(order), 0, -1)
    items = np.sort(order)
    mask = np.isin(np.arange(31), sorted(allowed))
    for found in (ScoredItems(items, scores[items]), ScoredItems(items, scores[items], ranked=order)):
        assert found.best(count).tolist() == ranked[:count]
        expected = [item for item in ranked if item in allowed][:count]
        assert found.best(count, allowed=mask).tolist() == expected


def test_a_short_list_is_filled_with_the_most_popular_that_may_be_shown(
    tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    """Whatever is left out, and however much: an item excluded twice, one never shown, a cart."""
    generator, bundle = np.random.default_rng(0), tiny_pipeline.bundle
    popular, num_items = tiny_pipeline.most_popular(10_000).tolist(), bundle.num_items
    num_filled = 0
    for user in range(40):
        history = shop_dataset.history(user)
        history = history.followed_by(
            replace(history.take(slice(0, 1)), times=np.array([bundle.as_of - 5]), event_types=IN_CART)
        )
        exclude = generator.integers(0, num_items, int(generator.integers(0, num_items))).astype(np.int32)
        query = Query(history, bundle.as_of, exclude=exclude, page_items=exclude[:2], num_results=500)
        ranked = tiny_pipeline.rank(query)
        left_out = {*exclude.tolist(), *ranked.profile.cart_items.tolist()}
        first = [item for item in ranked.items.tolist() if item not in left_out]
        filling = [item for item in popular if item not in left_out and item not in first]
        assert tiny_pipeline.select(query, ranked).items.tolist() == first + filling
        for length in {len(first) + 1, len(first) + len(filling)}:
            selected = tiny_pipeline.select(replace(query, num_results=length), ranked)
            assert selected.items.tolist() == (first + filling)[:length]
        num_filled += len(filling)
    assert num_filled > 30


IN_CART = np.array([EVENT_TYPE_CODE["add_to_cart"]], np.int8)
