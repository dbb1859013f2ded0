"""Compares `shopkeeper prepare` with reading the same file and sorting it once.

    make benchmark-prepare                     about two minutes on two cores, and 5 GB of memory
    BENCH_ARGS=--check make benchmark-prepare  exit status 1 when the target is not reached

The file is made once and kept: ten million events of a million users and a hundred thousand items, as
Parquet, ordered by session and not by time, without event ids, session ids or a catalogue. Each measurement
is a process of its own; reading and sorting is measured before and after, and the mean counts. Nothing else
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
"""Factor of the seconds of reading and sorting."""

TARGET_GB = 5.0
FIRST_TIME = 1_704_067_200_000_000
NOW = datetime(2025, 1, 31, tzinfo=UTC)
EVENTS_PER_SESSION = 4
EVENT_TYPES = {"view_item": 0.6, "add_to_cart": 0.15, "purchase": 0.25}
"""Event type → its share."""


@dataclass(frozen=True)
class Measured:
    """Time and memory of one child process."""

    seconds: float
    cpu_seconds: float
    peak_gb: float

    def line(self, name: str, rows: int) -> str:
        """A line of the printed table."""
        times = (
            f"{self.seconds:7.1f} s  {self.cpu_seconds:7.1f} s of CPU  {rows / self.seconds:12,.0f} rows/s"
        )
        return f"{name:<16} {times}  peak {self.peak_gb:.1f} GB"


def main() -> None:
    """Measure and print; exit status 1 when --check finds that the target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument(
        "--folder", type=Path, default=Path("shop-benchmark/size"), help="of the file and the workspace"
    )
    parser.add_argument("--check", action="store_true", help="exit status 1 when the target is not reached")
    arguments = parser.parse_args()
    file = arguments.folder / f"events-{arguments.rows}.parquet"
    if not file.is_file():
        print(f"making {file}", flush=True)
        in_child_process(make_file, file, arguments.rows)
    load_before = os.getloadavg()[0]
    before = in_child_process(read_and_sort, file, arguments.rows)
    prepared = in_child_process(run_prepare, file, arguments.rows)
    after = in_child_process(read_and_sort, file, arguments.rows)
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


def in_child_process(work: Callable[[Path, int], None], file: Path, rows: int) -> Measured:
    """Run `work` in a new process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, file, rows).result()


def _measured(work: Callable[[Path, int], None], file: Path, rows: int) -> Measured:
    started, cpu_before = time.perf_counter(), time.process_time()
    work(file, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return Measured(time.perf_counter() - started, time.process_time() - cpu_before, peak)


def read_and_sort(file: Path, rows: int) -> None:
    """What `prepare` is compared with."""
    if len(pl.scan_parquet(file).sort("timestamp").collect()) != rows:
        raise AssertionError(f"the file does not have {rows} rows")


def run_prepare(file: Path, rows: int) -> None:
    """From the raw file to tables and dataset."""
    from configs.load import load_config
    from features.prepare import prepare

    workspace = file.parent / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    config = load_config(overrides=["data.reader=parquet", f"data.events={file}"], workspace=workspace)
    if prepare(config, now=NOW).num_events != rows:
        raise AssertionError("prepare lost events")


def make_file(file: Path, rows: int) -> None:
    """Write sessions of a few events each; with enough rows every user and item occurs at least once."""
    generator, num_sessions = np.random.default_rng(0), max(rows // EVENTS_PER_SESSION, 1)
    num_users, num_items = max(rows // 10, 10), max(rows // 100, 10)
    session = np.sort(generator.integers(0, num_sessions, rows))
    activity = generator.lognormal(0, 1, num_users)
    session_user = generator.choice(num_users, num_sessions, p=activity / activity.sum())
    session_user[: min(num_users, num_sessions)] = np.arange(min(num_users, num_sessions))
    session_user = generator.permutation(session_user)
    popularity = 1 / np.arange(1, num_items + 1) ** 0.9
    item = generator.choice(num_items, rows, p=popularity / popularity.sum())
    start = FIRST_TIME + generator.integers(0, 365 * 86_400, num_sessions) * 1_000_000
    price = np.round(generator.lognormal(2.5, 0.8, num_items), 2)
    event_type = generator.choice(len(EVENT_TYPES), rows, p=list(EVENT_TYPES.values()))
    frame = pl.LazyFrame(
        {
            "user_id": session_user[session],
            "item_id": item,
            "event_type": pl.Series(event_type).replace_strict(range(len(EVENT_TYPES)), list(EVENT_TYPES)),
            "timestamp": start[session] + generator.integers(0, 1200, rows) * 1_000_000,
            "quantity": np.ones(rows, np.int64),
            "price": price[item],
            "transaction_id": session,
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
