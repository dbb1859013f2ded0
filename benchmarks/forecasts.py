"""Who buys within so many days, how often and for how much? Boosted trees, BG/NBD with Gamma-Gamma and RFM
rules on the same customers, and docs/benchmarks-forecasts.md.

    BENCH_ARGS="--files DIR" make benchmark-forecasts   everything whose files are there: a minute
    BENCH_ARGS=--page make benchmark-forecasts            only writes the page again

Three windows in a row at the end of the data: everything is fitted as of a window's beginning, and judged on
the window. CDNOW's 2,357 customers (cdnow_customers_summary_with_transactions.csv, as the package `lifetimes`
has it) hold BG/NBD and Gamma-Gamma to the papers' parameters. The results are kept in docs/results.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.folders import RESULTS
from benchmarks.forecasts_page import write_page
from benchmarks.quality import configuration, data_file
from configs.console import log
from configs.schema import Config
from features.core.columns import MICROSECONDS_PER_DAY
from features.ingest.tables import Tables
from features.prepare import prepare
from training.forecasts.bg_nbd import BGNBD, PurchaseHistories
from training.forecasts.evaluation import evaluation, judged_at
from training.forecasts.gamma_gamma import GammaGamma
from training.forecasts.purchase_cycle import purchase_cycles
from training.forecasts.shop_events import ShopEvents, read_shop_events
from training.runs.environment import environment
from training.runs.run import write_json

DAYS: Final = {"complete-journey": (7, 30), "online-retail": (30, 60)}
"""Data set → the lengths of windows"""
NUM_WINDOWS: Final = 3
CDNOW: Final = "cdnow_customers_summary_with_transactions.csv"


def main() -> int:
    """Measure what was asked for and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=",".join([*DAYS, "cdnow"]), help="several with commas")
    parser.add_argument(
        "--files", type=Path, default=Path(), help="folder of the files, searched at any depth"
    )
    parser.add_argument("--page", action="store_true", help="only write the page again from docs/results")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="as in `shopkeeper`"
    )
    given = parser.parse_args()
    for data in [] if given.page else given.data.split(","):
        found = of_cdnow(given.files) if data == "cdnow" else of_shop(data, given.files, given.overrides)
        if found:
            write_json(RESULTS / f"forecasts-{data}.json", {"data": data, **found, **environment()})
    write_page()
    return 0


def of_shop(data: str, files: Path, overrides: list[str]) -> dict[str, Any]:
    """Prepare a data set unless that is done, and measure it."""
    config = configuration(data, "sasrec", file=data_file(data, files), overrides=overrides)
    if not (config.workspace / "tables").is_dir():
        prepare(config, now=datetime.now(UTC), progress=log)
    start = time.perf_counter()
    events = read_shop_events(Tables.open(config.workspace / "tables"), config.customers)
    return {"read_s": time.perf_counter() - start, **measure(events, config, lengths=DAYS[data])}


def measure(events: ShopEvents, config: Config, *, lengths: tuple[int, ...]) -> dict[str, Any]:
    """Every window of every length, the oldest first."""
    found = []
    for days in lengths:
        settings = config.forecasts.model_copy(update={"days": days})
        for number in range(NUM_WINDOWS, 0, -1):
            as_of = events.end - number * days * MICROSECONDS_PER_DAY
            start = time.perf_counter()
            judged = judged_at(events, as_of, settings, with_trees=True)
            seconds = time.perf_counter() - start
            found.append({"fit_s": seconds, **evaluation(judged, settings, config.evaluation)})
    cycles = [asdict(cycle) for cycle in purchase_cycles(events, days=lengths[0])]
    return {"lines": len(events.lines), "windows": found, "cycles": cycles}


def of_cdnow(files: Path) -> dict[str, Any] | None:
    """The parameters of CDNOW's customers; None where the file is not in the folder."""
    paths = sorted(files.rglob(CDNOW))
    if not paths:
        log(f"{files.resolve()}: no {CDNOW} here, so the kept result of CDNOW stays: docs/forecasts.md")
        return None
    table = pl.read_csv(paths[0])
    repeats, last, age, mean = (table[name].cast(pl.Float64).to_numpy() for name in ("x", "t_x", "T", "zbar"))
    histories = PurchaseHistories(repeats, last, age)
    return {
        "customers": len(histories),
        "bg_nbd": asdict(BGNBD.fit(histories)),
        "mbg_nbd": asdict(BGNBD.fit(histories, leaves_at_first=True)),
        "gamma_gamma": asdict(GammaGamma.fit(repeats, mean)),
    }


if __name__ == "__main__":
    sys.exit(main())
