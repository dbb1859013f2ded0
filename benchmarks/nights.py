"""Simulates nights of a grocer: refresh with the events until each night, and judge what is served on the
days after it, beside a model that was trained on the first night and never again.

    make benchmark-nights                                          14 nights, 600 households
    BENCH_ARGS="--nights 2 --households 300 --name try" make benchmark-nights
    BENCH_ARGS="--name warm --set refresh.warm_start=true" make benchmark-nights

It goes on where it was interrupted, night by night. The result is kept in docs/results, and docs/nights.md is
made from it. A list is judged on the users who buy in the days after the night; both models know each user's
events until the night, as a live server does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks.folders import DOCS, RESULTS, ROOT
from benchmarks.nights_page import nights_page
from configs.console import log
from configs.load import load_config
from configs.schema import Config
from features.core.columns import MICROSECONDS_PER_DAY, USER_ID
from features.dataset import Dataset
from features.ingest.tables import Tables
from features.prepare import prepare
from features.splits import split_point_at
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.served_bundle import champion_bundle
from training.evaluation.ranking_metrics import difference_interval
from training.evaluation.replay import Evaluation, replay
from training.evaluation.systems import PIPELINE
from training.export.present_catalogue import with_present_catalogue
from training.refresh import Verdict, refresh
from training.runs.environment import environment
from training.runs.run import write_json

METRICS: Final = ("capped_recall_20", "ndcg_10")
ROWS_FILE: Final = "rows.json"
ONCE: Final = "trained-once"
"""The folder of the first night's bundle."""


@dataclass(frozen=True)
class Plan:
    """What is simulated, and where."""

    folder: Path
    nights: int
    households: int
    days_ahead: int
    overrides: list[str]

    def config(self, workspace: str, events: str) -> Config:
        """The demo's settings over one file of events."""
        own = [
            "name=nights",
            "data.reader=parquet",
            "data.shift_to_today=false",
            f"data.events={self.folder / events}",
            f"data.items={self.folder / 'items.parquet'}",
            f"data.users={self.folder / 'users.parquet'}",
            "tracking.enabled=false",
        ]
        overrides = [*own, *self.overrides]
        return load_config(
            ROOT / "configs" / "complete_journey.yaml", overrides=overrides, workspace=self.folder / workspace
        )


def main() -> int:
    """Simulate the nights that are left, and write the result and the page after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nights", type=int, default=14)
    parser.add_argument("--households", type=int, default=600, help="a sample, drawn by seed")
    parser.add_argument("--days-ahead", type=int, default=7, help="days after a night that judge it")
    parser.add_argument("--name", default="nights", help="of the result in docs/results")
    parser.add_argument("--out", type=Path, default=Path("shop-nights"), help="folder for everything made")
    parser.add_argument("--page", action="store_true", help="only write the page again from the result")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    given = parser.parse_args()
    path = RESULTS / f"{given.name}.json"
    if not given.page:
        folder = (given.out / given.name).absolute()
        plan = Plan(folder, given.nights, given.households, given.days_ahead, given.overrides)
        simulate(plan, path)
    (DOCS / "nights.md").write_text(
        nights_page(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8"
    )
    return 0


def simulate(plan: Plan, path: Path) -> None:
    """Write a row a night into the result at `path`; nights that it has already are not repeated."""
    asked = {
        "households": plan.households,
        "days_ahead": plan.days_ahead,
        "settings": plan.overrides,
        "num_nights": plan.nights,
    }
    rows = rows_so_far(plan, asked)
    judged = prepare_shop(plan)
    end = int(judged.manifest["last_time"]) // MICROSECONDS_PER_DAY * MICROSECONDS_PER_DAY
    for night in range(len(rows), plan.nights):
        now = end - (plan.days_ahead + plan.nights - 1 - night) * MICROSECONDS_PER_DAY
        log(f"night {night + 1} of {plan.nights}: {datetime.fromtimestamp(now / 1e6, UTC):%Y-%m-%d %H:%M}")
        rows.append(one_night(plan, judged, now, night=night))
        write_json(plan.folder / ROWS_FILE, {"asked": asked, "nights": rows})
        write_json(path, {"asked": asked, "nights": rows, **environment()})


def rows_so_far(plan: Plan, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the nights that are done. Ends the program where they were asked for otherwise."""
    path = plan.folder / ROWS_FILE
    if not path.is_file():
        plan.folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"asked": asked, "nights": []})
    before = json.loads(path.read_text(encoding="utf-8"))
    if before["asked"] != asked:
        raise SystemExit(f"{plan.folder} holds nights of {before['asked']}: choose another --out or --name.")
    rows: list[dict[str, Any]] = before["nights"]
    return rows


def prepare_shop(plan: Plan) -> Dataset:
    """The sampled households' events, whole, as a file and as the dataset that judges; once."""
    config = plan.config("judge", "all.parquet")
    if not (config.workspace / "dataset").is_dir():
        source = load_config(ROOT / "configs" / "complete_journey.yaml", workspace=plan.folder / "source")
        source = source.model_copy(update={"data": source.data.model_copy(update={"shift_to_today": False})})
        prepare(source, now=datetime.now(UTC), progress=log)
        tables = Tables.open(source.workspace / "tables")
        users = tables.events.select(USER_ID).unique().sort(USER_ID).collect()[USER_ID]
        chosen = np.random.default_rng(0).choice(len(users), min(plan.households, len(users)), replace=False)
        events = tables.events.filter(pl.col(USER_ID).is_in(users[np.sort(chosen)].implode())).collect()
        events.write_parquet(plan.folder / "all.parquet")
        tables.users.collect().write_parquet(plan.folder / "users.parquet")
        # the price there is of the whole year: without it, an item's price is what was paid until the night
        tables.items.drop("price").collect().write_parquet(plan.folder / "items.parquet")
        prepare(config, now=datetime.now(UTC), progress=log)
    return Dataset.open(config.workspace / "dataset")


def one_night(plan: Plan, judged: Dataset, now: int, *, night: int) -> dict[str, Any]:
    """Refresh with the events before `now` (microseconds), and judge both models on the days after it."""
    events = pl.scan_parquet(plan.folder / "all.parquet")
    until = events.filter(pl.col("timestamp").dt.epoch("us") < now).collect()
    until.write_parquet(plan.folder / "events.parquet")
    config = plan.config("shop", "events.parquet")
    verdict = verdict_of(plan, config, night=night)
    if verdict.champion is None:
        raise SystemExit(
            f"The first night gave no champion: {verdict.reason}. Take more households or epochs."
        )
    once = plan.folder / ONCE
    if not once.is_dir():
        shutil.copytree(champion_bundle(config.workspace), once)
    served = [champion_bundle(config.workspace), once]
    refreshed, stale = (judge(folder, judged, now, plan.days_ahead, config) for folder in served)
    values = [found.values(PIPELINE, part="all", metric=METRICS[0]) for found in (refreshed, stale)]
    options = {"samples": config.evaluation.bootstrap_samples, "seed": config.evaluation.seed}
    return {
        "night": night + 1,
        "until": datetime.fromtimestamp(now / 1e6, UTC).isoformat(),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "run": verdict.run,
        "seconds": round(sum(verdict.seconds.values()), 1),
        "steps": verdict.seconds,
        "users": len(values[0]),
        "refreshed": means(refreshed),
        "trained_once": means(stale),
        "difference": difference_interval(values[0], values[1], **options),
    }


def verdict_of(plan: Plan, config: Config, *, night: int) -> Verdict:
    """What became of the night's refresh, which is not repeated after an interruption."""
    path = plan.folder / f"verdict-{night + 1}.json"
    if not path.is_file():
        write_json(path, asdict(refresh(config)))
    return Verdict(**json.loads(path.read_text(encoding="utf-8")))


def judge(folder: Path, dataset: Dataset, now: int, days: int, config: Config) -> Evaluation:
    """A bundle, as it is, on the days after `now`, for everyone who buys then."""
    point = split_point_at(dataset, now, name="night")
    later = split_point_at(dataset, now + days * MICROSECONDS_PER_DAY, name="days after")
    bundle = with_present_catalogue(Bundle.open(folder), dataset, config=config).bundle
    return replay(Pipeline(bundle), dataset, point, later, config=config)


def means(found: Evaluation) -> dict[str, float]:
    """Metric → mean over users."""
    return {metric: float(found.values(PIPELINE, part="all", metric=metric).mean()) for metric in METRICS}


if __name__ == "__main__":
    sys.exit(main())
