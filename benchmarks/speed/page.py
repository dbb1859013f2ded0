"""docs/benchmarks-training.md and its plot, from the kept result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.speed.verdict import NAMES, OURS, verdict

INTRODUCTION = """\
Made by `make benchmark-training`; edits are lost. The same file, the same two threads, one after the other on one machine:
Shopkeeper's trainer and the peers of [benchmarks/peers.txt](../benchmarks/peers.txt), each in an environment of its own. The
model is SASRec with the full softmax: width 64, two blocks, one head, histories of at most 50, dropout .5, Adam with a
learning rate of .001.

Trained on each user's items but the last two. The last but one is foreseen, the last is left alone. One scorer judges all:
every runner writes ten items for each user, from the whole catalogue without what the user has, and NDCG@10 is the mean over
all users; a target that training never saw counts as missed.

*Interactions a second*: the events of one epoch (the latest 51 a user, no padding) by the seconds of an epoch, the median
without the first where there are more. *Minutes* are those of training: the clock begins when the library is handed the
sequences, and stands still while lists are made. What Shopkeeper does between epochs (validation, a checkpoint) and before the
first (item vectors from an SVD) is in its minutes, and not in its seconds an epoch. Memory is the peak of the whole process
tree, the making of lists included."""

DIFFERENCES = """\
Where the models are not the same: the peers cut a long history to its latest 51 events, Shopkeeper cuts it into pieces and
trains on all of it. The peers batch users as they come and compute padded positions too; Shopkeeper batches by length, in
batches of as many positions as the peers' have events. The peers drop attention weights and inside the two-layer network;
Shopkeeper does not, and its network is four times as wide inside. Shopkeeper starts item vectors from an SVD and clips
gradients, as it does by default; RecTools and RePlay start and run as their documentation does. All compute in 32 bits on a CPU
unless the versions' line says otherwise. RecBole was not compared."""

PARTS = Path("results") / "training-parts.json"
"""Of `training_parts.py`, under docs."""
COLOURS = {OURS: "#1b7f4d", "rectools": "#c0392b", "replay": "#2c5aa0"}


def write_page(result: dict[str, Any], docs: Path) -> None:
    """Both files."""
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "pictures").mkdir(exist_ok=True)
    plot(result, docs / "pictures" / "training_speed.png")
    lines = page(result)
    if (docs / PARTS).is_file():
        lines += parts_table(json.loads((docs / PARTS).read_text(encoding="utf-8")))
    (docs / "benchmarks-training.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def page(result: dict[str, Any]) -> list[str]:
    """The Markdown lines."""
    file, hardware = result["file"], result["hardware"]
    lines = ["# How fast training is", "", INTRODUCTION, "", *_table(result), ""]
    lines += [
        f"- {_name(name)} was not measured: {' '.join(why.split())}"
        for name, why in result["missing"].items()
    ]
    lines += [
        f"- {verdict(result)[0]}",
        "",
        "![NDCG@10 against minutes of training](pictures/training_speed.png)",
        "",
        DIFFERENCES,
    ]
    lines += [
        "",
        f"- command: `{result['command']}`, seed {result['settings']['seed']}, commit "
        f"{(result['commit'] or 'unknown')[:10]}"
        + (" with uncommitted changes" if result["uncommitted_changes"] else ""),
        f"- file: {file['name']}, {file['users']:,} users, {file['items']:,} items, {file['events']:,} "
        "events, sha256 "
        f"{file['sha256'][:16]}…; {result['num_interactions']:,} interactions an epoch",
        f"- hardware: {hardware['cpu']}, {hardware['cores']} cores, {result['settings']['threads']} "
        "threads; load before "
        f"{result['load_before']:.1f}; {result['date']}",
    ]
    for system in result["systems"]:
        versions = ", ".join(
            f"{package} {version}" for package, version in system["versions"].items() if version
        )
        lines.append(f"- {_name(system['name'])}: {versions}")
    return lines


def parts_table(parts: dict[str, Any]) -> list[str]:
    """What each part of a step brings."""
    rows = [
        f"| {row['without']} | {row['targets_per_second']:,.0f} | {row['slower']:.2f} |"
        for row in parts["rows"]
    ]
    machine = f"{parts['cpu']}, {parts['threads']} threads, torch {parts['torch']}"
    where = f"{parts['file']}, {machine}, {(parts['commit'] or 'unknown')[:10]}"
    return [
        "",
        "## What each part brings",
        "",
        "The same training step with one part taken out and what is named put in its place, all in turn in "
        "one process; medians.",
        "",
        "| without | targets a second | times slower |",
        "|---|---:|---:|",
        *rows,
        "",
        f"- command: `python benchmarks/training_parts.py --files DIR`; {where}",
    ]


def _table(result: dict[str, Any]) -> list[str]:
    ours = next((system for system in result["systems"] if system["name"] == OURS), None)
    lines = [
        "| | interactions/s | Shopkeeper is | seconds an epoch | epochs | peak memory | NDCG@10 after "
        f"{result['minutes']:g} minutes |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for system in result["systems"]:
        figure = system["interactions_per_second"]
        times = (
            f"{ours['interactions_per_second'] / figure:.1f} × faster" if ours and system is not ours else ""
        )
        lines.append(
            f"| {_name(system['name'])} | {figure:,.0f} | {times} | {system['seconds_an_epoch']:.1f} | "
            f"{system['epochs']} | "
            f"{system['peak_gb']:.1f} GB | {system['ndcg_10']:.4f} |"
        )
    return lines


def plot(result: dict[str, Any], path: Path) -> None:
    """NDCG@10 against minutes of training, a line a system."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for system in result["systems"]:
        minutes, found = zip(*[(0.0, 0.0), *system["curve"]], strict=True)
        axes.plot(minutes, found, marker="o", label=_name(system["name"]), color=COLOURS.get(system["name"]))
    axes.axvline(result["minutes"], color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("NDCG@10")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if result["systems"]:
        axes.legend()
    FigureCanvasAgg(figure).print_png(
        path, metadata={"Software": None}
    )  # the same figures give the same file


def _name(name: str) -> str:
    return NAMES.get(name, name)
