"""`POST /v1/rank`: given items in the order in which a user would want them."""

from __future__ import annotations

from typing import Any

from hand_made_bundle import ITEM_IDS
from http_shop import Shop, bought, problem


def rank(shop: Shop, **body: Any) -> dict[str, Any]:
    response = shop.call("POST", "/v1/rank", json=body)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "private, no-store"
    return dict(response.json())


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_the_order_and_the_scores_are_those_of_the_users_list(shop: Shop) -> None:
    shop.send(bought("cheese1"), bought("cheese2"))
    expected = [
        (item["item_id"], item["score"]) for item in shop.recommend(user_id="ann", num_results=30)["items"]
    ]
    answer = rank(shop, user_id="ann", item_ids=sorted(ITEM_IDS, reverse=True))
    found = {item["item_id"]: item["score"] for item in answer["items"]}
    assert [item["rank"] for item in answer["items"]] == list(range(1, 31))
    assert all(abs(found[item] - score) < 1e-5 for item, score in expected)
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert ids(answer)[:2] == [item for item, _ in expected[:2]]


def test_what_the_user_just_did_counts(shop: Shop) -> None:
    some = ["fruit1", "bread1", "cheese1"]
    bread = [{"event_type": "purchase", "item_id": "bread2"}]
    assert ids(rank(shop, user_id="bob", item_ids=some, events=bread))[0] == "bread1"
    assert ids(rank(shop, item_ids=some)) == some, "to a stranger, what sells most first"


def test_items_come_once_and_unknown_ones_are_named(shop: Shop) -> None:
    answer = rank(shop, item_ids=["nothing", "fruit1", "fruit1", "nothing"])
    assert ids(answer) == ["fruit1"]
    assert answer["unknown_item_ids"] == ["nothing"]
    assert rank(shop, item_ids=["nothing"])["items"] == []


def test_an_empty_page_and_an_unknown_field_are_refused(shop: Shop) -> None:
    bodies: list[dict[str, Any]] = [{}, {"item_ids": []}, {"item_ids": ["a"] * 501}]
    for body in (*bodies, {"item_ids": ["a"], "surface": "home"}):
        problem(shop.call("POST", "/v1/rank", json=body), 422)
