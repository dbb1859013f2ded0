"""The comparison of runs as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from training.evaluation.review.comparison_page import ComparedRun, have_same_k, metric_of
from training.evaluation.review.formatting import interval, signed


def render_comparison(runs: Sequence[ComparedRun]) -> Table:
    """Which run is better, and how long each was trained: for `rich.console.Console.print`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "run",
        f"{metric_of(runs)} (95 %)",
        "against the first (95 %)",
        "epochs",
        "seconds",
        "served",
    ):
        is_number = heading in ("epochs", "seconds")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for run in runs:
        k = "" if have_same_k(runs) else f"@{run.k}: "
        cells = (
            run.name,
            f"{k}{interval(run.headline)}",
            _against_first(run),
            str(run.epochs),
            f"{run.seconds:,.0f}",
        )
        table.add_row(*map(Text, (*cells, run.served)))
    return table


def _against_first(run: ComparedRun) -> str:
    if run.total:
        return signed(run.total)
    if run.evaluation_differences:
        return f"not paired: other {' and '.join(run.evaluation_differences)}"
    return "the first"
