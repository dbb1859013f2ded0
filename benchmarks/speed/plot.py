"""The plot of quality against training time on docs/benchmarks-training.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.speed.verdict import OURS, label_of

COLOURS = {OURS: "#1b7f4d", "rectools": "#c0392b", "replay": "#2c5aa0"}


def write_plot(result: dict[str, Any], path: Path) -> None:
    """A PNG of NDCG@10 against minutes of training. The same result gives the same bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for system in result["systems"]:
        minutes, found = zip(*[(0.0, 0.0), *system["curve"]], strict=True)
        axes.plot(
            minutes, found, marker="o", label=label_of(system["name"]), color=COLOURS.get(system["name"])
        )
    axes.axvline(result["minutes"], color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("NDCG@10")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if result["systems"]:
        axes.legend()
    figure.savefig(path, format="png", metadata={"Software": None})
