"""docs/benchmarks-training.md from the kept results of the comparison and of the training step's ablation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.speed.plot import write_plot
from benchmarks.speed.verdict import OURS, label_of, verdict

INTRODUCTION = """\
Made by `make benchmark-training`; edits are lost. The same file and the same two threads, one library after
the other on one machine: Shopkeeper's trainer and the peers of
[benchmarks/peers.txt](../benchmarks/peers.txt), each in an environment of its own. The model is SASRec with
the full softmax: width 64, two blocks, one head, histories of at most 50, dropout .5, Adam with a learning
rate of .001.

Training is on each user's items but the last two. The last but one is the target; the last is not used. One
scorer for all: every runner writes ten items per user, from the whole catalogue without the user's own, and
NDCG@10 is the mean over all users; a target that is not in the training data is a miss.

*Interactions per second*: the events of one epoch (the latest 51 of each user, no padding) divided by the
seconds of an epoch, the median without the first where there are more. *Minutes* are minutes of training: the
clock starts when the library gets the sequences, and is stopped while lists are made. What Shopkeeper does
between epochs (validation, a checkpoint) and before the first (item vectors from an SVD) counts in its
minutes, and not in its seconds per epoch. Memory is the peak of the whole process tree, including the making
of lists."""

DIFFERENCES = """\
Differences between the models: the peers cut a long history to its latest 51 events, Shopkeeper cuts it into
pieces and trains on all of it. The peers batch users regardless of length and compute padded positions too;
Shopkeeper batches by length, with as many positions in a batch as the peers' batches have events. The peers
apply dropout to attention weights and inside the feed-forward network; Shopkeeper does not, and its
feed-forward network is four times as wide. Shopkeeper starts item vectors from an SVD and clips gradients, as
it does by default; RecTools and RePlay start and run as their documentation does. All compute in 32 bits on a
CPU unless the versions' line says otherwise. RecBole was not compared."""

STEP_ABLATION = Path("results") / "training-step-ablation.json"
"""The result of `training_step_ablation.py`, below docs."""


def write_page(result: dict[str, Any], docs: Path) -> None:
    """Write the page and its plot into a folder, with the ablation's table where its result is there."""
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "pictures").mkdir(exist_ok=True)
    write_plot(result, docs / "pictures" / "training_speed.png")
    lines = page(result)
    if (docs / STEP_ABLATION).is_file():
        lines += step_ablation_lines(json.loads((docs / STEP_ABLATION).read_text(encoding="utf-8")))
    (docs / "benchmarks-training.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def page(result: dict[str, Any]) -> list[str]:
    """The Markdown lines of the comparison."""
    lines = ["# Training speed", "", INTRODUCTION, "", *_table(result), ""]
    lines += [
        f"- {label_of(name)} was not measured: {' '.join(why.split())}"
        for name, why in result["missing"].items()
    ]
    lines += [
        f"- {verdict(result)[0]}",
        "",
        "![NDCG@10 against minutes of training](pictures/training_speed.png)",
        "",
        DIFFERENCES,
        "",
        *_origin(result),
    ]
    return lines


def step_ablation_lines(result: dict[str, Any]) -> list[str]:
    """The Markdown lines of the training step's ablation."""
    rows = [
        f"| {row['without']} | {row['targets_per_second']:,.0f} | {row['slower']:.2f} |"
        for row in result["rows"]
    ]
    machine = f"{result['cpu']}, {result['threads']} threads, torch {result['torch']}"
    where = f"{result['file']}, {machine}, {(result['commit'] or 'unknown')[:10]}"
    return [
        "",
        "## Ablation of the training step",
        "",
        "The same training step with one part replaced as the row says, all in turn in one process; medians.",
        "",
        "| without | targets per second | times slower |",
        "|---|---:|---:|",
        *rows,
        "",
        f"- command: `python benchmarks/training_step_ablation.py --files DIR`; {where}",
    ]


def _table(result: dict[str, Any]) -> list[str]:
    ours = next((system for system in result["systems"] if system["name"] == OURS), None)
    lines = [
        "| | interactions/s | Shopkeeper is | seconds per epoch | epochs | peak memory | NDCG@10 after "
        f"{result['minutes']:g} minutes |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for system in result["systems"]:
        speed = system["interactions_per_second"]
        times = (
            f"{ours['interactions_per_second'] / speed:.1f} × faster" if ours and system is not ours else ""
        )
        lines.append(
            f"| {label_of(system['name'])} | {speed:,.0f} | {times} | {system['seconds_an_epoch']:.1f} | "
            f"{system['epochs']} | {system['peak_gb']:.1f} GB | {system['ndcg_10']:.4f} |"
        )
    return lines


def _origin(result: dict[str, Any]) -> list[str]:
    file, hardware, settings = result["file"], result["hardware"], result["settings"]
    changes = " with uncommitted changes" if result["uncommitted_changes"] else ""
    lines = [
        f"- command: `{result['command']}`, seed {settings['seed']}, commit "
        f"{(result['commit'] or 'unknown')[:10]}{changes}",
        f"- file: {file['name']}, {file['users']:,} users, {file['items']:,} items, {file['events']:,} "
        f"events, sha256 {file['sha256'][:16]}…; {result['num_interactions']:,} interactions per epoch",
        f"- hardware: {hardware['cpu']}, {hardware['cores']} cores, {settings['threads']} threads; load "
        f"before {result['load_before']:.1f}; {result['date']}",
    ]
    for system in result["systems"]:
        versions = [f"{package} {version}" for package, version in system["versions"].items() if version]
        lines.append(f"- {label_of(system['name'])}: {', '.join(versions)}")
    return lines
