"""docs/benchmarks-reviews.md from the kept results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.folders import DOCS, RESULTS

LABELS: Final = {"network": "the network of `shopkeeper reviews`", "linear": "linear, character 1-3-grams"}
TARGET: Final = 0.92

INTRODUCTION: Final = """\
Made from `docs/results` by `make benchmark-reviews`; edits are lost.

Is a review content or not? The data are `online_shopping_10_cats` of ChineseNlpCorpus: Chinese shop reviews
in ten categories with a label. Each seed splits them anew: 80 % to learn from, 10 % to stop and calibrate on,
10 % for the figures. A text that is there several times counts once, so that no text is on two sides; texts
whose copies have different labels are left out.

*The network*: the text CNN of [`shopkeeper reviews`](reviews.md), from random numbers, without any
pretrained part. *Linear*: logistic regression on hashed character 1-, 2- and 3-grams, its penalty chosen on
the validation reviews.

Not measured: English. No public English reviews were at hand; English sentences of the project's own are in
the tests alone. The sentiment of single clauses was read by hand, once:
[decision](decisions/0035-sentiment-is-trained-on-the-shops-own-stars.md)."""


def write_page(results: Path = RESULTS, page_file: Path = DOCS / "benchmarks-reviews.md") -> None:
    """Write the page from the kept results."""
    kept = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("reviews-zh-*.json"))
    ]
    page_file.write_text(reviews_page(kept), encoding="utf-8")


def reviews_page(results: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    if not results:
        return "\n".join(["# Reviews", "", INTRODUCTION, ""])
    return "\n".join(
        [
            *("# Reviews", "", INTRODUCTION, ""),
            *(_verdict(results), "", *_figures(results), ""),
            *(*_calibration(results[0]), "", *_categories(results), ""),
            *_learning(results),
        ]
    )


def _verdict(results: Sequence[Mapping[str, Any]]) -> str:
    accuracies = [result["systems"]["network"]["accuracy"][0] for result in results]
    mean = sum(accuracies) / len(accuracies)
    data, seconds = results[0]["data"], [result["seconds"]["network"] for result in results]
    reached = "reached" if mean >= TARGET else "not reached"
    changes = " with changes" if results[0]["uncommitted_changes"] else ""
    return (
        f"**Accuracy of the network: {mean:.4f}**, {_splits(len(results))}; {TARGET} was the aim, "
        f"{reached}. {data['texts']:,} distinct texts of {data['rows']:,} rows, {data['content']:.0%} "
        f"of them content. Training took {max(seconds):.0f} s at most, on one core of "
        f"{results[0]['cpu']}. "
        f"Commit {str(results[0]['commit'])[:10]}{changes}."
    )


def _splits(number: int) -> str:
    return "one split" if number == 1 else f"the mean of {number} splits"


def _figures(results: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "In brackets: 95 % bootstrap interval over test reviews; the last column is paired.",
        "",
        "| seed | | accuracy | AUC | log loss | Brier score | calibration error | network above linear |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for name, label in LABELS.items():
            found, above = result["systems"][name], ""
            if name == "network":
                mean, low, high = result["network_above_linear"]
                above = f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"
            accuracy, low, high = found["accuracy"]
            cells = [
                str(result["seed"]),
                label,
                f"{accuracy:.4f} ({low:.4f} to {high:.4f})",
                *(f"{found[name]:.4f}" for name in ("auc", "log_loss", "brier", "calibration_error")),
                above,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _calibration(result: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {row['low']:.0%} to {row['low'] + 0.1:.0%} | {row['reviews']:,} | {row['said']:.1%} | "
        f"{row['true']:.1%} |"
        for row in result["systems"]["network"]["table"]
    ]
    return [
        f"## Calibration\n\nSeed {result['seed']}: what the network said, and how many were content.",
        "",
        "| the network said | reviews | mean | content |",
        "|---|---|---|---|",
        *rows,
    ]


def _categories(results: Sequence[Mapping[str, Any]]) -> list[str]:
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        for row in result["categories"]:
            by_name.setdefault(row["category"], []).append(row)
    rows = []
    for name, found in by_name.items():
        total = sum(row["reviews"] for row in found)
        network, linear = (
            sum(row[system] * row["reviews"] for row in found) / total for system in ("network", "linear")
        )
        rows.append(f"| {name} | {total:,} | {network:.4f} | {linear:.4f} |")
    return [
        "## By category",
        "",
        "Accuracy over the test reviews of all seeds.",
        "",
        "| category | reviews | network | linear |",
        "|---|---|---|---|",
        *rows,
    ]


def _learning(results: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        f"| {result['seed']} | {row['reviews']:,} | {row['network']:.4f} | {row['linear']:.4f} |"
        for result in results
        for row in result["learning"]
    ]
    if not rows:
        return []
    return [
        "## How many labelled reviews a shop needs",
        "",
        "Accuracy with so many to learn from, a tenth of them kept back to stop and to calibrate on.",
        "",
        "| seed | labelled reviews | network | linear |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
