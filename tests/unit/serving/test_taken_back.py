"""A refund or a removal from the cart that was sent a moment ago, in the next answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hand_made_bundle import AS_OF, write_bundle

from configs.settings.encoder import HistoryConfig
from configs.settings.services import ServingConfig
from features.core.columns import MICROSECONDS_PER_DAY
from serving.http.app import build_app
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore


class Shop:
    """What ann does, and what she then sees."""

    def __init__(self, pipeline: Pipeline, store: EventStore) -> None:
        service = Service(pipeline, store, max_events_kept=100, clock=lambda: AS_OF + MICROSECONDS_PER_DAY)
        self._app = build_app(service, ServingConfig(max_body_bytes=100_000))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self._app), base_url="http://shop"
            ) as client:
                return await client.post(path, json=body)

        response = asyncio.run(send())
        assert response.status_code == 200, response.text
        return dict(response.json())

    def send(self, event_type: str, *item_ids: str, **more: Any) -> None:
        events = [
            {"event_type": event_type, "user_id": "ann", "item_id": item_id, **more} for item_id in item_ids
        ]
        assert self._post("/v1/events", {"events": events})["accepted"] == len(item_ids)

    def buy_again(self, **more: Any) -> dict[str, str]:
        """item → the first reason's text"""
        answer = self._post("/v1/recommend", {"user_id": "ann", "surface": "buy_again", **more})
        return {item["item_id"]: item["reasons"][0]["text"] for item in answer["items"]}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.open(tmp_path / "events.db") as store:
        yield store


def test_what_was_brought_back_is_gone_from_the_next_answer(pipeline: Pipeline, store: EventStore) -> None:
    shop = Shop(pipeline, store)
    shop.send("purchase", "bread1", "bread2", "bread2", transaction_id="t1")
    assert shop.buy_again() == {
        "bread1": "Bought once, last within the hour",
        "bread2": "Bought twice, last within the hour",
    }
    shop.send("refund", "bread1", "bread2", transaction_id="t1")
    assert shop.buy_again() == {"bread2": "Bought once, last within the hour"}
    shop.send("Order Refunded", "bread2")
    assert shop.buy_again() == {}
    shop.send("purchase", "bread1")
    assert set(shop.buy_again()) == {"bread1"}


def test_a_refund_in_the_request_counts_for_this_answer(pipeline: Pipeline, store: EventStore) -> None:
    shop = Shop(pipeline, store)
    shop.send("purchase", "bread1", "bread2")
    assert set(shop.buy_again(events=[{"event_type": "refund", "item_id": "bread1"}])) == {"bread2"}
    assert set(shop.buy_again()) == {"bread1", "bread2"}


def test_where_the_cart_is_a_target_a_removal_takes_it_back(pipeline: Pipeline, store: EventStore) -> None:
    history = HistoryConfig(targets={"purchase": 1.0, "add_to_cart": 0.3}, max_length=20)
    settings = pipeline.bundle.settings.model_copy(update={"history": history})
    other = Pipeline(replace(pipeline.bundle, settings=settings))
    shop = Shop(other, store)
    long_ago = {"timestamp": (AS_OF - 3 * MICROSECONDS_PER_DAY) // 1_000_000}
    shop.send("add_to_cart", "bread1", "bread2", **long_ago)
    assert shop.buy_again() == {
        "bread1": "Put into the cart once, last 4 days ago",
        "bread2": "Put into the cart once, last 4 days ago",
    }
    shop.send("Product Removed", "bread1")
    assert set(shop.buy_again()) == {"bread2"}
