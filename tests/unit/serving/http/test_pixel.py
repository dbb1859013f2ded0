"""One event by GET."""

from __future__ import annotations

from http_shop import Shop, problem

URL = "/v1/events/collect?event_type=view_item&visitor_id=v-1&item_id=cheese1&price=2.5&event_id=mail-1"


def test_an_event_in_a_url_is_stored_once_and_answered_with_a_picture(shop: Shop) -> None:
    for _ in range(2):
        answer = shop.call("GET", URL)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert answer.content.startswith(b"GIF89a")
        assert answer.headers["cache-control"] == "private, no-store"
    events = shop.call("GET", "/v1/users/visitor:v-1").json()["events"]
    assert [(event["item_id"], event["price"]) for event in events] == [("cheese1", 2.5)]
    assert shop.recommend(visitor_id="v-1")["items"][0]["item_id"].startswith("cheese")


def test_what_is_wrong_with_it_is_said(shop: Shop) -> None:
    for parameters, field in {
        "event_type=view_item&visitor_id=v-1": "item_id",
        "event_type=view_item&item_id=cheese1": "user_id",
        "event_type=look&visitor_id=v-1&item_id=cheese1": "event_type",
        "event_type=view_item&visitor_id=v-1&item_id=cheese1&colour=red": "colour",
    }.items():
        details = problem(shop.call("GET", f"/v1/events/collect?{parameters}"), 422)
        assert details["errors"][0]["field"] == field
