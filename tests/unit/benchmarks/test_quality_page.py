"""docs/benchmarks.md from the kept results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.folders import RESULTS
from benchmarks.quality_page import write_page
from benchmarks.systems import ENCODER, PIPELINE, baseline_labels


def kept() -> list[dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return [one for one in found if "systems" in one and "model" in one]


@pytest.mark.parametrize("result", kept(), ids=lambda result: f"{result['data']}-{result['model']}")
def test_every_system_of_a_kept_result_has_a_row(result: dict[str, Any]) -> None:
    assert set(result["systems"]) <= {PIPELINE, ENCODER, *baseline_labels()}
    assert set(result["coverage"]) == set(result["systems"])


def test_the_page_has_every_model_and_every_retriever_with_its_kept_figures(tmp_path: Path) -> None:
    verdicts = write_page(RESULTS, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    for result in kept():
        figures = result["systems"][PIPELINE]["all"]["capped_recall_20"]
        cell = "{:.4f} ({:.4f} to {:.4f})".format(*figures)
        assert f"| **pipeline with {result['model']}** | {cell} |" in text
    for label in {label for name, label in baseline_labels().items() if name in kept()[0]["systems"]}:
        assert f"\n| {label} | " in text
    assert all(f"- {line}" in text for line in verdicts)
    assert any(line.startswith("complete-journey, capped recall@20 on all items") for line in verdicts)
    assert "| features: repurchase | " in text
