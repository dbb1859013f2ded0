"""docs/benchmarks-published.md from the kept results: published figures, ours, and the baselines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.published_references import PUBLISHED, Published, is_published_copy, metric_name
from benchmarks.published_settings import differ_in_seed_only, settings_of
from benchmarks.systems import published_baseline_labels

Result = dict[str, Any]
METRICS = ("ndcg_5", "ndcg_10", "ndcg_20", "recall_5", "recall_10", "recall_20", "mrr")
INTRODUCTION = """\
Made by `make benchmark-published`; edits are lost. Rankings are over the whole catalogue, without sampling.
An item with the same score as the target is ranked ahead of it. With one target Recall@k equals HR@k.
Selection is on the validation item; the test item is read once per seed. An item that is not in the training
data is ranked last, so as a target it is a miss; such targets are counted. Baselines are fitted on the same
events as the model and get the same histories. In brackets: 95 % bootstrap interval over users; ± is the
standard deviation over seeds. All results are complete, with their settings and learning curves, in
[results/published](results/published)."""


def read_results(folder: Path) -> list[Result]:
    """Every kept result of a folder."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-seed*.json"))]


def write_page(results: Sequence[Result], docs: Path) -> None:
    """Write `benchmarks-published.md` into a folder."""
    (docs / "benchmarks-published.md").write_text("\n".join(page(results)) + "\n", encoding="utf-8")


def page(results: Sequence[Result]) -> list[str]:
    """The Markdown lines."""
    lines = ["# Published protocols", "", INTRODUCTION]
    for data in _names(results):
        lines += ["", f"## {data}", "", *_section(data, _of(results, data))]
    return lines


def verdict_lines(results: Sequence[Result]) -> list[str]:
    """A line per target (figure, target, whether it is reached) and per data set (whether the model beats
    every baseline)."""
    lines = []
    for data in _names(results):
        found = _of(results, data)
        published = PUBLISHED.get(data)
        for metric, target in published.targets if published else ():
            figure = f"{_mean_sd(found, metric)}, target {target:g}"
            what = f"{data}, {metric_name(metric)}, {_number_of_seeds(found)}: {figure}"
            lines.append(f"{what}: {_verdict(found, metric, target)}")
        lines.append(_over_baselines(data, found, published.metrics[0] if published else "ndcg_10"))
    return lines


def _verdict(results: Sequence[Result], metric: str, target: float) -> str:
    wanted = PUBLISHED[results[0]["data"]].num_seeds
    if not differ_in_seed_only(list(results)):
        return "not reached: the seeds differ in their settings or file, so there is no mean"
    if _mean(results, metric) < target:
        return f"not reached: {_mean(results, metric):.4f}"
    if len(results) < wanted:
        return f"not reached: {len(results)} of {wanted} seeds are measured"
    if any(is_published_copy(**result["file"]) is False for result in results):
        return "not reached: the file is not the published copy"
    return "reached"


def _over_baselines(data: str, results: Sequence[Result], metric: str) -> str:
    systems = results[0]["systems"]
    best, name = max((systems[name][metric][0], name) for name in published_baseline_labels())
    verdict = "above" if _mean(results, metric) > best else "NOT above"
    what = f"{data}, {metric_name(metric)} of {results[0]['model']}: {_mean(results, metric):.4f}"
    return f"{what}, {verdict} the best baseline ({name}, {best:.4f})"


def _section(data: str, results: Sequence[Result]) -> list[str]:
    first = results[0]
    published = PUBLISHED.get(first["protocol"])
    is_other_file = data not in PUBLISHED
    lines = (
        [f"The settings of {first['protocol']} on another file; no figure is published for it here.", ""]
        if is_other_file
        else []
    )
    lines += [published.protocol, ""] if published else []
    lines += _comparison(results, published, with_references=not is_other_file)
    lines += ["", *_seed_table(results), "", *[f"- {line}" for line in verdict_lines(results)], ""]
    return [*lines, *_origin(results)]


def _comparison(
    results: Sequence[Result], published: Published | None, *, with_references: bool
) -> list[str]:
    metrics = published.metrics if published else ("ndcg_10", "recall_10")
    lines = [f"| | {' | '.join(metric_name(metric) for metric in metrics)} | |", "|---|---|---|---|"]
    for model, paper, *figures in published.references if published and with_references else ():
        cells = ["–" if figure is None else f"{figure:.4f}" for figure in figures]
        lines.append(f"| {model} | {' | '.join(cells)} | {paper} |")
    ours = " | ".join(f"**{_mean_sd(results, metric)}**" for metric in metrics)
    lines.append(f"| **ours: {_model_name(results[0])}** | {ours} | {_number_of_seeds(results)} |")
    for name, label in published_baseline_labels().items():
        found = results[0]["systems"][name]
        is_empty = name == "repurchase" and not any(value[0] for value in found.values())
        note = "empty, since items of the history are removed from the list" if is_empty else "no training"
        lines.append(f"| {label} | {' | '.join(_interval(found[metric]) for metric in metrics)} | {note} |")
    return lines


def _model_name(result: Result) -> str:
    """The model, and the size of the ensemble."""
    settings = settings_of(result)
    size = settings["encoder"]["ensemble"] if settings else 1
    return f"{result['model']}, ensemble of {size}" if size > 1 else str(result["model"])


def _seed_table(results: Sequence[Result]) -> list[str]:
    names = " | ".join(metric_name(metric) for metric in METRICS)
    lines = [
        f"| seed | {names} | best epoch | seconds per epoch | interactions per second | commit |",
        "|---" * (len(METRICS) + 5) + "|",
    ]
    for result in results:
        found = result["systems"]["model"]
        cells = [
            _interval(found[metric]) if metric in ("ndcg_10", "recall_10") else f"{found[metric][0]:.4f}"
            for metric in METRICS
        ]
        cells += [f"{result['best_epoch']} of {result['epochs']}", f"{result['seconds_an_epoch']:.1f}"]
        cells += [f"{result['interactions_per_second']:,}", _commit(result)]
        lines.append(f"| {result['seed']} | {' | '.join(cells)} |")
    means = [f"{_mean(results, metric):.4f} ± {_sd(results, metric)}" for metric in METRICS]
    return [*lines, f"| **mean** | {' | '.join(means)} | | | | |"]


def _origin(results: Sequence[Result]) -> list[str]:
    first = results[0]
    data, file = first["dataset"], first["file"]
    copy = {True: "the published copy", False: "NOT the published copy", None: "no known copy"}[
        is_published_copy(**file)
    ]
    machines = sorted({_machine(result) for result in results})
    commands = sorted({result["command"] for result in results})
    return [
        f"- command: {'; '.join(f'`{command}`' for command in commands)}",
        f"- hardware: {'; '.join(machines)}",
        f"- data: {data['num_events']:,} events, {data['num_users']:,} users, {data['num_items']:,} items; "
        f"{first['users']:,} test users, {first['cold_targets']:,} targets that are not in the training data",
        f"- file: {file['name']} sha256 `{file['sha256']}`, {copy}",
    ]


def _machine(result: Result) -> str:
    hardware = result["hardware"]
    where = hardware["gpu"] or f"{hardware['cpu']}, {hardware['cores']} cores, {result['threads']} threads"
    return f"{where}; torch {hardware['torch']}, Python {hardware['python']}"


def _commit(result: Result) -> str:
    return f"{(result['commit'] or 'unknown')[:10]}{' with changes' if result['uncommitted_changes'] else ''}"


def _names(results: Sequence[Result]) -> list[str]:
    """Data sets in the order of the references, then others."""
    names = dict.fromkeys(result["data"] for result in results)
    return sorted(
        names, key=lambda name: (list(PUBLISHED).index(name) if name in PUBLISHED else len(PUBLISHED), name)
    )


def _of(results: Sequence[Result], data: str) -> list[Result]:
    return sorted(
        (result for result in results if result["data"] == data), key=lambda result: int(result["seed"])
    )


def _mean(results: Sequence[Result], metric: str) -> float:
    return statistics.fmean(result["systems"]["model"][metric][0] for result in results)


def _sd(results: Sequence[Result], metric: str) -> str:
    figures = [result["systems"]["model"][metric][0] for result in results]
    return f"{statistics.stdev(figures):.4f}" if len(figures) > 1 else "–"


def _mean_sd(results: Sequence[Result], metric: str) -> str:
    return f"{_mean(results, metric):.4f}" + (f" ± {_sd(results, metric)}" if len(results) > 1 else "")


def _number_of_seeds(results: Sequence[Result]) -> str:
    return "1 seed" if len(results) == 1 else f"mean of {len(results)} seeds"


def _interval(value: Sequence[float]) -> str:
    return f"{value[0]:.4f} ({value[1]:.4f} to {value[2]:.4f})"
