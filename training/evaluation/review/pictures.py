"""The pictures of a review, each as the bytes of a PNG. Matplotlib without its windows: nothing global is
touched."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.evaluation.review.breakdowns import Breakdown, Difference
from training.evaluation.review.words import system_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Sequence[Mapping[str, Any]]
"""Lines of `metrics.jsonl`"""

COLOURS = {
    "pipeline": "#0b4f8a",
    "repeats": "#d9822b",
    "most_bought": "#b9a16b",
    "together": "#3a9d6e",
    "people": "#b05a7a",
    "encoder": "#8e5bb5",
    "popular": "#8a949e",
}
OF_RUNS = ("#0b4f8a", "#d9822b", "#3a9d6e", "#8e5bb5", "#b3372f", "#5b6875")
VERDICTS = {"better": "#1b7f4b", "worse": "#b3372f", "no clear difference": "#5b6875"}
PANELS = {
    "loss": "training loss (lower is better)",
    "validation_recall": "recall on the validation window",
    "interactions_per_second": "interactions a second",
}
LINE, DIM = "#d9dee3", "#5b6875"


def learning_curves(runs: Mapping[str, Curves]) -> bytes:
    """Loss, validation recall and speed, epoch by epoch, of one run or of several.

    The fits of a run follow one another: the first before the validation window, then on over the later
    windows.
    """
    figure, panels = _figure(width=10, height=3.6, panels=3)
    for place, (name, curves) in enumerate(runs.items()):
        colour = OF_RUNS[place % len(OF_RUNS)]
        for panel, metric in zip(panels, PANELS, strict=True):
            points = [
                (step, line["metrics"][metric])
                for step, line in enumerate(curves, 1)
                if metric in line["metrics"]
            ]
            panel.plot(*zip(*points, strict=True), "o-", color=colour, label=name, ms=5) if points else None
        if place == 0 and len(runs) == 1:
            for panel in panels[::2]:
                _name_fits(panel, curves)
    for panel, title in zip(panels, PANELS.values(), strict=True):
        panel.set_title(title)
        panel.set_xlabel("epoch, one fit after the other")
        panel.locator_params(axis="x", integer=True)
        panel.set_ylim(bottom=0 if "second" in title else None)
    if len(runs) > 1:
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=min(len(runs), 3),
            frameon=False,
        )
    return _png(figure)


def parts(rows: Sequence[Breakdown], *, title: str, axis: str) -> bytes:
    """Every system on each part of the table, with intervals and the numbers of users."""
    figure, (panel,) = _figure(width=10, height=4.2)
    systems = list(rows[0].systems) if rows else []
    for place, system in enumerate(systems):
        _points_with_intervals(
            panel,
            [row.systems[system] for row in rows],
            shift=(place - (len(systems) - 1) / 2) * 0.11,
            colour=COLOURS.get(system, OF_RUNS[place % len(OF_RUNS)]),
            label=system_name(system),
            strong=system == "pipeline",
        )
    _name_parts(panel, rows, axis=axis)
    panel.set_title(title)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return _png(figure)


def parts_of_runs(runs: Mapping[str, Sequence[Breakdown]], *, title: str, axis: str) -> bytes:
    """The pipeline of several runs on each part of the table. Every run has the same parts."""
    figure, (panel,) = _figure(width=10, height=4.2)
    for place, (name, rows) in enumerate(runs.items()):
        shift = (place - (len(runs) - 1) / 2) * 0.14
        intervals = [row.systems["pipeline"] for row in rows]
        _points_with_intervals(
            panel, intervals, shift=shift, colour=OF_RUNS[place % len(OF_RUNS)], label=name, strong=True
        )
    _name_parts(panel, next(iter(runs.values())), axis=axis)
    panel.set_title(title)
    figure.legend(
        *panel.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(runs), 3), frameon=False
    )
    return _png(figure)


def forest(rows: Sequence[tuple[str, Difference]], *, title: str) -> bytes:
    """Differences with their intervals beside the line of no difference; green and red where they are
    clear."""
    figure, (panel,) = _figure(width=10, height=1.3 + 0.36 * max(len(rows), 2))
    places = list(range(len(rows)))[::-1]
    for place, (_, row) in zip(places, rows, strict=True):
        colour = VERDICTS[row.verdict]
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


def index_speed(points: Sequence[Mapping[str, Any]], *, chosen: str) -> bytes:
    """Recall of the nearest-item index against milliseconds a query; exact search is the reference at recall
    1."""
    figure, (panel,) = _figure(width=10, height=3.8)
    others = sorted(
        (point for point in points if point["kind"] != "exact"), key=lambda point: point["milliseconds"]
    )
    panel.plot(*_places(others), "o-", color=COLOURS["pipeline"], ms=8, lw=1)
    panel.plot(
        *_places([point for point in points if point["kind"] == "exact"]),
        "*",
        color=COLOURS["repeats"],
        ms=16,
    )
    for place, point in enumerate(sorted(points, key=lambda point: point["milliseconds"])):
        is_chosen = point["kind"] == chosen
        panel.annotate(
            f"{point['kind']}, chosen" if is_chosen else point["kind"],
            (point["milliseconds"], point["recall_100"]),
            xytext=(-5, 9) if place % 2 else (5, -17),
            ha="right" if place % 2 else "left",
            textcoords="offset points",
            fontsize=9,
            fontweight="bold" if is_chosen else "normal",
        )
    lowest = min(point["recall_100"] for point in points)
    panel.set_ylim(lowest - 0.35 * (1.02 - lowest) - 0.01, 1.02)
    times = [max(point["milliseconds"], 1e-3) for point in points]
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_xlim(0.7 * min(times), 1.6 * max(times))
    panel.set_xlabel("milliseconds for one query on one thread (left is better)")
    panel.set_ylabel("recall@100 against exact search")
    panel.set_title("index: what is found, and how fast")
    return _png(figure)


def _places(points: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [point["milliseconds"] for point in points], [point["recall_100"] for point in points]


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


def _name_parts(panel: Axes, rows: Sequence[Breakdown], *, axis: str) -> None:
    panel.set_xticks(range(len(rows)), [f"{row.name}\n{row.num_users:,} users" for row in rows])
    panel.set_xlim(-0.6, len(rows) - 0.4)
    highest = max((values[2] for row in rows for values in row.systems.values()), default=1.0)
    panel.set_ylim(0, 1.08 * highest if highest > 0 else 1)
    panel.set_xlabel(axis)
    panel.set_ylabel("capped recall")
    panel.grid(axis="x", visible=False)


def _name_fits(panel: Axes, curves: Curves) -> None:
    """A thin line where the next fit of the chain begins, with its name."""
    first: dict[str, int] = {}
    for step, line in enumerate(curves, 1):
        first.setdefault(str(line["series"]), step)
    for series, step in first.items():
        panel.axvline(step - 0.5, color=LINE, lw=1)
        panel.annotate(
            series, (step - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(3, -4), textcoords="offset points", fontsize=8,
            color=DIM, va="top", rotation=90,
        )  # fmt: skip


def _figure(*, width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = [figure.add_subplot(1, panels, place + 1) for place in range(panels)]
    for axis in axes:
        axis.grid(color=LINE, lw=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=DIM, labelsize=9)
        axis.title.set_fontsize(10.5)
    return figure, axes


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
