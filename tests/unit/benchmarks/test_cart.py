"""Completing carts: what is hidden, and the page."""

from __future__ import annotations

from typing import Any

import numpy as np
from hand_made_dataset import dataset_of

from benchmarks.cart import compared, hidden_items
from benchmarks.cart_page import cart_page
from configs.load import load_config
from features.splits import split_point_at

DAY = 86_400_000_000


def test_one_item_of_one_basket_of_the_window_is_hidden() -> None:
    """Of each user; a basket of one item, or from before the split point, is none."""
    dataset = dataset_of(
        [
            [(1, "purchase", 0), (1, "purchase", 1), (12, "purchase", 2), (12, "purchase", 3)],
            [(2, "purchase", 0), (13, "purchase", 4)],
            [(11, "purchase", 1), (11, "purchase", 4), (11, "purchase", 5), (11, "refund", 5)],
        ]
    )
    test, full = (split_point_at(dataset, day * DAY, name=str(day)) for day in (10, 20))
    found = {case.user: case for case in hidden_items(dataset, test, full, load_config(), num_baskets=9)}
    assert set(found) == {0, 2}
    assert {found[0].hidden, *found[0].shown.tolist()} == {2, 3}
    assert found[0].as_of == 12 * DAY
    assert {found[2].hidden, *found[2].shown.tolist()} == {1, 4}, "what was brought back is not asked for"
    assert len(list(hidden_items(dataset, test, full, load_config(), num_baskets=1))) == 1


def test_a_row_a_system_with_the_difference_to_the_rules() -> None:
    def rows(hits: list[float]) -> list[dict[str, float]]:
        return [{"recall_10": hit / 2, "recall_20": hit, "mrr_20": hit / 4} for hit in hits]

    found = {"association_rules": rows([1, 1, 1, 0]), "co_occurrence": rows([1, 0, 1, 0])}
    figures = compared(found, {"samples": 50, "seed": 0})
    assert figures["co_occurrence"]["recall_20"]["rules_minus"][0] == 0.25
    machine: dict[str, Any] = {"commit": "0123456789abcdef", "uncommitted_changes": False}
    machine |= {"cores": 2, "cpu": "a processor", "dataset": "f00"}
    result = {"data": "grocer", "baskets": 4, "median_size": 7.0, "window_days": 28.0, **machine}
    page = cart_page([{**result, "cart": {"cart": figures, "product": figures}}])
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert lines[2] == "| **rules alone** | 0.3750 | 0.7500 | 0.1875 |  |"
    assert lines[3].startswith("| co-occurrence alone | 0.2500 | 0.5000 | 0.1250 | +0.2500 (+0.0000 to ")
    assert "A sample of 4 baskets, of 7 items in the median" in page
    assert np.count_nonzero(["product page" in line for line in page.splitlines()]) == 1
