"""`cursor`: the pages of one list."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_shop import NOW, Shop, bought, problem

from serving.http.cursor import Cursor
from serving.http.schemas import RecommendRequest, RecommendResponse
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

CHEESE = {"name": "cheese", "filter": "product_type like '%Cheese'", "share": 0.2}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Ann buys fruit."""
    shop.send(bought("fruit1"), bought("fruit2"))
    return shop


def pages(shop: Shop, **body: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found = [shop.recommend(**body, cursor="*")]
    while found[-1]["cursor"] is not None:
        assert len(found) < 40
        found.append(shop.recommend(**body, cursor=found[-1]["cursor"]))
    return found


def ids(*answers: dict[str, Any]) -> list[str]:
    return [item["item_id"] for answer in answers for item in answer["items"]]


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": "ann"},
        {},
        {"user_id": "ann", "events": [{"event_type": "view_item", "item_id": "bread1"}]},
        {"user_id": "ann", "filter": "not product_type like '%Bread'"},
        {"user_id": "ann", "surface": "product", "item_ids": ["cheese1"]},
        {"user_id": "ann", "consent": False, "item_ids": ["cheese1"]},
    ],
)
def test_the_pages_together_are_the_list(shop: Shop, body: dict[str, Any]) -> None:
    whole = shop.recommend(**body, num_results=30, cursor="*")
    assert whole["cursor"] is None, "there is no more"
    assert shop.recommend(**body, num_results=7)["cursor"] is None, "nobody asked for pages"
    found = pages(shop, **body, num_results=7)
    assert ids(*found) == ids(whole)
    assert [item["rank"] for page in found for item in page["items"]] == list(range(1, len(ids(whole)) + 1))
    assert [page["returned"] for page in found[:-1]] == [7] * (len(found) - 1)
    assert found[-1]["items"], "the last page is not empty"
    assert len({page["recommendation_id"] for page in found}) == len(found)
    exact = pages(shop, **body, num_results=len(ids(whole)) // 2)
    assert ids(*exact) == ids(whole)
    assert exact[-1]["items"]


@pytest.mark.parametrize(
    "more",
    [
        {"diversity": 0.6},
        {"promotions": [CHEESE]},
        {"exploration": 0.3},
        {"diversity": 0.4, "promotions": [CHEESE], "exploration": 0.2},
    ],
)
def test_pages_that_are_put_together_have_no_item_twice(shop: Shop, more: dict[str, Any]) -> None:
    found = pages(shop, user_id="ann", num_results=5, **more)
    assert len(ids(*found)) == len(set(ids(*found))) == 30, "each item of the catalogue once"
    again = shop.recommend(user_id="ann", num_results=5, cursor=found[2]["cursor"], **more)
    assert again["items"] == found[3]["items"], "the same cursor gives the same page"


@pytest.mark.parametrize("surface", ["home", "product"])
@pytest.mark.parametrize("more", [{}, {"diversity": 0.5}, {"promotions": [CHEESE]}])
def test_pages_go_on_where_the_usual_candidates_do_not_suffice(
    pipeline: Pipeline, tmp_path: Path, surface: str, more: dict[str, Any]
) -> None:
    """With a filter the search goes deeper for later pages, which must not change earlier ones."""
    few = {"encoder": 6, "popularity": 4, "co_occurrence": 3, "next_basket": 3}
    retrievers = pipeline.bundle.settings.retrievers.model_copy(update={"num_candidates": few})
    settings = pipeline.bundle.settings.model_copy(update={"retrievers": retrievers})
    with EventStore.open(tmp_path / "few.db") as store:
        narrow = Shop(Pipeline(replace(pipeline.bundle, settings=settings)), store)
        narrow.send(bought("fruit1"), bought("bread1"))
        body = {"user_id": "ann", "surface": surface, "item_ids": ["bread2"], "num_results": 4, **more}
        found = pages(narrow, **body, filter="title <> 'Fruit3'")
    assert len(ids(*found)) == len(set(ids(*found))) == 28, (
        "all but the page's own and the one that is left out"
    )


def test_what_happens_meanwhile_changes_the_next_list_and_not_this_one(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    now = [NOW]
    with EventStore.open(tmp_path / "events.db") as store:
        kept = {"max_events_kept": 100, "user_state_mb": 8, "user_state_seconds": 300}
        service = Service(pipeline, store, **kept, clock=lambda: now[0])  # type: ignore[arg-type]
        wanted = {"user_id": "ann", "exclude_purchased_days": 1}
        whole = service.recommend(RecommendRequest(**wanted, num_results=12)).items
        request = RecommendRequest(**wanted, num_results=6, cursor="*")
        first = service.recommend(request)
        now[0] += 60_000_000
        buys = {"user_id": "ann", "events": [bought(whole[8].item_id)], "record": True}
        recording = service.recording(RecommendRequest.model_validate(buys))
        assert recording is not None
        store.append_now(recording.rows, received_at=recording.now)
        second = next_page(service, request, first)
        assert [one.item_id for one in [*first.items, *second.items]] == [one.item_id for one in whole]
        after = service.recommend(RecommendRequest(**wanted, num_results=12)).items
        assert whole[8].item_id not in [one.item_id for one in after]


def next_page(service: Service, request: RecommendRequest, page: RecommendResponse) -> RecommendResponse:
    return service.recommend(request.model_copy(update={"cursor": page.cursor}))


def test_events_that_are_recorded_with_the_first_page_stay_in_the_list(shop: Shop) -> None:
    events = [{"event_id": "e1", "event_type": "view_item", "item_id": "cheese1"}]
    whole = shop.recommend(user_id="ann", num_results=20, events=events)
    first = shop.recommend(user_id="ann", num_results=10, events=events, record=True, cursor="*")
    second = shop.recommend(user_id="ann", num_results=10, record=True, cursor=first["cursor"])
    assert ids(first, second) == ids(whole)


def test_a_cursor_is_short_and_may_stand_in_a_url(shop: Shop) -> None:
    cursor = shop.recommend(user_id="ann", num_results=5, cursor="*")["cursor"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{40}", cursor)
    assert Cursor.decoded(cursor).offset == 5
    assert shop.recommend(user_id="ann", num_results=5, cursor=cursor, return_fields=["title"])["items"][0][
        "fields"
    ]


@pytest.mark.parametrize(
    "more", [{"num_results": 6}, {"user_id": "bea"}, {"filter": "price > 1"}, {"exclude_cart": True}]
)
def test_a_cursor_of_another_list_is_refused(shop: Shop, more: dict[str, Any]) -> None:
    body = {"user_id": "ann", "num_results": 5}
    cursor = shop.recommend(**body, cursor="*")["cursor"]
    for only in ({}, {"validate_only": True}):
        sent = {**body, **more, **only, "cursor": cursor}
        details = problem(shop.call("POST", "/v1/recommend", json=sent), 422)
        assert details["errors"][0]["field"] == "cursor"
        assert "another list" in details["detail"]


@pytest.mark.parametrize("cursor", ["", "x", "A" * 40, "AQ==", "é" * 40])
def test_a_damaged_cursor_is_refused(shop: Shop, cursor: str) -> None:
    details = problem(shop.call("POST", "/v1/recommend", json={"cursor": cursor}), 422)
    assert details["errors"][0]["field"] == "cursor"
    assert "leave it out for a new list" in details["detail"]


def test_a_cursor_ends_with_its_bundle(pipeline: Pipeline, shop: Shop, tmp_path: Path) -> None:
    body = {"user_id": "ann", "num_results": 5}
    cursor = shop.recommend(**body, cursor="*")["cursor"]
    manifest = {**pipeline.bundle.manifest, "fingerprint": "another"}
    with EventStore.open(tmp_path / "next.db") as store:
        after = Shop(Pipeline(replace(pipeline.bundle, manifest=manifest)), store)
        details = problem(after.call("POST", "/v1/recommend", json={**body, "cursor": cursor}), 409)
    assert details["errors"][0]["field"] == "cursor"
    assert "leave it out for a new list" in details["detail"]


def test_a_list_ends_at_its_last_place(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 places are more than this shop has items: here it is 10."""
    monkeypatch.setattr("serving.http.service.MAX_PLACES", 10)
    with EventStore.open(tmp_path / "short.db") as store:
        first, second = pages(Shop(pipeline, store), num_results=7)
    assert [item["rank"] for item in second["items"]] == [8, 9, 10]
    assert (second["requested"], second["returned"]) == (7, 3)
    assert second["shortfall_reason"] == "a list has 10 places at most"
    assert first["shortfall_reason"] is None


def test_a_page_of_slots_gives_no_cursors(shop: Shop) -> None:
    slots = shop.call("POST", "/v1/page", json={"slots": [{"num_results": 2}]}).json()["slots"]
    assert slots[0]["cursor"] is None
    unknown = shop.call("POST", "/v1/page", json={"slots": [{"cursor": "x"}]})
    assert problem(unknown, 422)["errors"][0]["field"] == "slots.0.cursor"


def test_the_trace_knows_earlier_pages(shop: Shop) -> None:
    first = shop.recommend(user_id="ann", num_results=5, cursor="*")
    second = shop.recommend(
        user_id="ann", num_results=5, cursor=first["cursor"], explain_item_ids=ids(first)[:1]
    )
    assert second["trace"]["items"][0]["reason"] == "is on an earlier page at rank 1"
    assert second["trace"]["stages"][-1]["num_items"] == 5
