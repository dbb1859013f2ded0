"""The endpoints over a real pipeline and a real store; only the network is left out."""

from __future__ import annotations

import json
import sqlite3
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hand_made_bundle import ITEM_IDS
from http_shop import MAX_BODY, NOW, Shop, bought, on_a_port, problem

from configs.settings.recommend import DEFAULT_SURFACES
from features.core.columns import MICROSECONDS_PER_DAY
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import ExchangeRates
from serving.state.store import EventStore


def with_bundle(pipeline: Pipeline, bundle: Bundle) -> Pipeline:
    other = copy(pipeline)
    other.bundle = bundle
    return other


def test_events_of_a_user_change_the_next_answer(shop: Shop) -> None:
    stranger = shop.recommend(user_id="ann", num_results=5)
    assert "nothing is known" in stranger["fallback_used"]
    assert shop.send(bought("cheese4"), bought("cheese5")) == {"accepted": 2, "duplicates": 0, "rejected": []}
    answer = shop.recommend(user_id="ann", num_results=5, return_fields=["title", "price"])
    assert answer["fallback_used"] is None
    assert all(item["item_id"].startswith("cheese") for item in answer["items"])
    assert {item["item_id"] for item in answer["items"][:2]} == {"cheese4", "cheese5"}
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    assert (answer["requested"], answer["returned"]) == (5, 5)
    first = answer["items"][0]
    assert first["fields"] == {
        "title": first["item_id"].capitalize(),
        "price": pytest.approx(1 + ITEM_IDS.index(first["item_id"]) / 10),
    }
    assert first["reasons"][0]["text"]
    assert answer["bundle"]["name"] == "hand-made"


def test_a_visitor_and_a_user_with_the_same_id_are_different(shop: Shop) -> None:
    shop.send(bought("cheese4"))
    assert shop.recommend(visitor_id="ann")["fallback_used"] is not None
    assert shop.recommend(user_id="ann")["fallback_used"] is None


def test_events_of_the_request_count_for_this_answer_alone(shop: Shop) -> None:
    now = {"event_type": "purchase", "item_id": "bread3"}
    assert shop.recommend(user_id="ann", events=[now], num_results=1)["items"][0]["item_id"] == "bread3"
    assert shop.recommend(events=[now], num_results=1)["items"][0]["item_id"] == "bread3"
    assert "nothing is known" in shop.recommend(user_id="ann")["fallback_used"]


def test_page_and_excluded_items_are_left_out_and_unknown_ids_are_reported(shop: Shop) -> None:
    answer = shop.recommend(
        surface="product", item_ids=["bread1", "ghost"], exclude_item_ids=["bread2", "ghost"], num_results=3
    )  # fmt: skip
    listed = [item["item_id"] for item in answer["items"]]
    assert listed[0] == "bread3", "what goes with bread1 best, without bread2"
    assert not {"bread1", "bread2"} & set(listed)
    assert answer["unknown_item_ids"] == ["ghost"]


def test_a_short_list_has_a_reason(shop: Shop) -> None:
    shop.send(bought("fruit7"))
    answer = shop.recommend(user_id="ann", surface="buy_again")
    assert [item["item_id"] for item in answer["items"]] == ["fruit7"]
    assert answer["shortfall_reason"]


def test_a_user_who_only_viewed_items_has_nothing_to_buy_again(shop: Shop) -> None:
    shop.send(bought("fruit7", event_type="view_item"))
    answer = shop.recommend(user_id="ann", surface="buy_again")
    assert answer["items"] == []
    assert answer["shortfall_reason"]


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
@pytest.mark.parametrize("value", ["{}", "[1, {}]", '{{"depth": [[{}]]}}'])
def test_a_number_beyond_all_floats_is_refused_for_its_event(shop: Shop, number: str, value: str) -> None:
    events = [json.dumps(bought("fruit1")), json.dumps(bought("fruit2"))]
    events[0] = events[0][:-1] + ', "attributes": {"size": ' + value.format(number) + "}}"
    answer = shop.call("POST", "/v1/events", content='{"events": [' + ", ".join(events) + "]}").json()
    assert answer["accepted"] == 1
    (rejected,) = answer["rejected"]
    assert (rejected["index"], rejected["field"]) == (0, "attributes")
    assert "too large" in rejected["message"]
    assert "send it as text" in rejected["message"]


def test_one_bad_event_does_not_lose_the_others(shop: Shop) -> None:
    answer = shop.send(
        bought("fruit1"),
        bought("fruit1", price=-1),
        {"event_type": "purchase", "user_id": "ann"},
        {"event_type": "purchase", "item_id": "fruit1"},
        bought("fruit1", timestamp="2093-01-01T00:00:00Z"),
        bought("fruit1", timestamp="yesterday"),
        bought("x" * 10_000),
        bought("fruit1", quantity=-2),
        bought("fruit1", event_type="bougth"),
        bought("fruit1", colour="red"),
        bought("fruit1", currency="EUR"),
        "no event",  # type: ignore[arg-type]
    )
    assert (answer["accepted"], answer["duplicates"]) == (1, 0)
    found = {rejected["index"]: (rejected["field"], rejected["message"]) for rejected in answer["rejected"]}
    fields = [
        "price",
        "item_id",
        "user_id",
        "timestamp",
        "timestamp",
        "item_id",
        "quantity",
        "event_type",
        "colour",
    ]
    assert [found[index][0] for index in range(1, 12)] == [*fields, "currency", "event"]
    assert "256" in found[6][1]
    assert "'purchase'" in found[8][1], "the valid event types"
    assert "attributes" in found[9][1]


@pytest.mark.parametrize(("sent", "stored"), [(0.735, 0.735), (2, 2.0), (1e300, None)])
def test_goods_sold_by_weight(shop: Shop, sent: float, stored: float | None) -> None:
    answer = shop.send(bought("fruit1", quantity=sent))
    assert [rejected["field"] for rejected in answer["rejected"]] == ["quantity"] * (stored is None)
    assert [event.quantity for event in shop.store.latest_events("ann", limit=1)] == [stored] * answer[
        "accepted"
    ]


def test_half_an_emoji_loses_neither_its_event_nor_the_others(shop: Shop) -> None:
    """As a browser writes a text that was cut in the middle of a character."""
    body = json.dumps({"events": [bought("fruit1"), bought("fruit2", search_term="tea \ud83d")]})
    assert r"tea \ud83d" in body
    response = shop.call("POST", "/v1/events", content=body)
    assert response.json() == {"accepted": 2, "duplicates": 0, "rejected": []}
    assert {event.search_term for event in shop.store.latest_events("ann", limit=2)} == {None, "tea \ufffd"}


def test_a_retry_with_the_senders_id_counts_once(shop: Shop) -> None:
    event = bought("fruit1", event_id="order-1")
    assert shop.send(event)["accepted"] == 1
    assert shop.send(event) == {"accepted": 0, "duplicates": 1, "rejected": []}


def test_an_order_sent_again_without_an_id_is_bought_once(shop: Shop) -> None:
    """A reloaded page: another time, another session, and now and then another order of the items."""
    again = [
        {
            "event_type": "purchase",
            "user_id": "ann",
            "session_id": f"s{number}",
            "transaction_id": "t1",
            "items": [{"item_id": item} for item in items],
        }
        for number, items in enumerate((["cheese4", "fruit1"], ["fruit1", "cheese4"]))
    ]
    assert shop.send(again[0])["accepted"] == 2
    assert shop.send(again[1]) == {"accepted": 0, "duplicates": 2, "rejected": []}
    shown = shop.recommend(user_id="ann", num_results=2)["items"]
    assert {item["item_id"] for item in shown} == {"cheese4", "fruit1"}
    assert [item["reasons"][0]["text"].startswith("Bought once") for item in shown] == [True, True]
    assert shop.send(again[0] | {"event_type": "refund"})["accepted"] == 2
    assert shop.send(again[0] | {"transaction_id": "t2"})["accepted"] == 2


@pytest.mark.parametrize(
    "known_by",
    [
        {"event_id": "e1"},
        {"timestamp": NOW / 1e6 - 60},
        {"transaction_id": "t1"},
        {"event_id": "e2", "visitor_id": "v1"},
    ],
)
def test_an_event_that_is_stored_and_sent_with_the_request_counts_once(
    shop: Shop, known_by: dict[str, Any]
) -> None:
    event = bought("cheese4", **known_by)
    shop.send(event)
    for events in ([event], [event, event] if "event_id" in known_by else [event]):
        found = shop.recommend(user_id="ann", num_results=1, events=events)["items"][0]
        assert found["item_id"] == "cheese4"
        assert found["reasons"][0]["text"].startswith("Bought once")
    other = bought("cheese4", event_id="e9")
    found = shop.recommend(user_id="ann", num_results=1, events=[event, other])["items"][0]
    assert found["reasons"][0]["text"].startswith("Bought twice")


def test_an_event_with_a_time_counts_once_and_one_without_each_time(shop: Shop) -> None:
    timed = bought("fruit1", timestamp="2023-11-14T12:00:00Z")
    assert shop.send(timed)["accepted"] == 1
    assert shop.send(timed)["duplicates"] == 1
    assert shop.send(timed, timed)["accepted"] == 1, "equal rows of a request, as of a file, are two"
    assert shop.send(bought("fruit1"), bought("fruit1"))["accepted"] == 2
    twice = {"event_type": "purchase", "user_id": "bob", "items": [{"item_id": "fruit1"}] * 2}
    for event_id in ("e1", None):
        assert shop.send(twice | {"event_id": event_id})["accepted"] == 2
        assert shop.send(twice | {"event_id": "e1"})["duplicates"] == 2


def test_an_event_with_items_is_a_row_each_and_other_names_and_times_are_understood(shop: Shop) -> None:
    order = {
        "event_type": "Order Completed",
        "user_id": 7,
        "timestamp": NOW / 1e6 - 3600,
        "items": [{"item_id": "fruit1", "price": 2}, {"item_id": "fruit2"}],
        "transaction_id": "t1",
        "currency": "usd",
    }
    assert shop.send(order)["accepted"] == 2
    latest = shop.store.latest_events("7", limit=5)
    assert {(event.item_id, event.price, event.line) for event in latest} == {
        ("fruit1", 2.0, 0),
        ("fruit2", None, 0),
    }
    assert {(event.event_type, event.currency, event.transaction_id) for event in latest} == {
        ("purchase", "USD", "t1")
    }
    assert {NOW - event.timestamp for event in latest} == {3_600_000_000}


def test_a_clock_that_is_fast_hides_nothing_from_the_next_answer(shop: Shop) -> None:
    assert shop.send(bought("cheese4", timestamp=(NOW + MICROSECONDS_PER_DAY // 2) / 1e6))["accepted"] == 1
    assert shop.store.latest_events("ann", limit=1)[0].timestamp == NOW
    assert shop.recommend(user_id="ann", num_results=1)["items"][0]["item_id"] == "cheese4"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1699963200", 1_699_963_200),
        ("1699963200.5", 1_699_963_200.5),
        ("1699963200000", 1_699_963_200),
        ("1610123112345", 1_610_123_112.345),  # 1610-12-31, the ISO parser would say
        (" 1610123112345 ", 1_610_123_112.345),
        ("20231114", 1_699_920_000),
        ("2023-11-14T12:00:00Z", 1_699_963_200),
    ],
)
def test_times_as_text(shop: Shop, sent: str, stored: float) -> None:
    assert shop.send(bought("fruit1", timestamp=sent))["accepted"] == 1
    assert shop.store.latest_events("ann", limit=1)[0].timestamp == round(stored * 1e6)


def test_a_time_before_1970_is_refused_as_in_the_tables(shop: Shop) -> None:
    (rejected,) = shop.send(bought("fruit1", timestamp="1969-12-31T23:59:59Z"))["rejected"]
    assert (rejected["field"], rejected["message"]) == ("timestamp", "is before 1970")


@pytest.mark.parametrize("manifest", ["EUR", None])
@pytest.mark.parametrize("configured", ["EUR", None])
def test_prices_are_converted_to_the_currency_of_the_settings_or_the_bundle(
    pipeline: Pipeline, tmp_path: Path, configured: str | None, manifest: str | None
) -> None:
    """Where neither names one, it is the catalogue's, USD."""
    bundle = replace(pipeline.bundle, manifest={**pipeline.bundle.manifest, "currency": manifest})
    rates = ExchangeRates(currency=configured, rates={"GBP": 2.0, "USD": 0.5})
    own = "EUR" if configured or manifest else "USD"
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(with_bundle(pipeline, bundle), store, rates)
        assert (
            shop.send(bought("fruit1", price=3, currency="GBP"), bought("fruit2", price=3))["accepted"] == 2
        )
        found = {
            event.item_id: (event.price, event.currency) for event in store.latest_events("ann", limit=2)
        }
    assert found == {"fruit1": (6.0, own), "fruit2": (3.0, own)}


def test_a_catalogue_without_currencies_is_shown_in_the_bundles(pipeline: Pipeline, tmp_path: Path) -> None:
    bundle = pipeline.bundle
    nameless = replace(
        bundle, manifest={**bundle.manifest, "currency": "EUR"}, catalogue=bundle.catalogue.drop("currency")
    )
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(with_bundle(pipeline, nameless), store)
        assert shop.call("GET", "/v1/shop").json()["currency"] == "EUR"


@pytest.mark.parametrize(
    ("body", "status", "mentioned"),
    [
        ({"surface": "attic"}, 422, "home, product, similar, cart, buy_again"),
        ({"return_fields": ["titel"]}, 422, "title"),
        ({"user_id": "x" * 10_000}, 422, "user_id"),
        ({"user_id": " "}, 422, "blank"),
        ({"num_results": -1}, 422, "num_results"),
        ({"num_results": 501}, 422, "num_results"),
        ({"item_ids": ["fruit1"] * 10_000}, 413, "max_body_bytes"),
        ({"item_ids": ["f"] * 10_000}, 422, "item_ids"),
        ({"events": [{"event_type": "purchase"}]}, 422, "events.0.item_id"),
        ({"usr_id": "ann"}, 422, "usr_id"),
        (["ann"], 422, "object"),
        (b"not json", 400, "not JSON"),
        (b"", 400, "not JSON"),
        (b'{"user_id": "\\ud800"}', 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
    ],
)
def test_an_invalid_request_is_explained(shop: Shop, body: object, status: int, mentioned: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    details = problem(shop.call("POST", "/v1/recommend", content=content), status)
    assert mentioned in json.dumps(details)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422),
        (b'{"events": []}', 422),
        (b'{"events": 3}', 422),
        (b"{", 400),
        (b'{"events": [NaN]}', 400),
    ],
)
def test_a_body_without_events_is_refused(shop: Shop, body: bytes, status: int) -> None:
    problem(shop.call("POST", "/v1/events", content=body), status)


def test_more_events_than_allowed_are_refused(shop: Shop) -> None:
    details = problem(shop.call("POST", "/v1/events", json={"events": [{}] * 501}), 422)
    assert "1 to 500" in details["detail"]


def test_a_body_of_unknown_length_is_read_no_further_than_allowed(shop: Shop) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 100 * MAX_BODY:
            sent += 10_000
            yield b" " * 10_000

    problem(shop.call("POST", "/v1/recommend", content=endless()), 413)
    assert sent <= 2 * MAX_BODY


def test_unknown_paths_and_methods_are_problems_too(shop: Shop) -> None:
    problem(shop.call("GET", "/v1/nothing"), 404)
    assert problem(shop.call("GET", "/v1/recommend"), 405)["title"] == "Method Not Allowed"
    problem(shop.call("GET", "/v1/shop/users?limit=many"), 422)
    problem(shop.call("GET", "/v1/items/ghost"), 404)


@pytest.mark.parametrize(
    ("method", "path", "unknown", "known"),
    [
        ("GET", "/v1/items?q=tea", "q", "query, limit"),
        ("GET", "/v1/items/fruit1?fields=title", "fields", "none"),
        ("GET", "/v1/users/ann?limit=3&page=2&from=1", "page, from", "limit"),
        ("GET", "/v1/shop?lang=en", "lang", "none"),
        ("GET", "/v1/shop/users?num=3", "num", "limit"),
        ("POST", "/v1/recommend?user_id=ann", "user_id", "none"),
        ("POST", "/v1/events?debug=1", "debug", "none"),
    ],
)
def test_an_unknown_query_parameter_is_refused_with_the_known_ones(
    shop: Shop, method: str, path: str, unknown: str, known: str
) -> None:
    body = {"json": {"events": [bought("fruit1")]}} if method == "POST" else {}
    details = problem(shop.call(method, path, **body), 400)
    assert details["detail"].startswith(f"{unknown}: not a query parameter of /v1/")
    assert details["detail"].endswith(f"it has {known}.")
    assert [error["field"] for error in details["errors"]] == unknown.split(", ")
    assert shop.store.num_events("ann") == 0, "nothing of it was stored"


def test_the_order_of_a_page_is_that_of_its_scores(shop: Shop) -> None:
    shop.send(bought("cheese4"), bought("cheese5"))
    for surface in ("home", "product", "similar", "cart", "buy_again"):
        answer = shop.recommend(user_id="ann", surface=surface, item_ids=["fruit3"], num_results=30)
        scores = [item["score"] for item in answer["items"]]
        assert scores == sorted(scores, reverse=True), surface


def test_a_list_that_is_all_popular_names_the_retriever_behind_it(shop: Shop) -> None:
    """The encoder does not read reviews, which are no targets either."""
    shop.send(bought("fruit1", event_type="review"))
    for surface in ("home", "product"):
        for body in ({}, {"user_id": "ann"}, {"user_id": "ann", "item_ids": ["ghost"]}):
            answer = shop.recommend(surface=surface, num_results=5, **body)
            assert {item["source"] for item in answer["items"]} == {"popularity"}
            who = "this user or page leads" if body else "this user yet"
            assert answer["fallback_used"].startswith("popularity: nothing")
            assert who in answer["fallback_used"]


def test_a_bug_shows_no_stack_trace(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipeline, "recommend", lambda *_: 1 / 0)
    assert "ZeroDivision" not in json.dumps(problem(shop.call("POST", "/v1/recommend", json={}), 500))


def test_health_readiness_and_a_lost_store(shop: Shop, tmp_path: Path) -> None:
    assert shop.call("GET", "/healthz").json() == {"status": "alive"}
    ready = shop.call("GET", "/readyz").json()
    assert (ready["status"], ready["events"], ready["reason"]) == ("ready", "accepted", None)
    connection = sqlite3.connect(tmp_path / "events.db")
    connection.execute("DROP TABLE events")
    connection.close()
    problem(shop.call("GET", "/readyz"), 503)
    problem(shop.call("POST", "/v1/events", json={"events": [bought("fruit1")]}), 503)
    assert "Retry-After" in shop.call("POST", "/v1/recommend", json={"user_id": "ann"}).headers
    assert shop.call("GET", "/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_ask_for_the_head_alone(shop: Shop, path: str) -> None:
    with on_a_port(shop.app) as port:
        response = httpx.head(f"http://127.0.0.1:{port}{path}", trust_env=False)
    assert (response.status_code, response.content) == (200, b"")


def test_refused_events_are_said_and_do_not_take_the_server_out_of_rotation(
    shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "events.db").rename(tmp_path / "moved.db")
    response = shop.call("GET", "/readyz")
    assert response.status_code == 200
    assert response.json()["events"] == "refused"
    assert "is gone" in response.json()["reason"]
    assert "shopkeeper_event_log_writable 0.0" in shop.call("GET", "/metrics").text
    assert shop.recommend()["items"]


def test_personal_answers_are_not_cached(shop: Shop) -> None:
    for response in (shop.call("POST", "/v1/recommend", json={}), shop.call("GET", "/v1/users/ann")):
        assert response.headers["cache-control"] == "private, no-store"


def test_metrics_count_what_happened(shop: Shop) -> None:
    shop.recommend()
    shop.send(bought("fruit1"), bought("fruit1", price=-1))
    shop.call("GET", "/v1/users/somebody/else")
    shop.call("GET", "/nowhere/room-4711")
    text = shop.call("GET", "/metrics").text
    assert 'shopkeeper_requests_total{method="POST",route="/v1/recommend",status="200"} 1.0' in text
    assert 'shopkeeper_lists_total{kind="fallback",surface="home"} 1.0' in text
    assert 'shopkeeper_events_total{result="accepted"} 1.0' in text
    assert 'shopkeeper_events_total{result="rejected"} 1.0' in text
    assert 'shopkeeper_bundle_info{name="hand-made"' in text
    assert "shopkeeper_event_log_writable 1.0" in text
    shop.recommend(user_id="ann")
    text = shop.call("GET", "/metrics").text
    assert "shopkeeper_user_states 0.0" in text, "this app keeps none"
    assert "shopkeeper_histories 1.0" in text
    assert "shopkeeper_history_events 1.0" in text
    shop.call("BREW", "/healthz")
    shop.call("BREW1", "/healthz")
    text = shop.call("GET", "/metrics").text
    assert 'shopkeeper_requests_total{method="other",route="/healthz",status="405"} 2.0' in text
    assert "BREW" not in text
    assert "somebody" not in text
    assert "room-4711" not in text


def test_the_openapi_document_describes_bodies_with_examples(shop: Shop) -> None:
    document = shop.call("GET", "/openapi.json").json()
    reference = document["paths"]["/v1/recommend"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]["$ref"]
    schemas = document["components"]["schemas"]
    assert schemas[reference.rsplit("/", 1)[1]]["example"]["user_id"]
    for name in json.dumps(document).split('"#/components/schemas/')[1:]:
        assert name.split('"')[0] in schemas
    assert shop.call("GET", "/docs").status_code == 200


def test_every_response_has_a_schema(shop: Shop) -> None:
    """And every error is documented as problem details, as it is sent."""
    paths = shop.call("GET", "/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status != "200":
                    assert list(response["content"]) == ["application/problem+json"], (path, status)
                elif path == "/v1/events/collect":
                    assert list(response["content"]) == ["image/gif"]
                elif path != "/metrics":
                    assert "$ref" in response["content"]["application/json"]["schema"], path


def test_problem_details_have_the_fields_of_their_schema(shop: Shop) -> None:
    schema = shop.call("GET", "/openapi.json").json()["components"]["schemas"]["ProblemDetails"]
    details = problem(shop.call("POST", "/v1/recommend", json={"num_results": 0}), 422)
    assert set(details) == set(schema["properties"])
    assert [set(error) for error in details["errors"]] == [{"field", "message"}]


def test_the_shop_page_gets_users_their_events_and_the_catalogue(shop: Shop) -> None:
    shop.send(bought("fruit1", price=3.5, timestamp="2023-11-14T10:00:00"), bought("ghost", user_id="eve"))
    assert shop.call("GET", "/v1/shop").json() == {
        "surfaces": list(DEFAULT_SURFACES),
        "columns": ["id", "title", "product_type", "brand", "price", "currency"],
        "currency": "USD",
        "has_times": True,
    }
    users = shop.call("GET", "/v1/shop/users").json()["users"]
    assert [user["id"] for user in users] == ["eve", "ann"]
    user = shop.call("GET", "/v1/users/ann").json()
    assert user["num_events"] == 1
    assert user["events"][0]["title"] == "Fruit1"
    assert (user["events"][0]["price"], user["events"][0]["timestamp"]) == (3.5, "2023-11-14T10:00:00Z")
    assert shop.call("GET", "/v1/users/eve").json()["events"][0]["title"] is None
    assert shop.call("GET", "/v1/users/nobody").json()["events"] == []
    found = shop.call("GET", "/v1/items", params={"query": "food BREAD", "limit": 2}).json()["items"]
    assert [item["item_id"] for item in found] == ["bread0", "bread1"]
    assert [item["item_id"] for item in shop.call("GET", "/v1/items?limit=1").json()["items"]] == ["fruit0"]
    assert shop.call("GET", "/v1/items", params={"query": "(.*"}).json()["items"] == []
    assert shop.call("GET", "/v1/items/fruit1").json()["fields"]["brand"] == "Acme"


def test_the_address_of_the_shop_page_does_not_depend_on_the_host_header(shop: Shop) -> None:
    redirected = shop.call("GET", "/shop", headers={"Host": "another"})
    assert (redirected.status_code, redirected.headers["location"]) == (307, "/shop/")
    assert shop.call("GET", "/").headers["location"] == "/shop/"
    assert "<title>" in shop.call("GET", "/shop/").text
    problem(shop.call("POST", "/v1/recommend/"), 404)


def test_an_id_is_the_same_with_a_decimal_zero_and_a_rounded_one_is_refused(shop: Shop) -> None:
    assert shop.send(bought("fruit1", user_id="12.0"), bought("fruit1", user_id=12.0))["accepted"] == 2
    assert shop.store.num_events("12") == 2
    assert shop.call("GET", "/v1/users/12.0").json()["num_events"] == 2
    assert shop.recommend(user_id="12.0")["fallback_used"] == shop.recommend(user_id=12)["fallback_used"]
    (rejected,) = shop.send(bought("fruit1", user_id="1.2345E+11"))["rejected"]
    assert rejected["field"] == "user_id"
    assert "save the ids as text" in rejected["message"]


def test_an_excluded_id_is_nobody(pipeline: Pipeline, tmp_path: Path) -> None:
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(pipeline, store, exclude=("0", "guest"))
        answer = shop.send(bought("fruit1", user_id=0), bought("fruit1", user_id="guest", visitor_id="v1"))
        assert answer["accepted"] == 1
        assert "data.exclude" in answer["rejected"][0]["message"]
        assert store.num_events("visitor:v1") == 1
        stranger = shop.recommend()
        event = bought("cheese4")
        for body in ({"user_id": "0"}, {"user_id": "0", "events": [event]}, {"events": [event]}):
            assert (
                shop.recommend(**body)["fallback_used"]
                == (shop.recommend(events=[event]) if "events" in body else stranger)["fallback_used"]
            )
        same = shop.recommend(user_id="guest", visitor_id="v1")["items"][0]["item_id"]
        assert same == shop.recommend(visitor_id="v1")["items"][0]["item_id"] == "fruit1"
