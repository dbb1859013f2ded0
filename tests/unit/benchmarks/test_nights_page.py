from __future__ import annotations

from typing import Any

from benchmarks.nights_page import nights_page


def row(night: int, outcome: str, refreshed: float, once: float) -> dict[str, Any]:
    return {
        "night": night,
        "until": f"2017-12-{night:02}T00:00:00+00:00",
        "outcome": outcome,
        "seconds": 60.4,
        "users": 1234,
        "refreshed": {"capped_recall_20": refreshed, "ndcg_10": refreshed / 2},
        "trained_once": {"capped_recall_20": once, "ndcg_10": once / 2},
        "difference": [refreshed - once, refreshed - once - 0.01, refreshed - once + 0.01],
    }


def test_a_row_a_night_and_the_mean() -> None:
    rows = [row(1, "new_champion", 0.2, 0.2), row(2, "kept", 0.3, 0.2)]
    asked = {"households": 50, "days_ahead": 7, "settings": ["training.max_epochs=1"]}
    machine = {"commit": "0123456789abcdef", "uncommitted_changes": False, "cores": 2, "cpu": "a processor"}
    page = nights_page({"asked": asked, "nights": rows, **machine})
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert lines[3] == (
        "| 2 (2017-12-02) | kept | 60 | 1,234 | 0.3000 | 0.2000 | +0.1000 (+0.0900 to +0.1100) "
        "| 0.1500 | 0.1000 |"
    )
    assert lines[4] == "| **mean** | 1 new | 60 |  | 0.2500 | 0.2000 | +0.0500 | 0.1250 | 0.1000 |"
    assert "`training.max_epochs=1`" in page
    assert "50 households" in page
    assert "0123456789," in page
