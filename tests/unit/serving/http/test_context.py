"""`context`: where a request comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_shop import Shop, problem

VIEW = {"event_id": "v1", "event_type": "view_item", "item_id": "cheese1", "device": "tablet"}


def test_it_fills_the_empty_fields_of_recorded_events(shop: Shop) -> None:
    context = {"channel": "app", "device": "phone", "country": "FR", "page_type": "home", "test_group": 3}
    events = [{**VIEW, "attributes": {"test_group": 9}}]
    shop.recommend(user_id="ann", events=events, context=context, record=True)
    (event,) = shop.store.latest_events("ann", limit=9)
    assert (event.channel, event.device, event.country, event.source) == ("app", "tablet", "FR", None)
    assert json.loads(event.attributes or "") == {"page_type": "home", "test_group": 9}, (
        "the event's own wins"
    )


def test_no_list_depends_on_it_and_nothing_is_stored_without_record(shop: Shop) -> None:
    plain = shop.recommend(user_id="ann", events=[VIEW])
    assert (
        shop.recommend(user_id="ann", events=[VIEW], context={"device": "phone"})["items"] == plain["items"]
    )
    assert shop.store.latest_events("ann", limit=9) == []
    body = {"slots": [{}], "user_id": "ann", "events": [VIEW], "record": True, "context": {"medium": "email"}}
    assert shop.call("POST", "/v1/page", json=body).json()["recorded"]["accepted"] == 1
    assert shop.store.latest_events("ann", limit=1)[0].medium == "email"


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"device": 7}, "context.device"),
        ({"campaign": "x" * 1001}, "context.campaign"),
        ({"nested": {"a": 1}}, "context.nested"),
        ({str(number): number for number in range(21)}, "context"),
        ("app", "context"),
    ],
)
def test_what_is_wrong_is_named(shop: Shop, context: Any, field: str) -> None:
    details = problem(shop.call("POST", "/v1/recommend", json={"context": context}), 422)
    assert details["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize("value", [[1], {"a": 1}, "x" * 1001, None])
def test_a_value_that_is_nothing_of_the_kind_is_named_once(shop: Shop, value: Any) -> None:
    """Without the names of types that Python has."""
    details = problem(shop.call("POST", "/v1/recommend", json={"context": {"test_group": value}}), 422)
    said = "is no text of at most 1,000 characters, no number, and not true or false"
    assert details["errors"] == [{"field": "context.test_group", "message": said}]
