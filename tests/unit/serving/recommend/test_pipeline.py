"""The pipeline of a really trained, tiny bundle: what a shop's customer would notice."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shop

from configs.exceptions import ArtefactError
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import History
from features.splits import split_points
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Answer, Query
from training.evaluation.breakdowns import over_retrievers
from training.evaluation.replay import PARTS, replay, systems_of
from training.evaluation.systems import PIPELINE

MINUTE = 60_000_000


@pytest.fixture
def now(tiny_pipeline: Pipeline) -> int:
    """An hour after the bundle's split point."""
    return tiny_pipeline.bundle.as_of + 60 * MINUTE


def event(kind: str, item: int, *, at: int) -> History:
    return History(
        items=np.array([item], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[kind]], np.int8),
        times=np.array([at], np.int64),
        baskets=np.array([10**15 + at], np.int64),
        prices=np.array([2.0], np.float32),
    )


def items_of(answer: Answer) -> list[int]:
    return [place.item for place in answer.recommendations]


def index(pipeline: Pipeline, raw_id: str) -> int:
    return pipeline.bundle.item_index[raw_id]


def test_a_surface_in_the_order_of_a_retriever_shows_its_items_first(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    bundle = tiny_pipeline.bundle
    shelf = bundle.surfaces["home"].model_copy(
        update={"retrievers": ("repurchase", "popularity"), "order_by": "retriever"}
    )
    settings = bundle.settings.model_copy(update={"surfaces": {**bundle.surfaces, "shelf": shelf}})
    pipeline = Pipeline(replace(bundle, settings=settings))
    query = Query(shop_dataset.history(3), now, num_results=40, surface="shelf")
    own = pipeline.know(query).retrieved["repurchase"]
    shown = items_of(pipeline.recommend(query))
    expected = own.best(40, allowed=pipeline.allowed(query, pipeline.context(query).profile)).tolist()
    assert shown[: len(expected)] == expected
    assert 0 < len(expected) < len(shown)


def test_a_retriever_orders_no_more_than_its_first_places(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    bundle = tiny_pipeline.bundle
    by_ranker = bundle.surfaces["home"].model_copy(update={"retrievers": ("repurchase", "popularity")})
    shelf = by_ranker.model_copy(update={"order_by": "retriever", "first_places": 2})
    surfaces = {**bundle.surfaces, "ranked": by_ranker, "shelf": shelf}
    settings = bundle.settings.model_copy(update={"surfaces": surfaces})
    pipeline = Pipeline(replace(bundle, settings=settings))
    query = Query(shop_dataset.history(3), now, num_results=40, surface="shelf")
    own = pipeline.know(query).retrieved["repurchase"].best(3)
    query = replace(query, exclude=own[:1])  # what may not be shown takes up no place
    answer = pipeline.recommend(query)
    shown = items_of(answer)
    assert shown[:2] == own[1:].tolist()
    ranked = items_of(pipeline.recommend(replace(query, surface="ranked")))
    assert shown[2:] == [item for item in ranked if item not in shown[:2]]
    scores = [place.score for place in answer.recommendations]
    assert scores == sorted(scores, reverse=True)


def test_a_list_is_as_long_as_asked_distinct_and_in_the_order_of_its_scores(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    for user in range(20):
        answer = tiny_pipeline.recommend(Query(shop_dataset.history(user), now, num_results=12))
        assert len(set(items_of(answer))) == 12 == answer.requested
        scores = [place.score for place in answer.recommendations]
        assert scores == sorted(scores, reverse=True)
        assert (answer.shortfall_reason, answer.fallback_used) == (None, None)


def test_users_get_more_of_what_they_like_than_of_what_is_popular(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    aisles = shop_dataset.categories
    popular = tiny_pipeline.most_popular(10)
    liked, liked_of_popular = [], []
    for user in range(40):
        history = shop_dataset.history(user)
        own = np.bincount(aisles[history.items]).argsort()[-2:]
        mine = items_of(tiny_pipeline.recommend(Query(history, now, num_results=10)))
        liked.append(np.isin(aisles[mine], own).mean())
        liked_of_popular.append(np.isin(aisles[popular], own).mean())
    assert np.mean(liked) > 0.7 > 0.4 > np.mean(liked_of_popular)


def test_excluded_items_and_those_on_the_page_are_left_out(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    history = shop_dataset.history(3)
    first = np.array(items_of(tiny_pipeline.recommend(Query(history, now, num_results=10))), np.int32)
    without = items_of(tiny_pipeline.recommend(Query(history, now, num_results=10, exclude=first[:4])))
    assert not set(first[:4].tolist()) & set(without)
    assert set(first[4:].tolist()) <= set(without)
    on_page = items_of(tiny_pipeline.recommend(Query(history, now, num_results=10, page_items=first[:1])))
    assert first[0] not in on_page


def test_what_lies_in_the_cart_is_left_out_until_it_is_taken_out(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    history = shop_dataset.history(3)
    best = items_of(tiny_pipeline.recommend(Query(history, now)))[0]
    in_cart = history.followed_by(event("add_to_cart", best, at=now - 5 * MINUTE))
    assert best not in items_of(tiny_pipeline.recommend(Query(in_cart, now)))
    taken_out = in_cart.followed_by(event("remove_from_cart", best, at=now - 4 * MINUTE))
    assert best in items_of(tiny_pipeline.recommend(Query(taken_out, now)))


def test_buy_again_holds_own_items_alone_and_says_when_there_are_no_more(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    history = shop_dataset.history(5)
    own = set(history.items[history.event_types == EVENT_TYPE_CODE["purchase"]].tolist())
    answer = tiny_pipeline.recommend(Query(history, now, surface="buy_again", num_results=60))
    assert set(items_of(answer)) == {item for item in own if tiny_pipeline.bundle.recommendable[item]}
    assert answer.shortfall_reason == "the surface's retrievers have no more items"
    assert all(place.source == "due" for place in answer.recommendations)


@pytest.mark.parametrize("surface", ["home", "product", "similar", "cart", "buy_again"])
def test_someone_who_only_looked_gets_an_answer_on_every_surface(
    tiny_pipeline: Pipeline, surface: str, now: int
) -> None:
    looked = event("view_item", index(tiny_pipeline, "tea1"), at=now - 3 * MINUTE)
    answer = tiny_pipeline.recommend(Query(looked, now, surface=surface, num_results=5))
    if surface == "buy_again":
        assert answer.recommendations == ()
        assert answer.shortfall_reason == "the surface's retrievers have no more items"
    else:
        assert len(answer.recommendations) == 5
        assert answer.fallback_used is None


def test_a_stranger_gets_what_is_popular_and_is_told_so(tiny_pipeline: Pipeline, now: int) -> None:
    answer = tiny_pipeline.recommend(Query(History.empty(), now, num_results=10))
    assert items_of(answer) == tiny_pipeline.most_popular(10).tolist()
    assert answer.fallback_used == "popularity: nothing is known of this user yet"
    assert {place.source for place in answer.recommendations} == {"popularity"}
    nothing = tiny_pipeline.recommend(Query(History.empty(), now, surface="buy_again"))
    assert nothing.recommendations == ()
    assert nothing.shortfall_reason == "nothing is known of this user yet"
    assert nothing.fallback_used is None


@pytest.mark.parametrize("known", [False, True])
def test_the_product_page_shows_what_goes_with_the_product(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, known: bool, now: int
) -> None:
    history = shop_dataset.history(0) if known else History.empty()
    for product, companion in (("cheese0", "cheese1"), ("soap2", "soap3"), ("fruit1", "fruit0")):
        page = np.array([index(tiny_pipeline, product)], np.int32)
        answer = tiny_pipeline.recommend(
            Query(history, now, surface="product", page_items=page, num_results=5)
        )
        first = answer.recommendations[0]
        assert tiny_pipeline.bundle.item_ids[first.item] == companion
        assert first.source == "association_rules"
        assert first.reasons[0].text == f"Bought together with {tiny_pipeline.bundle.titles[page[0]]}"
        assert answer.fallback_used is None


def test_a_list_is_filled_up_and_says_with_what(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    can_be_shown = int(tiny_pipeline.bundle.recommendable.sum())
    query = Query(shop_dataset.history(0), now, num_results=500)
    num_ranked = len(tiny_pipeline.rank(query).items)
    answer = tiny_pipeline.recommend(query)
    assert len(set(items_of(answer))) == len(answer.recommendations) == can_be_shown
    assert answer.shortfall_reason == "the catalogue has no more items that may be shown"
    assert num_ranked < can_be_shown
    assert answer.fallback_used == (
        f"popularity: the last {can_be_shown - num_ranked} of the list, since the retrievers gave too few"
    )
    assert {place.reasons[0].code for place in answer.recommendations[num_ranked:]} == {"popular"}


def test_events_change_the_next_answer(tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int) -> None:
    history = shop_dataset.history(0)
    foreign = next(
        item
        for item in (index(tiny_pipeline, f"{aisle}2") for aisle in shop.AISLES)
        if shop_dataset.categories[item] not in shop_dataset.categories[history.items]
    )
    same_aisle = np.flatnonzero(shop_dataset.categories == shop_dataset.categories[foreign])
    query = Query(history, now, num_results=20)
    before = items_of(tiny_pipeline.recommend(query))
    for minutes, item in enumerate(same_aisle[:3]):
        history = history.followed_by(event("view_item", int(item), at=now - (9 - minutes) * MINUTE))
    after = items_of(tiny_pipeline.recommend(Query(history, now, num_results=20)))
    assert before != after
    assert np.isin(after, same_aisle).sum() > np.isin(before, same_aisle).sum()


def test_nothing_at_or_after_as_of_is_looked_at(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    history = shop_dataset.history(0)
    later = history.followed_by(event("purchase", 7, at=now)).followed_by(
        event("add_to_cart", 8, at=now + MINUTE)
    )
    assert tiny_pipeline.recommend(Query(later, now)) == tiny_pipeline.recommend(Query(history, now))
    seen = tiny_pipeline.recommend(Query(later, now + MINUTE))
    assert seen != tiny_pipeline.recommend(Query(history, now + MINUTE))


@pytest.mark.parametrize("surface", ["home", "product", "similar", "cart", "buy_again"])
def test_what_is_sold_out_is_never_shown(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, surface: str, now: int
) -> None:
    sold_out = {index(tiny_pipeline, raw_id) for raw_id in shop.SOLD_OUT}
    buyers = [
        user
        for user in range(shop_dataset.num_users)
        if sold_out & set(shop_dataset.history(user).items.tolist())
    ]
    assert len(buyers) > 5
    for user in buyers:
        query = Query(shop_dataset.history(user), now, surface=surface, num_results=500)
        assert not sold_out & set(items_of(tiny_pipeline.recommend(query)))
    assert not sold_out & set(
        items_of(tiny_pipeline.recommend(Query(History.empty(), now, surface=surface, num_results=500)))
    )


def test_reasons_are_true_and_name_real_items(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    bundle, codes = tiny_pipeline.bundle, set()
    retrievers: dict[str, Any] = dict(bundle.retrievers)
    for user in range(30):
        history = shop_dataset.history(user)
        bought = history.of_event_types(np.array([EVENT_TYPE_CODE["purchase"]], np.int8))
        for place in tiny_pipeline.recommend(Query(history, now, num_results=30)).recommendations:
            assert 1 <= len(place.reasons) <= 2
            for reason in place.reasons:
                codes.add(reason.code)
                if reason.code == "bought_before":
                    times = bought.times[bought.items == place.item]
                    hours = (now - int(times[-1])) // (60 * MINUTE)
                    often = {1: "once", 2: "twice"}.get(len(times), f"{len(times)} times")
                    when = f"{hours} hours ago" if hours < 48 else f"{hours // 24} days ago"
                    assert reason.text == f"Bought {often}, last {when}"
                elif reason.code == "goes_with":
                    assert reason.item is not None
                    assert reason.item in history.items
                    table = retrievers["next_basket" if " after " in reason.text else "co_occurrence"]
                    assert place.item in table.items[reason.item]
                    assert reason.text.endswith(bundle.titles[reason.item])
                    assert re.fullmatch(r"\w+ no\. \d", bundle.titles[reason.item])
                elif reason.code == "similar_users":
                    assert place.item not in bought.items
                    assert np.isin(place.item, retrievers["user_knn"].recent.indices)
    assert {"bought_before", "goes_with", "for_you", "similar_users"} <= codes


@pytest.mark.parametrize(
    "name",
    [
        "retrievers/encoder/user_encoder.onnx",
        "ranker.onnx",
        "item_profiles/popularity.npy",
        "catalogue.parquet",
        "retrievers/encoder/items.faiss",
        "retrievers/user_knn/weights.npz",
    ],
)
def test_a_changed_or_missing_file_is_refused_by_name(tiny_bundle: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        ArtefactError,
        match=rf"{re.escape(name)}: was changed after the bundle was written.*shopkeeper export",
    ):
        Pipeline.load(folder)
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match=rf"{re.escape(name)}: is missing from the bundle"):
        Pipeline.load(folder)


def test_a_ranker_of_other_features_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for features, odd in (
        ([*manifest["features"][:-1], "moon_phase"], "moon_phase, user_tenure"),
        (manifest["features"][::-1], "their order"),
    ):
        (folder / "manifest.json").write_text(
            json.dumps({**manifest, "features": features}), encoding="utf-8"
        )
        with pytest.raises(ArtefactError, match=rf"other features than this version computes \({odd}\)"):
            Pipeline.load(folder)
    Pipeline.load(tiny_bundle)


def test_parts_that_disagree_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "num_items": 3}), encoding="utf-8")
    with pytest.raises(
        ArtefactError, match=r"the parts disagree on the number of items.*'manifest\.json': 3"
    ):
        Bundle.open(folder)


def test_the_evaluation_replays_what_the_home_page_shows(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, shop_config: Config
) -> None:
    """The table's figures come again from `recommend`, called as the server calls it."""
    _, test, full = split_points(shop_dataset, shop_config.split)
    evaluation = replay(tiny_pipeline, shop_dataset, test, full, config=shop_config)
    assert set(evaluation.rows) == set(systems_of(tiny_pipeline)) > {PIPELINE}
    depth = max(shop_config.evaluation.cutoffs)
    for user, row in zip(evaluation.users["all"].tolist(), evaluation.rows[PIPELINE]["all"], strict=True):
        history = test.history(shop_dataset, user)
        shown = items_of(tiny_pipeline.recommend(Query(history, test.as_of, num_results=depth)))
        window = shop_dataset.history(user)
        relevant = set(
            window.items[
                (window.times >= test.as_of) & (window.event_types == EVENT_TYPE_CODE["purchase"])
            ].tolist()
        )
        for k in shop_config.evaluation.cutoffs:
            assert row[f"recall_{k}"] == pytest.approx(len(relevant & set(shown[:k])) / len(relevant))


def test_the_parts_of_the_table_add_up(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, shop_config: Config
) -> None:
    _, test, full = split_points(shop_dataset, shop_config.split)
    evaluation = replay(tiny_pipeline, shop_dataset, test, full, config=shop_config)
    summary = evaluation.summary(shop_config)
    assert summary.users["all"] == evaluation.num_users_in_window == len(evaluation.users["all"])
    assert set(evaluation.users["repeat"]) | set(evaluation.users["new"]) == set(evaluation.users["all"])
    for system in evaluation.rows:
        for part in PARTS:
            mean, low, high = summary.systems[system][part]["ndcg_10"]
            assert 0 <= low <= mean <= high <= 1
        assert 0 < summary.coverage[system]["20"] <= 1
    best_alone = max(
        summary.systems[system]["all"]["ndcg_10"][0] for system in ("popularity", "co_occurrence")
    )
    assert summary.systems[PIPELINE]["all"]["ndcg_10"][0] > best_alone
    over = {row.over: row for row in over_retrievers(evaluation.figures, shop_config.evaluation)}
    by_hand = evaluation.values(PIPELINE, part="all", metric="capped_recall_20") - evaluation.values(
        "popularity", part="all", metric="capped_recall_20"
    )
    assert over["popularity"].mean == pytest.approx(by_hand.mean(), abs=1e-5)
    assert over["popularity"].verdict == "better"


def test_a_list_has_few_candidates_scored_and_the_ranker_learns_from_all(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, now: int
) -> None:
    bundle = tiny_pipeline.bundle
    few = bundle.settings.retrievers.model_copy(update={"max_candidates": 25})
    narrow = Pipeline(replace(bundle, settings=bundle.settings.model_copy(update={"retrievers": few})))
    same = []
    for user in range(20):
        query = Query(shop_dataset.history(user), now, num_results=5)
        everything, _ = narrow.candidates(query)
        assert len(everything.items) > 25
        ranked = narrow.rank(query)
        assert len(ranked.items) == 25
        assert set(ranked.items.tolist()) <= set(everything.items.tolist())
        assert np.array_equal(everything.items, tiny_pipeline.candidates(query)[0].items)
        same.append(
            len(set(items_of(narrow.recommend(query))) & set(items_of(tiny_pipeline.recommend(query))))
        )
    assert np.mean(same) > 4
