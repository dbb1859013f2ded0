"""Plays faults on the real server, one after the other, and writes docs/faults.md.

    make benchmark-faults                                        all of them, with a soak of 30 minutes
    BENCH_ARGS="--only killed hung --limit 60" make benchmark-faults
    BENCH_ARGS="--bundle shop/bundles/RUN --minutes 5" make benchmark-faults

Without --bundle, a made shop is trained once and kept in --folder. What is played replaces its rows in
docs/results/faults.json; the page is made from all of them. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.faults import disk_full, hung, killed, locked, overload, slow_clients, soak, swaps
from benchmarks.faults.page import faults_page
from benchmarks.faults.played import Played
from benchmarks.faults.shop import Shop
from benchmarks.folders import DOCS, RESULTS
from configs.console import log
from training.runs.environment import environment
from training.runs.run import write_json

RESULT: Final = RESULTS / "faults.json"
PAGE: Final = DOCS / "faults.md"
SHOP: Final = {"num_users": 2_000, "num_items": 1_000}
"""Size of the made shop."""


def main() -> None:
    """Play what was asked for, keep it, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=sorted(faults(0)), default=None)
    parser.add_argument("--bundle", type=Path, help="a bundle folder; default: of a made shop")
    parser.add_argument(
        "--folder", type=Path, default=Path(".benchmarks") / "faults", help="of the made shop"
    )
    parser.add_argument("--minutes", type=float, default=30, help="of the soak")
    parser.add_argument("--limit", type=float, default=90, help="seconds until it must answer again")
    arguments = parser.parse_args()
    bundle = arguments.bundle or made_bundle(arguments.folder)
    wanted = {
        name: play for name, play in faults(arguments.minutes).items() if name in (arguments.only or [name])
    }
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {"rows": {}}
    with tempfile.TemporaryDirectory(prefix="shopkeeper-faults-") as folder:
        shop = Shop(Path(folder), bundle.resolve(), limit=arguments.limit)
        for name, play in wanted.items():
            rows: list[dict[str, Any]] = []
            for row in played_rows(name, play(shop)):
                rows.append(asdict(row))
                kept["rows"][name] = rows
                kept["machine"] = environment() | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
                write_json(RESULT, kept)
                PAGE.write_text(page_of(kept), encoding="utf-8")
    log(f"{PAGE} is written")


def faults(minutes: float) -> dict[str, Callable[[Shop], Iterator[Played]]]:
    """Name → how it is played, in the order of the page."""
    return {
        "killed": killed.play,
        "disk_full": disk_full.play,
        "locked": locked.play,
        "hung": hung.play,
        "swaps": swaps.play,
        "slow_clients": slow_clients.play,
        "overload": overload.play,
        "soak": lambda shop: soak.play(shop, minutes=minutes),
    }


def played_rows(name: str, rows: Iterator[Played]) -> Iterator[Played]:
    """The rows of one kind, each printed when it is known. A server that does not start is a row, too."""
    try:
        for row in rows:
            log(f"{'held' if row.held else 'NOT HELD'}: {row.fault}: {row.happened}")
            yield row
    except (RuntimeError, OSError) as error:
        log(f"NOT HELD: {name}: {error}")
        reason = " ".join(str(error).split())[:200]
        yield Played(name, "it can be played to its end", f"it ended with: {reason}", held=False)


def made_bundle(folder: Path) -> Path:
    """The bundle of a small made shop, trained at the first run."""
    from benchmarks.live_server import made_shop

    return made_shop.made_bundle(folder, **SHOP)[1]


def page_of(kept: dict[str, Any]) -> str:
    """The page of the kept result."""
    rows = [Played(**row) for name in faults(0) for row in kept["rows"].get(name, [])]
    return faults_page(rows, kept["machine"])


if __name__ == "__main__":
    main()
