"""The pictures of a review, each as the bytes of a PNG. Matplotlib is used without pyplot and its global
state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from training.evaluation.breakdowns import Breakdown, Difference
from training.evaluation.evaluation_record import IndexMeasurement, MeasuredIndexes
from training.evaluation.systems import PIPELINE, system_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Sequence[Mapping[str, Any]]
"""Lines of `metrics.jsonl`"""

PIPELINE_COLOUR, EXACT_COLOUR = "#0b4f8a", "#d9822b"
RETRIEVER_COLOURS = (
    "#8a949e",
    "#b9a16b",
    "#d9822b",
    "#3a9d6e",
    "#5aa5c8",
    "#b05a7a",
    "#8e5bb5",
    "#6b7a2f",
)
"""In the order of the table, from the first again where there are more"""
RUN_COLOURS = ("#0b4f8a", "#d9822b", "#3a9d6e", "#8e5bb5", "#b3372f", "#5b6875")
VERDICT_COLOURS = {"better": "#1b7f4b", "worse": "#b3372f", "no clear difference": "#5b6875"}
PANELS = {
    "loss": "training loss (lower is better)",
    "validation_recall": "recall on the validation window",
    "interactions_per_second": "interactions per second",
}
LINE_COLOUR, DIM_COLOUR = "#d9dee3", "#5b6875"


def learning_curves(runs: Mapping[str, Curves]) -> bytes:
    """Loss, validation recall and speed by epoch, of one run or of several.

    The fits of a run follow one another: first up to the validation window, then over each later window.
    """
    figure, panels = _figure(width=10, height=3.6, panels=3)
    for place, (name, curves) in enumerate(runs.items()):
        colour = RUN_COLOURS[place % len(RUN_COLOURS)]
        for panel, metric in zip(panels, PANELS, strict=True):
            points = [
                (step, line["metrics"][metric])
                for step, line in enumerate(curves, 1)
                if metric in line["metrics"]
            ]
            if points:
                panel.plot(*zip(*points, strict=True), "o-", color=colour, label=name, ms=5)
        if place == 0 and len(runs) == 1:
            for panel in panels[::2]:
                _name_fits(panel, curves)
    for panel, title in zip(panels, PANELS.values(), strict=True):
        panel.set_title(title)
        panel.set_xlabel("epoch, over all fits")
        panel.locator_params(axis="x", integer=True)
    panels[-1].set_ylim(bottom=0)
    if len(runs) > 1:
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=min(len(runs), 3),
            frameon=False,
        )
    return _png(figure)


def breakdown(rows: Sequence[Breakdown], *, title: str, axis: str) -> bytes:
    """Every system on each slice, with intervals and numbers of users."""
    figure, (panel,) = _figure(width=10, height=4.2)
    systems = list(rows[0].systems) if rows else []
    colours = _system_colours(systems)
    for place, system in enumerate(systems):
        _points_with_intervals(
            panel,
            [row.systems[system] for row in rows],
            shift=(place - (len(systems) - 1) / 2) * 0.11,
            colour=colours[system],
            label=system_label(system),
            strong=system == PIPELINE,
        )
    _name_slices(panel, rows, axis=axis)
    panel.set_title(title)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return _png(figure)


def breakdown_of_runs(runs: Mapping[str, Sequence[Breakdown]], *, title: str, axis: str) -> bytes:
    """The pipeline of several runs on each slice. Every run has the same slices."""
    figure, (panel,) = _figure(width=10, height=4.2)
    for place, (name, rows) in enumerate(runs.items()):
        shift = (place - (len(runs) - 1) / 2) * 0.14
        intervals = [row.systems[PIPELINE] for row in rows]
        _points_with_intervals(
            panel,
            intervals,
            shift=shift,
            colour=RUN_COLOURS[place % len(RUN_COLOURS)],
            label=name,
            strong=True,
        )
    _name_slices(panel, next(iter(runs.values())), axis=axis)
    panel.set_title(title)
    figure.legend(
        *panel.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(runs), 3), frameon=False
    )
    return _png(figure)


def forest(rows: Sequence[tuple[str, Difference]], *, title: str) -> bytes:
    """Differences with their intervals; green and red where they are clear."""
    figure, (panel,) = _figure(width=10, height=1.3 + 0.36 * max(len(rows), 2))
    places = list(range(len(rows)))[::-1]
    for place, (_, row) in zip(places, rows, strict=True):
        colour = VERDICT_COLOURS[row.verdict]
        panel.plot([row.low, row.high], [place, place], color=colour, lw=2.5, solid_capstyle="round")
        panel.plot([row.mean], [place], "o", color=colour, ms=7)
    panel.axvline(0, color="#1c2733", lw=1)
    panel.set_yticks(places, [f"{label}  ({row.num_users:,} users)" for label, row in rows])
    panel.set_ylim(-0.7, len(rows) - 0.3)
    panel.grid(axis="y", visible=False)
    panel.margins(x=0.08)
    panel.set_title(title)
    panel.set_xlabel("difference in capped recall; right of the line is better")
    return _png(figure)


def index_speed(indexes: MeasuredIndexes) -> bytes:
    """Recall of the nearest-item index against milliseconds per query; exact search is the reference at
    recall 1."""
    figure, (panel,) = _figure(width=10, height=3.8)
    points = sorted(indexes.points, key=lambda point: point.milliseconds)
    exact = [point for point in points if point.kind == "exact"]
    others = [point for point in points if point.kind != "exact"]
    panel.plot(*_places(others), "o-", color=PIPELINE_COLOUR, ms=8, lw=1)
    panel.plot(*_places(exact), "*", color=EXACT_COLOUR, ms=16)
    for place, point in enumerate(points):
        is_chosen = point.kind == indexes.chosen
        panel.annotate(
            f"{point.kind}, chosen" if is_chosen else point.kind,
            (point.milliseconds, point.recall_100),
            xytext=(-5, 9) if place % 2 else (5, -17),
            ha="right" if place % 2 else "left",
            textcoords="offset points",
            fontsize=9,
            fontweight="bold" if is_chosen else "normal",
        )
    lowest = min(point.recall_100 for point in points)
    panel.set_ylim(lowest - 0.35 * (1.02 - lowest) - 0.01, 1.02 + 0.12 * (1 - lowest))
    times = [max(point.milliseconds, 1e-3) for point in points]
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_xlim(0.7 * min(times), 1.6 * max(times))
    panel.set_xlabel("milliseconds for one query on one thread (left is better)")
    panel.set_ylabel("recall@100 against exact search")
    panel.set_title("index: recall against speed")
    return _png(figure)


def _places(points: Sequence[IndexMeasurement]) -> tuple[list[float], list[float]]:
    return [point.milliseconds for point in points], [point.recall_100 for point in points]


def _system_colours(systems: Sequence[str]) -> dict[str, str]:
    """The pipeline in its own colour, the retrievers by their place in the table."""
    retrievers = [system for system in systems if system != PIPELINE]
    colours = dict(zip(retrievers, cycle(RETRIEVER_COLOURS), strict=False))
    return {PIPELINE: PIPELINE_COLOUR, **colours}


def _points_with_intervals(
    panel: Axes, intervals: Sequence[Sequence[float]], *, shift: float, colour: str, label: str, strong: bool
) -> None:
    means = [values[0] for values in intervals]
    below = [max(values[0] - values[1], 0.0) for values in intervals]
    above = [max(values[2] - values[0], 0.0) for values in intervals]
    at = [place + shift for place in range(len(intervals))]
    panel.errorbar(
        at,
        means,
        yerr=[below, above],
        fmt="o",
        color=colour,
        label=label,
        ms=8 if strong else 5,
        elinewidth=2,
        capsize=3,
    )


def _name_slices(panel: Axes, rows: Sequence[Breakdown], *, axis: str) -> None:
    panel.set_xticks(range(len(rows)), [f"{row.name}\n{row.num_users:,} users" for row in rows])
    panel.set_xlim(-0.6, len(rows) - 0.4)
    highest = max((values[2] for row in rows for values in row.systems.values()), default=1.0)
    panel.set_ylim(0, 1.08 * highest if highest > 0 else 1)
    panel.set_xlabel(axis)
    panel.set_ylabel("capped recall")
    panel.grid(axis="x", visible=False)


def _name_fits(panel: Axes, curves: Curves) -> None:
    """A thin line with a name where each fit begins."""
    first: dict[str, int] = {}
    for step, line in enumerate(curves, 1):
        first.setdefault(str(line["series"]), step)
    for series, step in first.items():
        panel.axvline(step - 0.5, color=LINE_COLOUR, lw=1)
        panel.annotate(
            series,
            (step - 0.5, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -4),
            textcoords="offset points",
            fontsize=8,
            color=DIM_COLOUR,
            va="top",
            rotation=90,
        )


def _figure(*, width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = [figure.add_subplot(1, panels, place + 1) for place in range(panels)]
    for axis in axes:
        axis.grid(color=LINE_COLOUR, lw=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=DIM_COLOUR, labelsize=9)
        axis.title.set_fontsize(10.5)
    return figure, axes


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
