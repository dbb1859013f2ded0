"""What an operator sees of the work inside a request."""

from __future__ import annotations

import re

import pytest
from http_shop import NOW, Shop, bought

from serving.recommend import watch


def metric(shop: Shop, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", shop.call("GET", "/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_stages_recall_and_inputs_are_measured(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "TIMED_EVERY", 2)
    monkeypatch.setattr(watch, "SEARCHED_EVERY", 1)
    shop.send(bought("cheese1"), bought("cheese2"))
    for _ in range(4):
        shop.recommend(user_id="ann")
    for stage in ("retrieve", "rank", "select"):
        assert metric(shop, f'shopkeeper_stage_seconds_count{{stage="{stage}"}}') == 2
    assert metric(shop, "shopkeeper_index_recall_count") == 4
    assert metric(shop, "shopkeeper_index_recall_sum") == 4, "a flat index finds all"
    assert metric(shop, 'shopkeeper_encoder_inputs_bucket{le="1.0"}') == 0
    assert metric(shop, 'shopkeeper_encoder_inputs_bucket{le="2.0"}') == 4


def test_the_lag_of_events_unknown_items_and_empty_lists_are_counted(shop: Shop) -> None:
    shop.send(bought("cheese1", timestamp=NOW / 1e6 - 100))
    assert metric(shop, 'shopkeeper_event_lag_seconds_bucket{le="60.0"}') == 0
    assert metric(shop, 'shopkeeper_event_lag_seconds_bucket{le="300.0"}') == 1
    shop.recommend(item_ids=["ghost", "spectre"])
    assert metric(shop, "shopkeeper_unknown_items_total") == 2
    shop.recommend(user_id="ann", filter="price > 1000")
    assert metric(shop, 'shopkeeper_lists_total{kind="empty",surface="home"}') == 1
