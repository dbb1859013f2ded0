"""The benchmark of reviews: its figures, its baseline and its page."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks import linear_ngrams
from benchmarks.linear_ngrams import linear_log_odds, ngram_matrix
from benchmarks.reviews import area_under_curve, by_category, figures
from benchmarks.reviews_page import reviews_page


def test_accuracy_area_and_calibration_of_said_and_true() -> None:
    labels = np.array([True, True, False, False])
    assert area_under_curve(np.array([2.0, 1.0, -1.0, -2.0]), labels) == 1.0
    assert area_under_curve(np.array([2.0, -1.0, 1.0, -2.0]), labels) == 0.75
    assert area_under_curve(np.zeros(4), labels) == 0.5
    sure = figures(np.array([9.0, 9.0, 9.0, 9.0]), labels)
    assert sure["accuracy"][0] == 0.5
    assert sure["calibration_error"] == pytest.approx(0.5, abs=1e-3)
    assert [row["reviews"] for row in sure["table"]] == [4]


def test_the_baseline_counts_ngrams_within_each_text_and_learns_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_ngrams, "NUM_FEATURES", 2**12)
    one, two = ngram_matrix(["好好", "好"])
    assert (one.nnz, two.nnz) == (2, 1), "好 and 好好; nothing goes over the end of a text"
    assert (ngram_matrix(["GOOD"]) != ngram_matrix(["good"])).nnz == 0
    texts = ["很好", "非常好", "太差", "很差"] * 5
    labels = np.array([True, True, False, False] * 5)
    found = linear_log_odds((texts, texts, ["真好", "真差"]), (labels, labels))
    assert found[0] > 0 > found[1]


def test_the_page_says_whether_the_aim_was_reached() -> None:
    labels = np.array([True, True, False, False] * 10)
    odds = {"network": np.where(labels, 2.0, -2.0), "linear": np.where(labels, 1.0, -1.0)}
    odds["linear"][:4] *= -1
    result: dict[str, Any] = {
        "seed": 0,
        "data": {"rows": 50, "texts": 40, "content": 0.5},
        "seconds": {"network": 3.0, "linear": 1.0},
        "systems": {name: figures(one, labels) for name, one in odds.items()},
        "network_above_linear": (0.1, 0.0, 0.2),
        "categories": by_category(odds, labels, pl.Series(["书籍", "酒店"] * 20)),
        "learning": [{"reviews": 200, "network": 0.7, "linear": 0.8}],
        "commit": "0123456789abcdef",
        "uncommitted_changes": False,
        "cpu": "a processor",
    }
    page = reviews_page([result])
    assert "**Accuracy of the network: 1.0000**" in page
    assert "0.92 was the aim, reached" in page
    assert "| 书籍 | 20 | 1.0000 | 0.9000 |" in page
    assert "| 0 | 200 | 0.7000 | 0.8000 |" in page
    result["systems"]["network"] = result["systems"]["linear"]
    assert "0.92 was the aim, not reached" in reviews_page([result])
