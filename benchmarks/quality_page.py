"""docs/benchmarks.md, from the kept results: a table a data set, with every model's pipeline and every source
alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

K = 20
PARTS = ("all", "repeat", "new")
SOURCES = {
    "repeats": "own items, half-life 120 days",
    "most_bought": "own items, most bought",
    "together": "bought together",
    "people": "people alike",
    "popular": "popular lately",
}
TARGETS = {"complete-journey": {"all": 0.336, "new": 0.076}}
"""capped recall@20 of the best pipeline"""

INTRODUCTION = """\
Made by `make benchmark-quality`; edits are lost. Protocol: global time windows. Everything is fitted on events before a
moment and tested on the window after it, over the full catalogue, never sampled. Relevant is every item that had one of the
target events in the window. Selection is on the validation window before; the test window is read once a run.

*pipeline with X*: what is served, all sources under one score, with X as its neural encoder. *X alone*: the encoder's
nearest items. *popular lately*: target events of the recent window. *own items*: the user's items by count, or with each
event counting half after 120 days. *bought together*: co-occurrence in visits with the latest 50 distinct items. Lists
that come out short are filled with what is popular. *repeat*: list and truth are the user's own items alone; *new*: own
items taken out of both. In brackets: 95 % bootstrap interval over users. One seed each; every result whole is in
[results](results).

These runs were made two at a time on two cores, with one thread each (OMP_NUM_THREADS=1): minutes and interactions a second
are what a shared machine gives, and runs compare with each other only roughly in them."""

REFERENCES = {
    "complete-journey": "For orientation, capped recall@20 on all items, measured once before: popularity "
    ".115, each household's "
    "most-bought .292, the same with a half-life of 120 days .314; on new items: popularity .038.",
    "online-retail": "The year ends in the weeks before Christmas: the test window is the busiest of all.",
    "taobao": "A sample of 815 users over nine days; views, favourites, carts and purchases are targets, by "
    "weight.",
}


def page(results: list[dict[str, Any]], ablations: Mapping[str, dict[str, Any]]) -> list[str]:
    """The Markdown lines."""
    lines = ["# Benchmarks", "", INTRODUCTION]
    for data in dict.fromkeys(result["data"] for result in results):
        of_data = [result for result in results if result["data"] == data]
        lines += ["", f"## {data}", "", *_table(of_data), "", *_users(of_data[0])]
        lines += ["", *[f"- {line}" for line in verdict_lines(of_data)], "", REFERENCES.get(data, "")]
        if data in ablations:
            lines += ["", *ablation_lines(ablations[data])]
        lines += ["", *_speed(of_data), "", *_origin(of_data)]
    return lines


def verdict_lines(results: list[dict[str, Any]]) -> list[str]:
    """One line a target: the figure, the target, reached or not; and whether each pipeline beats every source
    alone."""
    lines = []
    for data in dict.fromkeys(result["data"] for result in results):
        of_data = [result for result in results if result["data"] == data]
        for part, target in TARGETS.get(data, {}).items():
            found, model = max((_mean(result, "pipeline", part), result["model"]) for result in of_data)
            verdict = "reached" if found >= target else "not reached"
            lines.append(
                f"{data}, capped recall@{K} on {part} items, best pipeline ({model}): {found:.4f}, target "
                f"{target}: {verdict}"
            )
        for result in of_data:
            alone, source = max(
                (_mean(result, system, "all"), system) for system in result["systems"] if system != "pipeline"
            )
            found = _mean(result, "pipeline", "all")
            verdict = "above" if found > alone else "not above"
            lines.append(
                f"{data}, pipeline with {result['model']}: {found:.4f}, {verdict} the best source alone "
                f"({source}, {alone:.4f})"
            )
    return lines


def _table(results: list[dict[str, Any]]) -> list[str]:
    rows = [(f"**pipeline with {result['model']}**", result, "pipeline") for result in results]
    rows += [(f"{result['model']} alone", result, "encoder") for result in results]
    newest = max(results, key=lambda result: len(result["systems"]))
    rows += [(label, newest, system) for system, label in SOURCES.items() if system in newest["systems"]]
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


def ablation_lines(ablation: dict[str, Any]) -> list[str]:
    """What each group of features and each source brings: the difference that its absence makes."""
    whole, *others = ablation["ablation"]
    lines = [
        f"What brings what, with {ablation['model']}: the ranker fitted again without a group of features, "
        "or without a "
        f"source, its "
        "candidates and its own features; then measured on the test window. Difference of capped recall@20, "
        "in brackets "
        "its paired "
        "95 % bootstrap interval; where that holds 0, nothing is shown. Groups overlap in what they say, so "
        "the "
        "differences do not "
        "add up. `make benchmark-ablation`, "
        f"commit {str(ablation['commit'])[:10]}{' with changes' if ablation['uncommitted_changes'] else ''}.",
        "",
        "| left out | all | repeat items | new items |",
        "|---|---|---|---|",
        f"| nothing | {' | '.join(_interval(whole[part]) for part in PARTS)} |",
    ]
    return lines + [
        f"| {row['without']} | {' | '.join(_difference(row[part]) for part in PARTS)} |" for row in others
    ]


def _difference(value: list[float]) -> str:
    return f"{value[0]:+.4f} ({value[1]:+.4f} to {value[2]:+.4f})"


def _users(result: dict[str, Any]) -> list[str]:
    users = result["users"]
    sample = (
        "" if users["all"] == result["users_in_window"] else f", a sample of {result['users_in_window']:,}"
    )
    return [
        f"{users['all']:,} users with a target in the {result['window_days']:g} days after the split "
        f"point{sample}; "
        f"{users['repeat']:,} with repeat items, {users['new']:,} with new ones."
    ]


def _speed(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| fit before the validation split point | epochs | minutes | interactions a second |",
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
    data, file, event_types = (
        first["dataset"],
        first["file"],
        ", ".join(f"{name} {count:,}" for name, count in first["dataset"]["event_types"].items()),
    )
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
        f"{data['num_items']:,} items; "
        f"{file['name']} sha256 `{file['sha256']}`; dataset fingerprint `{data['fingerprint']}`",
    ]


def _machine(hardware: dict[str, Any]) -> str:
    gpu = f"GPU {hardware['gpu']}" if hardware["gpu"] else "no GPU"
    return f"{hardware['cpu']}, {hardware['cores']} cores, {gpu}; torch {hardware['torch']}, Python {hardware['python']}"


def _mean(result: dict[str, Any], system: str, part: str) -> float:
    return float(result["systems"][system][part][f"capped_recall_{K}"][0])


def _interval(value: list[float] | None) -> str:
    return f"{value[0]:.4f} ({value[1]:.4f} to {value[2]:.4f})" if value else "–"
