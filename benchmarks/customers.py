"""Measures `shopkeeper segments` beside reading the same events and sorting them once.

    make benchmark-customers                     about two minutes on two cores, and 6 GB of memory
    BENCH_ARGS=--check make benchmark-customers  exit status 1 when the target is not reached

The tables are made once and kept: ten million events of a million users and a hundred thousand items, a
quarter of them purchases, with sessions, orders, prices, a channel, a device and a source. Each measurement
is a process of its own; reading and sorting is measured before and after, and the mean counts. The second
run of `segments` starts from the groups of the first. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.prepare_speed import in_child_process, make_file
from features.core.artefact import write_manifest, writing
from features.core.columns import MICROSECONDS_PER_DAY

TARGET_SECONDS: Final = 60.0
TARGET_GB: Final = 6.0
CHANNELS: Final = ("web", "app", "store")
DEVICES: Final = ("phone", "computer", "tablet")
SOURCES: Final = ("google", "newsletter", "direct", "instagram")
NUM_BRANDS: Final = 500


def main() -> None:
    """Measure and print; exit status 1 when --check finds that the target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("shop-benchmark/customers"),
        help="of the tables and the workspace",
    )
    parser.add_argument("--check", action="store_true", help="exit status 1 when the target is not reached")
    arguments = parser.parse_args()
    workspace: Path = arguments.folder / f"shop-{arguments.rows}"
    tables = workspace / "tables"
    if not tables.is_dir():
        print(f"making {tables}", flush=True)
        in_child_process(make_tables, tables, arguments.rows)
    shutil.rmtree(workspace / "customers", ignore_errors=True)
    load_before, events = os.getloadavg()[0], tables / "events.parquet"
    steps = (
        ("read and sort", read_and_sort, events),
        ("segments", run_segments, workspace),
        ("segments again", run_segments, workspace),
        ("read and sort", read_and_sort, events),
    )
    measured = [in_child_process(work, path, arguments.rows) for _, work, path in steps]
    print(
        f"{arguments.rows:,} events, {events.stat().st_size / 1e6:.0f} MB; {os.cpu_count()} cores, load "
        f"{load_before:.1f} before"
    )
    for (name, _, _), one in zip(steps, measured, strict=True):
        print(one.line(name, arguments.rows))
    before, first, second, after = measured
    seconds, peak = max(first.seconds, second.seconds), max(first.peak_gb, second.peak_gb)
    ratio = seconds / ((before.seconds + after.seconds) / 2)
    is_reached = seconds <= TARGET_SECONDS and peak <= TARGET_GB
    print(
        f"segments takes {seconds:.0f} s, {ratio:.1f} times reading and sorting, and {peak:.1f} GB; target "
        f"{TARGET_SECONDS:g} s within {TARGET_GB:g} GB: {'reached' if is_reached else 'not reached'}"
    )
    sys.exit(1 if arguments.check and not is_reached else 0)


def read_and_sort(file: Path, rows: int) -> None:
    """What `segments` is compared with."""
    if len(pl.scan_parquet(file).sort("timestamp").collect()) != rows:
        raise AssertionError(f"the file does not have {rows} rows")


def run_segments(workspace: Path, rows: int) -> None:
    """From the tables to the folder `customers`, as the command does it."""
    from configs.load import load_config
    from scripts.segments import computed

    levels = "customers.levels={basic: 0, silver: 100, gold: 500}"
    tag = "customers.tags={saver: 'discount_share > 0.5'}"
    found, write = computed(load_config(overrides=[levels, tag], workspace=workspace), None)
    write()
    if not 0 < len(found.profiles) <= rows:
        raise AssertionError("no customers")


def make_tables(folder: Path, rows: int) -> None:
    """Write a tables folder, as `prepare` would, without its checks."""
    with writing(folder, kind="tables") as scratch:
        raw = scratch / "raw.parquet"
        make_file(raw, rows)
        _events(pl.scan_parquet(raw)).sink_parquet(
            scratch / "events.parquet", compression="zstd", compression_level=1, statistics=False
        )
        items = pl.scan_parquet(raw).select(pl.col("item_id").unique().sort()).collect()["item_id"]
        raw.unlink()
        _items(items).write_parquet(scratch / "items.parquet")
        users = {"user_id": pl.String, "attributes": pl.String, "created_at": pl.String}
        pl.DataFrame(schema=users).write_parquet(scratch / "users.parquet")
        contents = {"num_events": rows, "clock": "real", "currency": None, "items_from_events": []}
        write_manifest(scratch, kind="tables", made_from="benchmark", contents=contents)


def _events(raw: pl.LazyFrame) -> pl.LazyFrame:
    """With sessions, and where each came from: it hangs on the user, so that people have habits."""
    user = pl.col("user_id")

    def one_of(values: tuple[str, ...], *, seed: int) -> pl.Expr:
        mixed = (user.hash(seed) // 1024 + (pl.col("timestamp").hash(seed) % 3 == 0)) % len(values)
        return mixed.replace_strict(range(len(values)), values, return_dtype=pl.String)

    day = pl.col("timestamp").dt.epoch("us") // MICROSECONDS_PER_DAY
    return raw.with_columns(
        pl.col("timestamp").dt.replace_time_zone("UTC"),
        pl.lit(None, pl.String).alias("visitor_id"),
        pl.format("{}@{}", user, day).alias("session_id"),
        pl.col("quantity").cast(pl.Float64),
        one_of(CHANNELS, seed=1).alias("channel"),
        one_of(DEVICES, seed=2).alias("device"),
        one_of(SOURCES, seed=3).alias("source"),
    )


def _items(ids: pl.Series) -> pl.DataFrame:
    place = np.arange(len(ids))
    return pl.DataFrame(
        {
            "id": ids,
            "product_type": [f"Category {one % 40} > Part {one % 400}" for one in place],
            "brand": [f"Brand {one % NUM_BRANDS}" for one in place],
            "price": pl.Series([None] * len(ids), dtype=pl.Float64),
        }
    )


if __name__ == "__main__":
    main()
