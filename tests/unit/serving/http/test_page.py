"""`POST /v1/page`: several lists of one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hand_made_bundle import write_bundle
from http_shop import Shop, bought, problem

from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore


def page(shop: Shop, *slots: dict[str, Any], **who: Any) -> list[dict[str, Any]]:
    response = shop.call("POST", "/v1/page", json={"slots": list(slots), **who})
    assert response.status_code == 200, response.text
    return list(response.json()["slots"])


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_no_item_is_on_a_page_twice_and_the_first_slot_chooses_first(shop: Shop) -> None:
    shop.send(bought("cheese1"), bought("cheese2"))
    slots = (
        {"num_results": 5},
        {"num_results": 5},
        {"surface": "product", "item_ids": ["bread1"], "num_results": 4},
    )
    first, second, product = page(shop, *slots, user_id="ann")
    assert ids(first) == [item["item_id"] for item in shop.recommend(user_id="ann", num_results=5)["items"]]
    assert [len(ids(one)) for one in (first, second, product)] == [5, 5, 4]
    shown = [item for one in (first, second, product) for item in ids(one)]
    assert len(set(shown)) == 14
    assert "bread1" not in ids(product)


def test_each_slot_has_its_own_conditions_and_length(shop: Shop) -> None:
    bread, cheese = page(
        shop,
        {"filter": "product_type like '%Bread'", "num_results": 30, "return_fields": ["title"]},
        {"filter": "product_type like '%Cheese'", "exclude_item_ids": ["cheese0"], "num_results": 3},
        events=[{"event_type": "purchase", "item_id": "fruit1"}],
    )
    assert sorted(ids(bread)) == [f"bread{number}" for number in range(10)]
    assert bread["shortfall_reason"]
    assert bread["items"][0]["fields"]["title"].startswith("Bread")
    assert len(ids(cheese)) == 3
    assert "cheese0" not in ids(cheese)


def test_lists_are_counted_by_surface(shop: Shop) -> None:
    page(shop, {}, {"surface": "product", "item_ids": ["fruit1"]}, {})
    text = shop.call("GET", "/metrics").text
    assert 'shopkeeper_lists_total{kind="fallback",surface="home"}' in text
    assert 'surface="product"' in text


def test_what_is_wrong_is_named(shop: Shop) -> None:
    assert problem(shop.call("POST", "/v1/page", json={}), 422)["errors"][0]["field"] == "slots"
    problem(shop.call("POST", "/v1/page", json={"slots": []}), 422)
    problem(shop.call("POST", "/v1/page", json={"slots": [{}] * 21}), 422)
    unknown = shop.call("POST", "/v1/page", json={"slots": [{"user_id": "ann"}]})
    assert problem(unknown, 422)["errors"][0]["field"] == "slots.0.user_id"
    surface = shop.call("POST", "/v1/page", json={"slots": [{}, {"surface": "magic"}]})
    assert problem(surface, 422)["errors"][0]["field"] == "slots.1.surface"


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose ranker tells outcomes: people buy what they bought, and click on what is popular."""
    folder = tmp_path_factory.mktemp("telling")
    bundle = write_bundle(folder / "bundle", outcomes=("click", "purchase"))
    with EventStore.open(folder / "events.db") as store:
        yield Shop(Pipeline.load(bundle), store)


def test_rows_come_by_what_they_bring(telling: Shop) -> None:
    slots = [
        {"filter": "product_type like '%Bread'", "num_results": 4},
        {"surface": "buy_again", "num_results": 4},
        {"num_results": 6},
    ]
    events = [{"event_type": "purchase", "item_id": item} for item in ("cheese3", "cheese5", "fruit7")]

    def answer(**more: Any) -> dict[str, Any]:
        body = {"slots": slots, "events": events, **more}
        response = telling.call("POST", "/v1/page", json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    as_asked, by_value = answer(), answer(order="value")
    assert as_asked["order"] == [0, 1, 2]
    assert as_asked["values"] is None
    assert by_value["order"][0] == 1  # what this user is likely to buy
    assert by_value["values"] == sorted(by_value["values"], reverse=True)
    assert min(by_value["values"]) > 0
    rows = {place: ids(one) for place, one in zip(by_value["order"], by_value["slots"], strict=True)}
    assert [rows[place] for place in range(3)] == [ids(one) for one in as_asked["slots"]]
    assert by_value["slots"][0]["shortfall_reason"]
    text = telling.call("GET", "/metrics").text
    assert 'surface="buy_again"' in text


def test_a_stranger_s_rows_stay_in_the_order_of_the_request(telling: Shop) -> None:
    response = telling.call("POST", "/v1/page", json={"slots": [{}, {"num_results": 3}], "order": "value"})
    assert response.json()["order"] == [0, 1]
    assert response.json()["values"] is None


def test_rows_by_value_need_a_ranker_that_tells_outcomes(shop: Shop) -> None:
    refused = shop.call("POST", "/v1/page", json={"slots": [{}], "order": "value"})
    assert problem(refused, 422)["errors"][0]["field"] == "order"
    unknown = shop.call("POST", "/v1/page", json={"slots": [{}], "order": "best"})
    assert problem(unknown, 422)["errors"][0]["field"] == "order"
