"""Cold items and new users: hides the newest tenth of the items, and measures who finds them.

    make benchmark-cold BENCH_ARGS="--data beauty --files DIR"           a data set, two seeds, and the page
    make benchmark-cold BENCH_ARGS="--data complete-journey --seeds 0"   one seed
    make benchmark-cold BENCH_ARGS=--page                                only the page
    make benchmark-cold BENCH_ARGS="--page --check"                      status 1: the target is missed

What was trained and measured is kept in the workspace; a training that was interrupted goes on. The result
is kept in docs/results, and docs/benchmarks-cold.md is made from all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cold.encoders import fingerprint, settings_text
from benchmarks.cold.entrants import (
    BASELINES,
    BROUGHT,
    LABELS,
    OF_NEW_USERS,
    OF_RANKING,
    WITHOUT_CONTENT,
    Entrants,
)
from benchmarks.cold.intervals import mean_of, ratio_of
from benchmarks.cold.measure import METRICS, Measured, Users, kept_or_measured, measure
from benchmarks.cold.new_users import OWN_CATEGORY, measure_new_user, new_users
from benchmarks.cold.overlap import DEPTHS, brought_figures, measure_overlap
from benchmarks.cold.page import cold_page, verdict_lines
from benchmarks.cold.split import ColdSplit, Ranking, cold_split, rankings
from benchmarks.folders import DOCS, RESULTS, YAMLS
from configs.console import log
from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.prepare import prepare
from training.runs.environment import environment
from training.runs.run import write_json

DATA = ("beauty", "complete-journey")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and write the page."""
    options = _options(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    if not options.page:
        config = _config(options)
        if not (config.workspace / "dataset").is_dir():
            prepare(config, now=datetime.now(UTC), progress=log)
        for result in measured(config, options.seeds):
            origin = {"data": options.data, "command": _command(options, result["seeds"])}
            write_json(options.results / f"cold-{options.data}.json", result | origin)
    kept = [options.results / f"cold-{data}.json" for data in DATA]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in kept if path.is_file()]
    page = (DOCS if options.results == RESULTS else options.results) / "benchmarks-cold.md"
    page.write_text(cold_page(results), encoding="utf-8")
    log(f"{page} is written")
    verdicts = [verdict_lines(result) for result in results]
    sys.stdout.write("".join(f"{line}\n" for lines in verdicts for line in lines))
    is_reached = all(any("not reached" not in line for line in lines) for lines in verdicts)
    return 1 if options.check and not is_reached else 0


def measured(config: Config, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The result of one data set after each seed: the mean over seeds of each user's numbers, with intervals
    over users. What was measured with the same settings is kept in the workspace."""
    dataset = Dataset.open(config.workspace / "dataset")
    split = cold_split(dataset, window_days=config.split.window_days)
    users = Users.after(dataset, split.point, split.end, config=config)
    new = new_users(dataset, split, config)
    ranked = rankings(split, seed=config.evaluation.seed, with_seen=not config.evaluation.exclude_seen)
    kept = config.workspace / "cold" / f"measured-{fingerprint(dataset, config)}"
    found: dict[str, list[Measured]] = {}
    of_new: dict[str, list[Measured]] = {}
    brought: dict[str, list[Measured]] = {}
    for number, seed in enumerate(seeds):
        entrants = Entrants(dataset, split, config, seed=seed)
        for name in LABELS:
            if number and name in BASELINES:
                continue
            one = partial(_measure, entrants, name, users, ranked)
            found.setdefault(name, []).append(kept_or_measured(kept / f"{name}-seed{seed}.npz", one))
            log(f"{name}: cold recall@20 {np.nanmean(found[name][-1]['cold']['recall_20']):.4f}")
            if name in OF_NEW_USERS and new.batches:
                one = partial(_measure_new, entrants, name, new, dataset, split)
                path = kept / f"{name}-new-seed{seed}.npz"
                of_new.setdefault(name, []).append(kept_or_measured(path, one))
        for name in BROUGHT:
            one = partial(_measure_brought, entrants, name, users, split)
            path = kept / f"{name}-brought-seed{seed}.npz"
            brought.setdefault(name, []).append(kept_or_measured(path, one))
        yield {
            **_result(dataset, split, config, found=found, of_new=of_new, brought=brought),
            "brought_beside": entrants.others,
            "seeds": list(seeds[: number + 1]),
            **environment(),
            "config": settings_text(config),
        }


def _result(
    dataset: Dataset,
    split: ColdSplit,
    config: Config,
    *,
    found: Mapping[str, Sequence[Measured]],
    of_new: Mapping[str, Sequence[Measured]],
    brought: Mapping[str, Sequence[Measured]],
) -> dict[str, Any]:
    """Entrant → what was measured with each seed, to figures over the seeds."""
    over_seeds = {name: _mean_over_seeds(parts) for name, parts in found.items()}
    new = {name: _mean_over_seeds(parts) for name, parts in of_new.items()}
    return {
        "split": _split_counts(dataset, split, over_seeds[WITHOUT_CONTENT]),
        "entrants": {name: _figures(one, over_seeds, config) for name, one in over_seeds.items()},
        "new_users": _new_figures(new, config),
        "brought": {
            name: brought_figures(_mean_over_seeds(parts), config) for name, parts in brought.items()
        },
    }


def _measure(entrants: Entrants, name: str, users: Users, ranked: Sequence[Ranking]) -> Measured:
    if name not in OF_RANKING:
        return measure(entrants.scorer(name), users, ranked)
    parts = [measure(entrants.scorer_among(name, one), users, [one]) for one in ranked]
    return {ranking: metrics for part in parts for ranking, metrics in part.items()}


def _measure_brought(entrants: Entrants, name: str, users: Users, split: ColdSplit) -> Measured:
    """What the lists of an entrant of `BROUGHT` have that those of `Entrants.others` have not."""
    every_N = split.cold_N | split.warm_N
    every = Ranking("every", every_N, every_N)
    is_written = name in OF_RANKING
    newcomer = entrants.scorer_among(name, every, width=max(DEPTHS)) if is_written else entrants.scorer(name)
    return measure_overlap(newcomer, [entrants.scorer(one) for one in entrants.others], users, split)


def _measure_new(entrants: Entrants, name: str, users: Users, dataset: Dataset, split: ColdSplit) -> Measured:
    return measure_new_user(entrants.scorer(name), users, dataset, split)


def _mean_over_seeds(parts: Sequence[Measured]) -> Measured:
    return {
        ranking: {metric: np.mean([part[ranking][metric] for part in parts], axis=0) for metric in metrics}
        for ranking, metrics in parts[0].items()
    }


def _figures(one: Measured, every: Mapping[str, Measured], config: Config) -> dict[str, Any]:
    """Means and intervals, the ratio of cold to warm, and paired differences of recall@20."""
    drawn = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}

    def recall(measured: Measured, ranking: str) -> Any:
        return measured[ranking]["recall_20"]

    without, neighbours = every[WITHOUT_CONTENT], every["content_neighbours"]
    return {
        "rankings": {
            ranking: {metric: mean_of(values, **drawn) for metric, values in metrics.items()}
            for ranking, metrics in one.items()
        },
        "ratio": {
            ranking: ratio_of(recall(one, cold), recall(one, warm), **drawn)
            for ranking, (cold, warm) in {
                "as_many": ("cold", "warm_as_many"),
                "among_all": ("cold_among_all", "warm_among_all"),
                "own_kind": ("cold", "warm"),
            }.items()
        },
        "against": {
            "cold: content neighbours": mean_of(recall(one, "cold") - recall(neighbours, "cold"), **drawn),
            "warm: without content": mean_of(recall(one, "warm") - recall(without, "warm"), **drawn),
            "warm among all: without content": mean_of(
                recall(one, "warm_among_all") - recall(without, "warm_among_all"), **drawn
            ),
        },
    }


def _new_figures(found: Mapping[str, Measured], config: Config) -> dict[str, Any]:
    """Entrant → metrics with intervals, and the share of the list that has the first event's category."""
    drawn = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}
    entrants = {
        name: {
            **{metric: mean_of(values, **drawn) for metric, values in one["warm"].items()},
            OWN_CATEGORY: mean_of(one[OWN_CATEGORY][METRICS[0]], **drawn),
        }
        for name, one in found.items()
    }
    users = {name: len(one["warm"][METRICS[0]]) for name, one in found.items()}
    return {"users": max(users.values(), default=0), "entrants": entrants}


def _split_counts(dataset: Dataset, split: ColdSplit, one: Measured) -> dict[str, Any]:
    """What was hidden, and how much is left to test."""
    after = ~split.point.past(dataset)
    return {
        "moment": datetime.fromtimestamp(split.point.as_of / 1e6, UTC).date().isoformat(),
        "end": datetime.fromtimestamp(split.end.as_of / 1e6, UTC).date().isoformat(),
        "events_before": int((~after).sum()),
        "events_after": int(after.sum()),
        "cold_items": int(split.cold_N.sum()),
        "warm_items": int(split.warm_N.sum()),
        "events_on_cold": int(split.cold_N[dataset.items].sum()),
        "users": {ranking: int((~np.isnan(metrics["recall_20"])).sum()) for ranking, metrics in one.items()},
    }


def _config(options: argparse.Namespace) -> Config:
    files = [f"data.{name}={path}" for name, path in _found(options).items()]
    return load_config(
        YAMLS / f"cold-{options.data}.yaml", overrides=[*files, *options.set], workspace=options.out
    )


def _found(options: argparse.Namespace) -> dict[str, Path]:
    """The files that the YAML names, at any depth of --files."""
    data = load_config(YAMLS / f"cold-{options.data}.yaml").data
    found = {}
    for name, path in {"events": data.events, "items": data.items}.items():
        if path is not None and options.files is not None:
            found[name] = next(iter(sorted(options.files.rglob(path.name))), path)
    return found


def _command(options: argparse.Namespace, seeds: Sequence[int]) -> str:
    """The command that measures it again, on any machine."""
    files = " --files DIR" if options.files else ""
    kept = "".join(f" --set {one}" for one in options.set if not one.startswith("data."))
    asked = ",".join(map(str, seeds))
    return f'make benchmark-cold BENCH_ARGS="--data {options.data}{files} --seeds {asked}{kept}"'


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DATA[0], choices=DATA)
    parser.add_argument("--files", type=Path, help="folder of the data set's files, searched at any depth")
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1], help="as 0,1"
    )
    parser.add_argument("--page", action="store_true", help="only write the page again from the results")
    parser.add_argument(
        "--check", action="store_true", help="exit 1 when no system reaches the target on a data set"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in `shopkeeper`")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: docs/results")
    parser.add_argument("--out", type=Path, help="the workspace; default: the YAML's")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
