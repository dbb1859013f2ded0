"""What the encoder was trained to read stands in the bundle's manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_made_dataset import dataset_of

from configs.schema import Config
from features.splits import split_points
from serving.recommend.bundle import Bundle
from training.export.trained_inputs import trained_inputs


def test_shares_are_of_the_latest_inputs_of_those_who_have_any() -> None:
    views: list[tuple[float, str, int]] = [(day, "view_item", day % 6) for day in range(1, 4)]
    dataset = dataset_of([[*views, (4, "purchase", 0)], [(1, "purchase", 1)], [(2, "select_item", 1)]])
    history = {"max_length": 3, "input_event_types": ["purchase", "view_item", "add_to_cart"]}
    config = Config.model_validate({"history": history, "split": {"window_days": 1}})
    full = split_points(dataset, config.split)[-1]
    found = trained_inputs(dataset, full, config)
    assert found["event_types"] == {"purchase": 0.5, "view_item": 0.5, "add_to_cart": 0.0}
    assert found["mean_events"] == 2


def test_an_exported_bundle_has_them(tiny_bundle: Path, shop_config: Config) -> None:
    found = Bundle.open(tiny_bundle).trained_inputs
    assert found is not None
    assert sum(found["event_types"].values()) == pytest.approx(1)
    assert tuple(found["event_types"]) == shop_config.history.input_event_types
    assert found["mean_events"] > 1
