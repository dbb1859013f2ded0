"""The benchmark of what is due: measured on the small shop, and its page."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.due import measure, reliability
from benchmarks.due_page import due_page
from configs.schema import Config
from features.dataset import Dataset


def test_a_small_shop_is_measured_and_the_page_says_so(shop_dataset: Dataset, shop_config: Config) -> None:
    found = measure(shop_dataset, shop_config, num_weeks=2)
    assert len(found["moments"]) == 2
    ranking, calibration = found["ranking"], found["calibration"]
    assert ranking["due"]["ndcg_10"][0] > ranking["latest"]["ndcg_10"][0]
    above = ranking["due"]["ndcg_10"][0] - ranking["most bought"]["ndcg_10"][0]
    assert ranking["most bought"]["due_above_ndcg_10"][0] == pytest.approx(above)
    for figures in calibration.values():
        assert sum(row["pairs"] for row in figures["table"]) == found["num_pairs"]
        assert 0 < figures["brier"] < 0.25
    assert calibration["due"]["calibration_error"] < 0.1
    machine = {"commit": "0123456789abcdef", "uncommitted_changes": True}
    page = due_page([{"data": "corner-shop", **found, **machine}])
    assert "## corner-shop" in page
    assert "0123456789 with changes" in page
    row = next(line for line in page.splitlines() if line.startswith("| most bought | "))
    assert f"| {ranking['most bought']['ndcg_10'][0]:.4f} (" in row


def test_what_was_said_and_what_came_true_bin_by_bin() -> None:
    said = np.array([0.001, 0.002, 0.3, 0.3, 0.3, 0.3, 1.0])
    came = np.array([False, False, True, False, False, False, True])
    low, middle, high = reliability(said, came)
    assert (low["low"], low["high"], low["pairs"], low["bought"]) == (0, 0.005, 2, 0)
    assert middle["said"] == pytest.approx(0.3)
    assert middle["bought"] == 0.25
    assert (high["high"], high["pairs"], high["bought"]) == (1, 1, 1)
