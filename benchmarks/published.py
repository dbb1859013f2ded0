"""Published protocols: trains a data set's YAML once a seed, ranks each user's held-back item, and writes the
page.

    make benchmark-published BENCH_ARGS="--data beauty --files DIR"             five seeds, then docs/benchmarks-published.md
    make benchmark-published BENCH_ARGS="--data beauty --files DIR --seeds 0"   one seed; a seed that is done is not done again
    make benchmark-published BENCH_ARGS="--data beauty --file Toys.txt --name toys"   another file with beauty's settings
    make benchmark-published BENCH_ARGS=--page                                  only the page, from docs/results/published
    BENCH_ARGS="... --check"                                                    exit status 1 when a target is missed

Selection is on the validation item; the test item is read once a seed. A killed run goes on where it stood.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.published_data import found_file, prepared
from benchmarks.published_page import page, verdict_lines
from benchmarks.published_protocol import PublishedTest
from benchmarks.published_references import PUBLISHED
from benchmarks.published_settings import same_settings
from configs.console import log
from configs.exceptions import ConfigError
from configs.load import dump_config, load_config
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from training.encoder.fit import load_encoder
from training.runs.run import Run, environment, write_json
from training.train import train

ROOT = Path(__file__).parent.parent
YAMLS = ROOT / "configs" / "benchmarks"
RESULTS = ROOT / "docs" / "results" / "published"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, write the page; 1 when --check finds a target missed."""
    options = _options(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    name = options.name or options.data
    if not options.page:
        known = PUBLISHED.get(options.data)
        seeds = options.seeds or list(range(known.num_seeds if known else 1))
        for seed in seeds:
            measure(options, name=name, seed=seed)
    results = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(options.results.glob("*-seed*.json"))
    ]
    where = ROOT / "docs" if options.results == RESULTS else options.results
    (where / "benchmarks-published.md").write_text("\n".join(page(results)) + "\n", encoding="utf-8")
    verdicts = verdict_lines([result for result in results if options.page or result["data"] == name])
    sys.stdout.write("\n".join(verdicts) + "\n")
    return 1 if options.check and any("not reached" in line for line in verdicts) else 0


def measure(options: argparse.Namespace, *, name: str, seed: int) -> None:
    """Prepare if need be, train, rank, and keep the result; nothing where the same is kept already."""
    config = _config(options, name=name, seed=seed)
    file = found_file(config, files=options.files)
    entry = prepared(config, file)
    path = options.results / f"{name}-seed{seed}.json"
    if (
        path.is_file()
        and not options.again
        and same_settings(json.loads(path.read_text(encoding="utf-8")), config, entry)
    ):
        log(f"{name}, seed {seed}: {path} has it (--again measures anew)")
        return
    log(f"{name}, seed {seed}")
    run = train(config, resume=None if options.again else _unfinished(config))
    dataset = Dataset.open(config.workspace / "dataset")
    test = PublishedTest(dataset, split_points(dataset, config.split), config=config)
    on_gpu = config.training.device != "cpu" and torch.cuda.is_available()
    encoder = load_encoder(run.folder, dataset, point=test.point.name, config=config)
    model = test.judge_encoder(encoder, device=torch.device("cuda" if on_gpu else "cpu"))
    systems = {"model": model.summary(config), **_baselines(test, config, entry)}
    head = {
        "data": name,
        "protocol": options.data,
        "model": config.encoder.model,
        "seed": seed,
        "systems": systems,
    }
    counts = {"users": len(model.users), "cold_targets": test.num_cold_targets}
    write_json(
        path, {**head, **counts, **_origin(run, dataset, config, file=entry, options=options, name=name)}
    )


def _baselines(test: PublishedTest, config: Config, file: dict[str, str]) -> dict[str, Any]:
    """The same for every seed and every model, so they are made once and kept beside the dataset."""
    path = config.workspace / "published_baselines.json"
    of = {
        "file": file,
        "history": config.history.model_dump(mode="json"),
        "candidates": config.retrievers.model_dump(mode="json"),
        "evaluation": config.evaluation.model_dump(mode="json"),
    }
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept.get("of") != of:
        kept = {
            "of": of,
            "systems": {name: judged.summary(config) for name, judged in test.judge_baselines().items()},
        }
        write_json(path, kept)
    return dict(kept["systems"])


def _origin(
    run: Run,
    dataset: Dataset,
    config: Config,
    *,
    file: dict[str, str],
    options: argparse.Namespace,
    name: str,
) -> dict[str, Any]:
    """Everything that a figure needs to count."""
    entries, monitor = run.read(), config.training.monitor
    fit = entries["fits"]["validation"]
    curve = [
        line["metrics"][f"validation_{monitor}"] for line in run.curves() if line["series"] == "validation"
    ]
    return {
        "validation": {
            "metric": f"{monitor}_{config.training.monitor_k}",
            "best": max(curve, default=None),
            "curve": curve,
        },
        "best_epoch": curve.index(max(curve)) + 1 if curve else 0,
        "epochs": fit["epochs"],
        "seconds": fit["seconds"],
        "seconds_an_epoch": round(fit["training_seconds"] / max(fit["epochs"], 1), 2),
        "interactions_per_second": fit["interactions_per_second"],
        "commit": entries["commit"] or options.commit,
        "uncommitted_changes": entries["uncommitted_changes"],
        "hardware": {key: entries[key] for key in ("cpu", "cores", "gpu", "torch", "python")},
        "threads": torch.get_num_threads(),
        "dataset": {
            key: dataset.manifest[key] for key in ("num_events", "num_users", "num_items", "fingerprint")
        },
        "file": file,
        "command": _command(options, name=name),
        "config": dump_config(_anywhere(config, file=file, name=name)),
    }


def _anywhere(config: Config, *, file: dict[str, str], name: str) -> Config:
    """The settings without this machine's folders."""
    data = config.data.model_copy(update={"events": Path(file["name"])})
    return config.model_copy(update={"data": data, "workspace": Path(f"shop-{name}")})


def _command(options: argparse.Namespace, *, name: str) -> str:
    """What measures every seed of it again, on another machine."""
    other = f" --file {options.file.name} --name {name}" if options.file else ""
    kept = "".join(
        f" --set {override}"
        for override in options.set
        if not override.startswith(("data.events=", "training.seed="))
    )
    files = "" if options.file else " --files DIR"
    return f'make benchmark-published BENCH_ARGS="--data {options.data}{files}{other}{kept}"'


def _config(options: argparse.Namespace, *, name: str, seed: int) -> Config:
    yaml = YAMLS / f"{options.data}.yaml"
    if not yaml.is_file():
        raise ConfigError(
            f"--data {options.data}: there is "
            f"{', '.join(sorted(path.stem for path in YAMLS.glob('*.yaml')))}."
        )
    own = [f"name={name}", f"workspace=shop-{name}", f"training.seed={seed}"]
    file = [f"data.events={options.file}"] if options.file else []
    return load_config(yaml, overrides=[*own, *options.set, *file], workspace=options.out)


def _unfinished(config: Config) -> Run | None:
    """The run with just these settings, on this commit, that was killed."""
    commit = environment()["commit"]
    for folder in sorted((config.workspace / "runs").glob("*/"), reverse=True):
        run = Run(folder)
        entries, settings = run.read(), folder / "config.yaml"
        if (
            entries.get("status") not in ("running", "failed")
            or entries.get("commit") != commit
            or not settings.is_file()
        ):
            continue
        if settings.read_text(encoding="utf-8") == dump_config(config):
            return run
    return None


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        default="beauty",
        help="a YAML of configs/benchmarks, without .yaml: " + ", ".join(PUBLISHED),
    )
    parser.add_argument(
        "--files", type=Path, help="the folder of the data sets' files, looked for at any depth"
    )
    parser.add_argument(
        "--file",
        type=Path,
        help="another file in place of the YAML's; with --name, so that results stay apart",
    )
    parser.add_argument("--name", help="what the results and the workspace are called; default: as --data")
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], help="as 0,1,2; default: all"
    )
    parser.add_argument("--again", action="store_true", help="measure seeds anew that are done")
    parser.add_argument("--page", action="store_true", help="only write the page anew from the results")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as in `shopkeeper`; give it a --name"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="the folder of the results; default: docs/results/published",
    )
    parser.add_argument("--out", type=Path, help="the workspace; default: shop-NAME here")
    parser.add_argument("--commit", help="what to note as the commit where the source is a copy without git")
    options = parser.parse_args(arguments)
    if options.file and not options.name:
        parser.error("--file is another data set than --data: give it a --name of its own")
    return options


if __name__ == "__main__":
    sys.exit(main())
