"""docs/nights.md: what refreshing every night brings, from the kept result."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

_OUTCOMES = {"new_champion": "new champion", "new_catalogue": "new catalogue", "kept": "kept"}


def nights_page(result: Mapping[str, Any]) -> str:
    """The whole page."""
    asked, rows = result["asked"], result["nights"]
    commit = f"{str(result['commit'])[:10]}{' with changes' if result['uncommitted_changes'] else ''}"
    settings = f" Settings beside the demo's: {', '.join(f'`{one}`' for one in asked['settings'])}." * bool(
        asked["settings"]
    )
    return "\n".join(
        [
            "# Nights",
            "",
            "Made from `docs/results` by `make benchmark-nights`.",
            "",
            f"What a refresh every night brings at a grocer: {len(rows)} nights, {asked['households']} "
            "households of the demo's data. Each night `shopkeeper refresh` gets the events until then. What "
            f"is served after it is judged on everyone who buys in the next {asked['days_ahead']} days, "
            "beside the model of the first night, which is never trained again. Both know every user's "
            f"events until the night, as a live server does.{settings} Commit {commit}, {result['cores']} "
            f"cores ({result['cpu']}).",
            "",
            "| night | outcome | seconds | users | capped recall@20, refreshed | trained once | difference "
            "| NDCG@10, refreshed | trained once |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_line(row) for row in rows),
            _total(rows),
            "",
            "In brackets: the paired 95 % bootstrap interval over users. Seconds are of the whole refresh.",
            "",
        ]
    )


def _line(row: Mapping[str, Any]) -> str:
    refreshed, once = row["refreshed"], row["trained_once"]
    mean, low, high = row["difference"]
    cells = [
        f"{row['night']} ({row['until'][:10]})",
        _OUTCOMES[row["outcome"]],
        f"{row['seconds']:.0f}",
        f"{row['users']:,}",
        f"{refreshed['capped_recall_20']:.4f}",
        f"{once['capped_recall_20']:.4f}",
        f"{mean:+.4f} ({low:+.4f} to {high:+.4f})",
        f"{refreshed['ndcg_10']:.4f}",
        f"{once['ndcg_10']:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


def _total(rows: list[Mapping[str, Any]]) -> str:
    """The mean over nights."""

    def mean(system: str, metric: str) -> float:
        return fmean(row[system][metric] for row in rows)

    cells = [
        "**mean**",
        f"{sum(row['outcome'] == 'new_champion' for row in rows)} new",
        f"{fmean(row['seconds'] for row in rows):.0f}",
        "",
        f"{mean('refreshed', 'capped_recall_20'):.4f}",
        f"{mean('trained_once', 'capped_recall_20'):.4f}",
        f"{fmean(row['difference'][0] for row in rows):+.4f}",
        f"{mean('refreshed', 'ndcg_10'):.4f}",
        f"{mean('trained_once', 'ndcg_10'):.4f}",
    ]
    return f"| {' | '.join(cells)} |"
