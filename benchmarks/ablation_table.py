"""The table of an ablation on docs/benchmarks.md, from the kept result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PARTS = ("all", "repeat", "new")
"""All relevant items; those in the user's purchase history; the others."""


def ablation_lines(ablation: dict[str, Any]) -> list[str]:
    """Markdown lines: the complete ranker, then the difference that each omission makes."""
    complete, *others = ablation["ablation"]
    commit = f"{str(ablation['commit'])[:10]}{' with changes' if ablation['uncommitted_changes'] else ''}"
    return [
        f"Ablation with {ablation['model']}: the ranker is fitted again without a feature group, or without "
        "a retriever (its candidates and its own features), and measured on the test window. Difference of "
        "capped recall@20, in brackets its paired 95 % bootstrap interval; an interval that contains 0 shows "
        "no effect. Groups carry overlapping information, so the differences do not add up. "
        f"`make benchmark-ablation`, commit {commit}.",
        "",
        "| left out | all | repeat items | new items |",
        "|---|---|---|---|",
        f"| nothing | {' | '.join(_interval(complete[part]) for part in PARTS)} |",
        *(f"| {row['without']} | {' | '.join(_difference(row[part]) for part in PARTS)} |" for row in others),
    ]


def _interval(value: Sequence[float]) -> str:
    return f"{value[0]:.4f} ({value[1]:.4f} to {value[2]:.4f})"


def _difference(value: Sequence[float]) -> str:
    return f"{value[0]:+.4f} ({value[1]:+.4f} to {value[2]:+.4f})"
