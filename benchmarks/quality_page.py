"""docs/benchmarks.md from the kept results: every model's pipeline and every retriever, per data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.ablation_table import PARTS, ablation_lines
from benchmarks.folders import DOCS, RESULTS
from benchmarks.systems import ENCODER, PIPELINE, baseline_labels

K = 20
TARGETS = {"complete-journey": {"all": 0.336, "new": 0.076}}
"""Data set → part → capped recall@20 that the best pipeline should reach."""

INTRODUCTION = """\
Made by `make benchmark-quality`; edits are lost. Protocol: global time windows. Everything is fitted on
events before a split point and tested on the window after it, over the full catalogue, without sampling.
Relevant is every item with a target event in the window. Selection is on the validation window before; the
test window is read once per run.

*pipeline with X*: what is served, with the candidates of all retrievers in one ranking and X as the encoder.
*X alone*: the items nearest to the query vector. *popularity*: target events of the recent window.
*repurchase*: the user's purchase history, where each event counts half after 120 days. *most bought*: the
purchase history by count. *co-occurrence*: items in the same basket or session as the user's latest 50
distinct items. *user k-NN*: recent items of similar users. Short lists are filled up by popularity. *repeat*:
list and relevant items are limited to the purchase history; *new*: the purchase history is removed from both.
In brackets: 95 % bootstrap interval over users. One seed each; all results are complete in
[results](results).

These runs were made two at a time on two cores, with one thread each (OMP_NUM_THREADS=1): minutes and
interactions per second are those of a shared machine, and compare only roughly between runs."""

REMARKS = {
    "complete-journey": "For orientation, capped recall@20 on all items, measured once before: popularity "
    ".115, each household's most-bought .292, the same with a half-life of 120 days .314; on new items: "
    "popularity .038.",
    "online-retail": "The year ends in the weeks before Christmas: the test window is the busiest of all.",
    "taobao": "A sample of 815 users over nine days; views, favourites, carts and purchases are targets, by "
    "weight.",
}


def write_page(results: Path = RESULTS, page_file: Path = DOCS / "benchmarks.md") -> list[str]:
    """Write the page from the kept results; returns the lines that compare figures with targets."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    of_quality = [one for one in kept if "model" in one and "systems" in one]  # others are in the folder too
    ablations = {one["data"]: one for one in kept if "ablation" in one}
    page_file.write_text("\n".join(page(of_quality, ablations)) + "\n", encoding="utf-8")
    return verdict_lines(of_quality)


def page(results: list[dict[str, Any]], ablations: Mapping[str, dict[str, Any]]) -> list[str]:
    """The Markdown lines. `ablations`: data set → kept ablation."""
    lines = ["# Benchmarks", "", INTRODUCTION]
    for data in dict.fromkeys(result["data"] for result in results):
        of_data = [result for result in results if result["data"] == data]
        lines += ["", f"## {data}", "", *_table(of_data), "", *_users(of_data[0])]
        lines += ["", *[f"- {line}" for line in verdict_lines(of_data)], "", REMARKS.get(data, "")]
        if data in ablations:
            lines += ["", *ablation_lines(ablations[data])]
        lines += ["", *_speed(of_data), "", *_origin(of_data)]
    return lines


def verdict_lines(results: list[dict[str, Any]]) -> list[str]:
    """A line per target (figure, target, whether it is reached) and per pipeline (whether it beats every
    other system)."""
    lines = []
    for data in dict.fromkeys(result["data"] for result in results):
        of_data = [result for result in results if result["data"] == data]
        for part, target in TARGETS.get(data, {}).items():
            found, model = max((_mean(result, PIPELINE, part), result["model"]) for result in of_data)
            verdict = "reached" if found >= target else "not reached"
            lines.append(
                f"{data}, capped recall@{K} on {part} items, best pipeline ({model}): {found:.4f}, target "
                f"{target}: {verdict}"
            )
        for result in of_data:
            alone, system = max(
                (_mean(result, system, "all"), system) for system in result["systems"] if system != PIPELINE
            )
            found = _mean(result, PIPELINE, "all")
            verdict = "above" if found > alone else "not above"
            lines.append(
                f"{data}, pipeline with {result['model']}: {found:.4f}, {verdict} the best retriever alone "
                f"({system}, {alone:.4f})"
            )
    return lines


def _table(results: list[dict[str, Any]]) -> list[str]:
    rows = [(f"**pipeline with {result['model']}**", result, PIPELINE) for result in results]
    rows += [(f"{result['model']} alone", result, ENCODER) for result in results]
    newest = max(results, key=lambda result: len(result["systems"]))
    labels = baseline_labels().items()
    rows += [(label, newest, system) for system, label in labels if system in newest["systems"]]
    lines = [
        f"| | capped recall@{K}, all | repeat items | new items | recall@100 | NDCG@10 | MRR@10 | "
        f"coverage@{K} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label, result, system in rows:
        parts = result["systems"][system]
        cells = [_interval(parts[part].get(f"capped_recall_{K}")) for part in PARTS]
        cells += [f"{parts['all'][metric][0]:.4f}" for metric in ("recall_100", "ndcg_10", "mrr_10")]
        lines.append(f"| {label} | {' | '.join(cells)} | {result['coverage'][system][str(K)]:.3f} |")
    return lines


def _users(result: dict[str, Any]) -> list[str]:
    users = result["users"]
    sample = (
        "" if users["all"] == result["users_in_window"] else f", a sample of {result['users_in_window']:,}"
    )
    return [
        f"{users['all']:,} users with a target in the {result['window_days']:g} days after the split point"
        f"{sample}; {users['repeat']:,} with repeat items, {users['new']:,} with new ones."
    ]


def _speed(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| fit before the validation split point | epochs | minutes | interactions per second |",
        "|---|---|---|---|",
    ]
    for result in results:
        fit = result["fits"]["validation"]
        lines.append(
            f"| {result['model']} | {fit['epochs']:.0f} | {fit['seconds'] / 60:.1f} | "
            f"{fit['interactions_per_second']:,.0f} |"
        )
    return lines


def _origin(results: list[dict[str, Any]]) -> list[str]:
    first = results[0]
    data, file = first["dataset"], first["file"]
    event_types = ", ".join(f"{name} {count:,}" for name, count in data["event_types"].items())
    commits = sorted(
        {
            f"{result['commit'][:10]}{' with changes' if result['uncommitted_changes'] else ''}"
            for result in results
        }
    )
    machines = sorted({_machine(result["hardware"]) for result in results})
    return [
        f'- command: `BENCH_ARGS="--data {first["data"]}" make benchmark-quality`, seed {first["seed"]}, '
        f"commit {', '.join(commits)}",
        f"- hardware: {'; '.join(machines)}",
        f"- data: {data['num_events']:,} events ({event_types}), {data['num_users']:,} users, "
        f"{data['num_items']:,} items; {file['name']} sha256 `{file['sha256']}`; dataset fingerprint "
        f"`{data['fingerprint']}`",
    ]


def _machine(hardware: dict[str, Any]) -> str:
    gpu = f"GPU {hardware['gpu']}" if hardware["gpu"] else "no GPU"
    versions = f"torch {hardware['torch']}, Python {hardware['python']}"
    return f"{hardware['cpu']}, {hardware['cores']} cores, {gpu}; {versions}"


def _mean(result: dict[str, Any], system: str, part: str) -> float:
    return float(result["systems"][system][part][f"capped_recall_{K}"][0])


def _interval(value: list[float] | None) -> str:
    return f"{value[0]:.4f} ({value[1]:.4f} to {value[2]:.4f})" if value else "–"
