"""Published protocols: trains a data set once per seed, ranks the held-out items, and writes the page.

    make benchmark-published BENCH_ARGS="--data beauty --files DIR"               five seeds, then the page
    make benchmark-published BENCH_ARGS="--data beauty --files DIR --seeds 0"     one seed
    make benchmark-published BENCH_ARGS="--data beauty --file F.txt --name toys"  the settings on another file
    make benchmark-published BENCH_ARGS=--page                                    only the page
    make benchmark-published BENCH_ARGS="... --check"                             status 1: a target is missed

Selection is on the validation item; the test item is read once per seed. A seed whose result is kept is not
measured again; a run that was killed is resumed. The page is docs/benchmarks-published.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.folders import DOCS, RESULTS, YAMLS
from benchmarks.published_data import found_file, prepared
from benchmarks.published_page import read_results, verdict_lines, write_page
from benchmarks.published_protocol import PublishedTest
from benchmarks.published_references import PUBLISHED
from benchmarks.published_settings import same_settings
from configs.console import log
from configs.exceptions import ConfigError
from configs.load import dump_config, load_config
from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from training.encoder.load import load_encoder
from training.runs.environment import environment
from training.runs.run import Run, write_json
from training.train import train

PUBLISHED_RESULTS = RESULTS / "published"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and write the page; 1 when --check finds that a target is missed."""
    options = _options(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    name = options.name or options.data
    if not options.page:
        known = PUBLISHED.get(options.data)
        seeds = options.seeds or list(range(known.num_seeds if known else 1))
        for seed in seeds:
            measure(options, name=name, seed=seed)
    results = read_results(options.results)
    write_page(results, DOCS if options.results == PUBLISHED_RESULTS else options.results)
    verdicts = verdict_lines([result for result in results if options.page or result["data"] == name])
    sys.stdout.write("\n".join(verdicts) + "\n")
    return 1 if options.check and any("not reached" in line for line in verdicts) else 0


def measure(options: argparse.Namespace, *, name: str, seed: int) -> None:
    """Prepare, train, rank and keep the result; nothing where a result with the same settings is kept."""
    config = _config(options, name=name, seed=seed)
    file = found_file(config, files=options.files)
    entry = prepared(config, file)
    path = options.results / f"{name}-seed{seed}.json"
    if (
        path.is_file()
        and not options.again
        and same_settings(json.loads(path.read_text(encoding="utf-8")), config, entry)
    ):
        log(f"{name}, seed {seed}: {path} has it (--again measures again)")
        return
    log(f"{name}, seed {seed}")
    run = train(config, resume=None if options.again else _unfinished(config))
    dataset = Dataset.open(config.workspace / "dataset")
    test = PublishedTest(dataset, split_points(dataset, config.split), config=config)
    on_gpu = config.training.device != "cpu" and torch.cuda.is_available()
    encoder = load_encoder(run.folder, dataset, point=test.point.name, config=config)
    model = test.evaluate_encoder(encoder, device=torch.device("cuda" if on_gpu else "cpu"))
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
    """They are the same for every seed and every model, so they are kept beside the dataset."""
    path = config.workspace / "published_baselines.json"
    fitted_with = {
        "file": file,
        "history": config.history.model_dump(mode="json"),
        "candidates": config.retrievers.model_dump(mode="json"),
        "evaluation": config.evaluation.model_dump(mode="json"),
    }
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept.get("fitted_with") != fitted_with:
        kept = {
            "fitted_with": fitted_with,
            "systems": {name: found.summary(config) for name, found in test.evaluate_baselines().items()},
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
    """What is needed to reproduce the figures."""
    record, monitor = run.read(), config.training.monitor
    fit = record.fits["validation"]
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
        "epochs": fit.epochs,
        "seconds": fit.seconds,
        "seconds_an_epoch": round(fit.training_seconds / max(fit.epochs, 1), 2),
        "interactions_per_second": fit.interactions_per_second,
        "commit": record.commit or options.commit,
        "uncommitted_changes": record.uncommitted_changes,
        "hardware": record.hardware,
        "threads": torch.get_num_threads(),
        "dataset": {
            key: dataset.manifest[key] for key in ("num_events", "num_users", "num_items", "fingerprint")
        },
        "file": file,
        "command": _command(options, name=name),
        "config": dump_config(_without_folders(config, file=file, name=name)),
    }


def _without_folders(config: Config, *, file: dict[str, str], name: str) -> Config:
    """The settings without this machine's paths."""
    data = config.data.model_copy(update={"events": Path(file["name"])})
    return config.model_copy(update={"data": data, "workspace": Path(f"shop-{name}")})


def _command(options: argparse.Namespace, *, name: str) -> str:
    """The command that measures every seed again, on any machine."""
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
            f"--data {options.data}: no such YAML in configs/benchmarks, which has "
            f"{', '.join(sorted(path.stem for path in YAMLS.glob('*.yaml')))}."
        )
    own = [f"name={name}", f"workspace=shop-{name}", f"training.seed={seed}"]
    file = [f"data.events={options.file}"] if options.file else []
    return load_config(yaml, overrides=[*own, *options.set, *file], workspace=options.out)


def _unfinished(config: Config) -> Run | None:
    """The newest run with these settings on this commit that did not finish."""
    commit = environment()["commit"]
    for folder in sorted((config.workspace / "runs").glob("*/"), reverse=True):
        run = Run(folder)
        record, settings = run.read(), folder / "config.yaml"
        is_open = record.status in ("running", "failed") and record.commit == commit
        if not is_open or not settings.is_file():
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
    parser.add_argument("--files", type=Path, help="folder of the data sets' files, searched at any depth")
    parser.add_argument(
        "--file",
        type=Path,
        help="another file in place of the YAML's; with --name, so that results stay apart",
    )
    parser.add_argument("--name", help="name of the results and the workspace; default: as --data")
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], help="as 0,1,2; default: all"
    )
    parser.add_argument("--again", action="store_true", help="measure seeds again that are kept")
    parser.add_argument("--page", action="store_true", help="only write the page again from the results")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as in `shopkeeper`; give it a --name"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=PUBLISHED_RESULTS,
        help="the folder of the results; default: docs/results/published",
    )
    parser.add_argument("--out", type=Path, help="the workspace; default: shop-NAME here")
    parser.add_argument("--commit", help="the commit to record where this is a copy without git")
    options = parser.parse_args(arguments)
    if options.file and not options.name:
        parser.error("--file is not the data set of --data: name it with --name")
    return options


if __name__ == "__main__":
    sys.exit(main())
