"""How `shopkeeper prepare` compares with reading the same file and sorting it once.

    make benchmark-prepare                     about two minutes on two cores, and 5 GB of memory
    BENCH_ARGS=--check make benchmark-prepare  exit status 1 when the target is not reached

The file is made once and kept: ten million events of a million users and a hundred thousand items, as
parquet, in the order of visits, not of time, without event ids, sessions or a catalogue. Each measurement is
a process of its own; reading and sorting is measured before and after, and the mean counts. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

TARGET = 5.0
"""Times the seconds of reading and sorting."""

TARGET_GB = 5.0
FIRST_TIME = 1_704_067_200_000_000
NOW = datetime(2025, 1, 31, tzinfo=UTC)
EVENTS_A_VISIT = 4
KINDS = {"view_item": 0.6, "add_to_cart": 0.15, "purchase": 0.25}


@dataclass(frozen=True)
class Measured:
    """What one child process took."""

    seconds: float
    cpu_seconds: float
    peak_gb: float

    def line(self, name: str, rows: int) -> str:
        speed = f"{rows / self.seconds:12,.0f} rows/s"
        return f"{name:<16} {self.seconds:7.1f} s  {self.cpu_seconds:7.1f} s of CPU  {speed}  peak {self.peak_gb:.1f} GB"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument(
        "--folder", type=Path, default=Path("shop-benchmark/size"), help="of the file and what is made of it"
    )
    parser.add_argument("--check", action="store_true", help="exit status 1 when the target is not reached")
    arguments = parser.parse_args()
    file = arguments.folder / f"events-{arguments.rows}.parquet"
    if not file.is_file():
        print(f"making {file}", flush=True)
        in_a_child(make_file, file, arguments.rows)
    load_before = os.getloadavg()[0]
    before = in_a_child(read_and_sort, file, arguments.rows)
    prepared = in_a_child(run_prepare, file, arguments.rows)
    after = in_a_child(read_and_sort, file, arguments.rows)
    print(
        f"{arguments.rows:,} rows, {file.stat().st_size / 1e6:.0f} MB; {os.cpu_count()} cores, load "
        f"{load_before:.1f} before"
    )
    for name, measured in (("read and sort", before), ("prepare", prepared), ("read and sort", after)):
        print(measured.line(name, arguments.rows))
    ratio = prepared.seconds / ((before.seconds + after.seconds) / 2)
    is_reached = ratio <= TARGET and prepared.peak_gb <= TARGET_GB
    limits = f"target {TARGET:g} within {TARGET_GB:g} GB"
    figures = f"{ratio:.1f} times reading and sorting, {prepared.peak_gb:.1f} GB"
    print(f"prepare takes {figures}; {limits}: {'reached' if is_reached else 'not reached'}")
    sys.exit(1 if arguments.check and not is_reached else 0)


def in_a_child(work: Callable[[Path, int], None], file: Path, rows: int) -> Measured:
    """Run `work` alone in a new process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, file, rows).result()


def _measured(work: Callable[[Path, int], None], file: Path, rows: int) -> Measured:
    started, cpu_before = time.perf_counter(), time.process_time()
    work(file, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return Measured(time.perf_counter() - started, time.process_time() - cpu_before, peak)


def read_and_sort(file: Path, rows: int) -> None:
    """The measure of it all."""
    if len(pl.scan_parquet(file).sort("timestamp").collect()) != rows:
        raise AssertionError("the file has another number of rows")


def run_prepare(file: Path, rows: int) -> None:
    """Raw file to tables and dataset."""
    from configs.load import load_config
    from features.prepare import prepare

    workspace = file.parent / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    config = load_config(overrides=["data.reader=parquet", f"data.events={file}"], workspace=workspace)
    if prepare(config, now=NOW).num_events != rows:
        raise AssertionError("prepare lost events")


def make_file(file: Path, rows: int) -> None:
    """Visits of a few events each; everyone and every item at least once where there are enough rows."""
    generator, num_visits = np.random.default_rng(0), max(rows // EVENTS_A_VISIT, 1)
    num_users, num_items = max(rows // 10, 10), max(rows // 100, 10)
    visit = np.sort(generator.integers(0, num_visits, rows))
    activity = generator.lognormal(0, 1, num_users)
    visitor = generator.choice(num_users, num_visits, p=activity / activity.sum())
    visitor[: min(num_users, num_visits)] = np.arange(min(num_users, num_visits))
    visitor = generator.permutation(visitor)
    popularity = 1 / np.arange(1, num_items + 1) ** 0.9
    item = generator.choice(num_items, rows, p=popularity / popularity.sum())
    begin = FIRST_TIME + generator.integers(0, 365 * 86_400, num_visits) * 1_000_000
    price = np.round(generator.lognormal(2.5, 0.8, num_items), 2)
    kind = generator.choice(len(KINDS), rows, p=list(KINDS.values()))
    frame = pl.LazyFrame(
        {
            "user_id": visitor[visit],
            "item_id": item,
            "event_type": pl.Series(kind).replace_strict(range(len(KINDS)), list(KINDS)),
            "timestamp": begin[visit] + generator.integers(0, 1200, rows) * 1_000_000,
            "quantity": np.ones(rows, np.int64),
            "price": price[item],
            "transaction_id": visit,
        }
    ).with_columns(
        pl.format("u{}", pl.col("user_id").cast(pl.String).str.zfill(7)),
        pl.format("i{}", pl.col("item_id").cast(pl.String).str.zfill(6)),
        pl.col("timestamp").cast(pl.Datetime("us")),
        pl.when(pl.col("event_type") == "purchase").then(
            pl.format("t{}", pl.col("transaction_id").cast(pl.String).str.zfill(7))
        ),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    frame.sink_parquet(file.with_suffix(".part"))
    file.with_suffix(".part").replace(file)


if __name__ == "__main__":
    main()
