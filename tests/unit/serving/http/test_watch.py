"""What an operator sees of the work inside a request."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle
from http_shop import NOW, Shop, bought

from serving.recommend import watch
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore


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
    assert metric(shop, 'shopkeeper_encoder_input_events_total{event_type="purchase"}') == 8
    assert metric(shop, 'shopkeeper_encoder_input_events_total{event_type="view_item"}') == 0


def test_what_the_encoder_was_trained_with_stands_beside_it(shop: Shop) -> None:
    assert metric(shop, "shopkeeper_encoder_inputs_trained") == 4.5
    assert metric(shop, 'shopkeeper_encoder_input_share_trained{event_type="view_item"}') == 0.75


def test_a_bundle_of_an_earlier_version_has_no_such_metric(tmp_path: Path) -> None:
    bundle = Bundle.open(write_bundle(tmp_path / "bundle"))
    manifest = {name: value for name, value in bundle.manifest.items() if name != "encoder_inputs"}
    replace(bundle, manifest=manifest).save(tmp_path / "earlier", made_from="test")
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(Pipeline.load(tmp_path / "earlier"), store)
        assert shop.recommend(user_id="ann")["items"]
        text = shop.call("GET", "/metrics").text
    assert "shopkeeper_bundle_info" in text
    assert "_trained" not in text


def test_the_lag_of_events_unknown_items_and_empty_lists_are_counted(shop: Shop) -> None:
    shop.send(bought("cheese1", timestamp=NOW / 1e6 - 100))
    assert metric(shop, 'shopkeeper_event_lag_seconds_bucket{le="60.0"}') == 0
    assert metric(shop, 'shopkeeper_event_lag_seconds_bucket{le="300.0"}') == 1
    shop.recommend(item_ids=["ghost", "spectre"])
    assert metric(shop, "shopkeeper_unknown_items_total") == 2
    shop.recommend(user_id="ann", filter="price > 1000")
    assert metric(shop, 'shopkeeper_lists_total{kind="empty",surface="home"}') == 1
