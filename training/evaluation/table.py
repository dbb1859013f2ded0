"""The table of the pipeline against every retriever, as text: printed, kept with the run, and put into the
docs."""

from __future__ import annotations

from typing import Any

from training.evaluation.systems import PIPELINE, system_label


def by_headline(summary: dict[str, Any], *, metric: str) -> list[str]:
    """The systems of a table: the pipeline, then the others, the best first."""
    systems = summary["systems"]
    return sorted(systems, key=lambda system: (system != PIPELINE, -systems[system]["all"][metric][0]))


def text_lines(summary: dict[str, Any], *, k: int) -> list[str]:
    """The same in short, for a terminal of 80 columns."""
    lines = [f"{f'capped recall@{k}':<30} {'all items (95 %)':<25}  {'repeat':<7}  {'new':<7} cover"]
    metric = f"capped_recall_{k}"
    for system in by_headline(summary, metric=metric):
        label, parts = system_label(system), summary["systems"][system]
        mean, low, high = parts["all"][f"capped_recall_{k}"]
        others = [_mean(parts[part].get(f"capped_recall_{k}")) for part in ("repeat", "new")]
        cover = f"{summary['coverage'][system][str(k)]:.3f}"
        lines.append(
            f"{label:<30} {mean:.4f} ({low:.4f} to {high:.4f})  {others[0]:<7}  {others[1]:<7} {cover}"
        )
    return [*lines, "", _users(summary)]


def table_lines(summary: dict[str, Any], *, k: int) -> list[str]:
    """A Markdown table: capped recall at k on all, repeat and new items with 95 % intervals, then other
    figures on all items.

    `summary` is `Evaluation.summary`.
    """
    lines = [
        f"| | capped recall@{k}, all | repeat items | new items | recall@100 | NDCG@10 | MRR@10 | "
        f"coverage@{k} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for system in by_headline(summary, metric=f"capped_recall_{k}"):
        label, parts = system_label(system), summary["systems"][system]
        cells = [_interval(parts[part].get(f"capped_recall_{k}")) for part in ("all", "repeat", "new")]
        cells += [_mean(parts["all"].get(metric)) for metric in ("recall_100", "ndcg_10", "mrr_10")]
        cells.append(f"{summary['coverage'][system][str(k)]:.3f}")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, "", _users(summary)]


def _users(summary: dict[str, Any]) -> str:
    users = summary["users"]
    sample = (
        "" if users["all"] == summary["users_in_window"] else f", a sample of {summary['users_in_window']:,}"
    )
    return (
        f"{users['all']:,} users with a target after the split point{sample}; {users['repeat']:,} with "
        "repeat items,\n"
        f"{users['new']:,} with new ones. In brackets: 95 % bootstrap interval over users."
    )


def _interval(value: list[float] | None) -> str:
    return f"{value[0]:.4f} ({value[1]:.4f} to {value[2]:.4f})" if value else "–"


def _mean(value: list[float] | None) -> str:
    return f"{value[0]:.4f}" if value else "–"
