"""`validate_only`: everything is checked, and no list is made."""

from __future__ import annotations

from typing import Any

import pytest
from http_shop import Shop, bought, problem


def test_a_valid_request_is_answered_without_a_list_and_leaves_nothing_behind(shop: Shop) -> None:
    answer = shop.recommend(
        user_id="ann",
        validate_only=True,
        events=[bought("fruit1")],
        filter="price > 1",
        item_ids=["nowhere"],
        num_results=5,
    )
    assert (answer["validated"], answer["items"], answer["returned"], answer["requested"]) == (True, [], 0, 5)
    assert answer["shortfall_reason"] is None
    assert answer["unknown_item_ids"] == ["nowhere"]
    metrics = shop.call("GET", "/metrics").text
    assert "shopkeeper_lists_total{" not in metrics
    assert "shopkeeper_histories 0.0" in metrics
    assert shop.call("GET", "/v1/users/ann").json()["events"] == []
    assert shop.recommend(user_id="ann")["validated"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"surface": "magic"}, "surface"),
        ({"filter": "colour = 'red'"}, "filter"),
        ({"return_fields": ["colour"]}, "return_fields"),
        ({"events": [{"event_type": "purchase"}]}, "events.0.item_id"),
        ({"num_results": 0}, "num_results"),
    ],
)
def test_what_is_wrong_is_refused_as_without_it(shop: Shop, body: dict[str, Any], field: str) -> None:
    for more in ({}, {"validate_only": True}):
        details = problem(shop.call("POST", "/v1/recommend", json={**body, **more}), 422)
        assert details["errors"][0]["field"] == field


def test_a_page_is_checked_slot_by_slot(shop: Shop) -> None:
    body: dict[str, Any] = {"validate_only": True, "slots": [{}, {"surface": "product"}]}
    slots = shop.call("POST", "/v1/page", json=body).json()["slots"]
    assert [slot["validated"] for slot in slots] == [True, True]
    body["slots"][1]["filter"] = "nonsense"
    details = problem(shop.call("POST", "/v1/page", json=body), 422)
    assert details["errors"][0]["field"] == "slots.1.filter"
    assert "shopkeeper_lists_total{" not in shop.call("GET", "/metrics").text
