"""docs/benchmarks-due.md from the kept results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.folders import DOCS, RESULTS

LABELS: Final = {
    "due": "`due`",
    "Poisson-gamma": "modified Poisson-gamma alone",
    "repurchase": "`repurchase`, half-life 120 days",
    "most bought": "most bought",
    "latest": "bought latest",
}
"""System → its name in tables, in this order"""

INTRODUCTION: Final = """\
Made from `docs/results` by `make benchmark-due`; edits are lost.

Which of their own items does a user buy within the next seven days? Four weeks in a row: everything is fitted
on the events before a week, and asked about the week. Nothing of a week is seen before it is over.

*`due`*: the retriever behind `buy_again`, the probability of a purchase within `retrievers.due_days`:
logistic regression on the user's own interval, drawn to those of the item, of its category and of the shop,
and on how often, how lately and for how long. *Modified Poisson-gamma*: the rate of Bhagat et al. (Buy It
Again, KDD 2018), with the item's rate as prior; it is one column of `due`. *`repurchase`*: purchases that
count half after 120 days, the strongest column of the ranker that ordered the surface before. *Most bought*:
frequency. *Bought latest*: recency."""

RANKING: Final = """\
As a ranking of each user's own items, over the users who bought one of them again. In brackets: 95 %
bootstrap interval over users, each the mean of their weeks; the last column is paired."""

CALIBRATION: Final = """\
As probabilities, over all pairs. What is no probability was made one by logistic regression on its logarithm,
fitted on the week before. Calibration error: the mean distance between what was said and what came true, over
the bins of the second table."""

JUST_BOUGHT: Final = """\
A minute after a purchase: of every user with ten own items or more, one is drawn and bought again. Where does
it stand then? Its interval, over all users, is *long* from four weeks on."""


def write_page(results: Path = RESULTS, page_file: Path = DOCS / "benchmarks-due.md") -> None:
    """Write the page from the kept results."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("due-*.json"))]
    page_file.write_text(due_page(kept), encoding="utf-8")


def due_page(results: list[Mapping[str, Any]]) -> str:
    """The whole page."""
    lines = ["# Buy it again", "", INTRODUCTION]
    for result in results:
        lines += ["", f"## {result['data']}", "", _of_what(result), "", *_ranking(result), ""]
        lines += [*_calibration(result), "", *_just_bought(result)]
    return "\n".join([*lines, ""])


def _of_what(result: Mapping[str, Any]) -> str:
    changes = " with changes" if result["uncommitted_changes"] else ""
    commit = str(result["commit"])[:10] + changes
    return (
        f"Weeks from {', '.join(moment[:10] for moment in result['moments'])}: {result['num_pairs']:,} pairs "
        f"of a user and an item of theirs, {result['share_bought']:.1%} of them bought in the week; "
        f"{result['num_users']:,} users bought an item again. Commit {commit}."
    )


def _ranking(result: Mapping[str, Any]) -> list[str]:
    found = result["ranking"]
    rows = [
        f"| {label} | {_interval(found[system]['recall_10'])} | {_interval(found[system]['ndcg_10'])} | "
        f"{_difference(found[system]['due_above_ndcg_10']) if system != 'due' else ''} |"
        for system, label in LABELS.items()
    ]
    return [
        RANKING,
        "",
        "| order | recall@10 | NDCG@10 | NDCG@10 of `due` above it |",
        "|---|---|---|---|",
        *rows,
    ]


def _calibration(result: Mapping[str, Any]) -> list[str]:
    found = result["calibration"]
    rows = [
        f"| {label} | {found[system]['brier']:.5f} | {found[system]['log_loss']:.4f} | "
        f"{found[system]['calibration_error']:.4f} |"
        for system, label in LABELS.items()
    ]
    table = [
        f"| {row['low']:.1%} to {row['high']:.1%} | {row['pairs']:,} "
        f"| {row['said']:.2%} | {row['bought']:.2%} |"
        for row in found["due"]["table"]
    ]
    return [
        CALIBRATION,
        "",
        "| | Brier score | log loss | calibration error |",
        "|---|---|---|---|",
        *rows,
        "",
        "| `due` said | pairs | mean | came true |",
        "|---|---|---|---|",
        *table,
    ]


def _just_bought(result: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {LABELS[row['system']]} | {row['interval']} | {row['users']:,} | {row['first']:.1%} | "
        f"{row['in_first_10']:.1%} |"
        for row in result["just_bought"]
        if row["system"] in ("due", "repurchase", "most bought")
    ]
    return [
        JUST_BOUGHT,
        "",
        "| order | interval | users | first | in the first 10 |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _interval(values: list[float]) -> str:
    mean, low, high = values
    return f"{mean:.4f} ({low:.4f} to {high:.4f})"


def _difference(values: list[float]) -> str:
    mean, low, high = values
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
