"""The speed of the live server beside an app that does nothing on the same set-up, in the same run.

    make benchmark-serving                       100,000 items and users, six minutes, and the page
    make benchmark-serving BENCH_ARGS="--users 2000 --items 2000 --seconds 3"   no page
    make benchmark-serving BENCH_ARGS=--check    exit status 1 when a target is not reached
    make benchmark-serving BENCH_ARGS=--surfaces only a list of each surface, in this process: a minute

Makes a shop of that size once (events, training, bundle: ten minutes) and fills an event store with its
histories. Load comes from wrk on the same machine. Nothing else should run meanwhile. The page is
docs/benchmarks-serving.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.folders import RESULTS
from benchmarks.live_server.load import Call, Measured, closed_loop, open_loop
from benchmarks.live_server.made_shop import made_bundle
from benchmarks.live_server.noop import DIRECT_PATH, PATH, noop_server
from benchmarks.live_server.page import surface_lines, verdict_lines, write_page
from benchmarks.live_server.processes import cpu_seconds, replica_megabytes
from benchmarks.live_server.stages import NUM_USERS, stage_milliseconds
from benchmarks.live_server.surface_times import NUM_LISTS, surface_milliseconds
from configs.load import load_config
from configs.schema import Config
from serving.deploy.run_folder import RunFolder
from serving.deploy.server import start
from serving.state.event_transfer import import_events
from serving.state.store import STORE_FILE
from training.runs.environment import environment
from training.runs.run import write_json

RESULT = RESULTS / "serving.json"
NUM_WARM = 500
"""Users that come back in the warm measurement"""
OPEN_PER_SECOND = 500
EVENT_SHARE = 0.2
"""Of the mix: one event in five, followed by its user's list"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the page; 1 when --check finds that a target is missed."""
    options = _options(arguments)
    config, bundle = made_bundle(options.folder, num_users=options.users, num_items=options.items)
    if options.surfaces:
        print("\n".join(surface_lines(_surfaces(options, config, bundle))))
        return 0
    result = measure(options, config, bundle)
    if options.seconds >= 10 and options.items >= 100_000:
        write_json(RESULT, result)
        write_page(result)
    print(json.dumps(result["measured"], indent=1))
    verdicts = verdict_lines(result)
    print("\n".join(verdicts))
    return 1 if options.check and any("not reached" in line for line in verdicts) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("shop-benchmark/serving"), help="of the made shop"
    )
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement")
    parser.add_argument("--replicas", type=int, default=None, help="default: what `serve` would start")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is not reached")
    parser.add_argument("--surfaces", action="store_true", help="only the time of a list by surface")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, shop: Config, bundle: Path) -> dict[str, Any]:
    """All figures of one server."""
    config = _server_config(options, shop)
    load_before = os.getloadavg()[0]
    drawn = np.random.default_rng(3).permutation(options.users)[: 3 * NUM_USERS]
    stages = stage_milliseconds(
        bundle, config.workspace / STORE_FILE, users=[f"u{user}" for user in drawn.tolist()]
    )
    surfaces = _surfaces(options, shop, bundle)
    replicas = config.serving.replicas
    before, before_direct = _noop(options, config)
    server = start(config, bundle)
    try:
        measured = _Measurement(options, config.serving.port, server.run).all()
        memory = replica_megabytes(server.run)
    finally:
        server.stop()
    after, after_direct = _noop(options, config)
    return {
        "measured": {
            "noop": before,
            "direct noop": before_direct,
            **measured,
            "noop again": after,
            "direct noop again": after_direct,
        },
        "stages": stages,
        "surfaces": surfaces,
        "replica_megabytes": memory,
        "replicas": replicas,
        "connections": options.connections,
        "users": options.users,
        "items": options.items,
        "load_before": load_before,
        "environment": environment(),
    }


def _surfaces(options: argparse.Namespace, shop: Config, bundle: Path) -> dict[str, dict[str, float]]:
    """Surface → time of a cold list, each of another user."""
    drawn = np.random.default_rng(4).permutation(options.users)
    num_lists = min(NUM_LISTS, options.users // (1 + len(shop.surfaces)))
    return surface_milliseconds(
        bundle, _filled_store(shop), users=[f"u{user}" for user in drawn.tolist()], num_lists=num_lists
    )


def _noop(options: argparse.Namespace, config: Config) -> list[dict[str, Any]]:
    """Figures of the server that does nothing: through Ray Serve, and past it."""
    with noop_server(config.serving.port, num_replicas=config.serving.replicas) as run:
        load = _Measurement(options, config.serving.port, run)
        load.closed([(PATH, b'{"user_id": "u1"}')], seconds=3)
        return [load.closed([(path, b'{"user_id": "u1"}')]) for path in (PATH, DIRECT_PATH)]


def _server_config(options: argparse.Namespace, shop: Config) -> Config:
    """A workspace of the server's own, with a fresh copy of an event store that holds all histories."""
    filled = _filled_store(shop)
    workspace = options.folder / "server"
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir(parents=True)
    shutil.copyfile(filled, workspace / STORE_FILE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = [f"serving.port={port}"]
    own += [f"serving.num_replicas={options.replicas}"] if options.replicas else []
    return load_config(overrides=own, workspace=workspace)


def _filled_store(shop: Config) -> Path:
    """An event store with the histories of all users of a made shop."""
    filled = shop.workspace / STORE_FILE
    if not filled.is_file():
        import_events(shop.workspace / "tables", filled)
    return filled


class _Measurement:
    """The loads on one running server."""

    def __init__(self, options: argparse.Namespace, port: int, run: RunFolder) -> None:
        self._options, self._port, self._run = options, port, run
        self._users = np.random.default_rng(1).permutation(options.users)
        self._next = 0

    def all(self) -> dict[str, Any]:
        """Name → figures, in the order of measuring."""
        seconds, warm = self._options.seconds, [_list(user) for user in self._fresh(NUM_WARM)]
        self.closed([_list(user) for user in self._fresh(2_000)], seconds=3)  # caches of every process
        found = {"cold": self.closed([_list(user) for user in self._fresh(int(seconds * 3_000))])}
        self.closed(warm, seconds=3)
        found["warm"] = self.closed(warm)
        found["events"] = self.closed([_event(user, self._options.items) for user in self._fresh(20_000)])
        found["mix"] = self.closed(self._mix(20_000))
        cold = [_list(user) for user in self._fresh(int(OPEN_PER_SECOND * seconds))]
        found[f"{OPEN_PER_SECOND}/s"] = self._open(cold, OPEN_PER_SECOND)
        half = found["mix"]["per_second"] / 2
        found["mix, half"] = self._open(self._mix(int(half * seconds) + 1), half)
        return found

    def _fresh(self, count: int) -> list[int]:
        """Users that were not asked for yet, as long as there are some."""
        found = [int(self._users[(self._next + place) % len(self._users)]) for place in range(count)]
        self._next += count
        return found

    def _mix(self, count: int) -> list[Call]:
        """Lists and events; each event is followed by its user's list."""
        random, calls = np.random.default_rng(2), list[Call]()
        for user in self._fresh(count):
            if random.random() < EVENT_SHARE / (1 - EVENT_SHARE):
                calls.append(_event(user, self._options.items))
            calls.append(_list(user))
        return calls

    def closed(self, calls: Sequence[Call], seconds: float | None = None) -> dict[str, Any]:
        before = cpu_seconds(self._run)
        found = closed_loop(
            self._port, calls, connections=self._options.connections, seconds=seconds or self._options.seconds
        )
        return self._figures(found, before)

    def _open(self, calls: Sequence[Call], per_second: float) -> dict[str, Any]:
        before = cpu_seconds(self._run)
        return self._figures(
            open_loop(self._port, calls, per_second=per_second, seconds=self._options.seconds), before
        )

    def _figures(self, found: Measured, before: Mapping[str, float]) -> dict[str, Any]:
        used = cpu_seconds(self._run)
        by_process = {
            kind: round(1000 * (seconds - before.get(kind, 0.0)) / max(found.requests, 1), 3)
            for kind, seconds in used.items()
        }
        return {
            "per_second": round(found.per_second, 1),
            "p50": round(found.p50, 2),
            "p90": round(found.p90, 2),
            "p99": round(found.p99, 2),
            "errors": found.errors,
            "requests": found.requests,
            "cpu_milliseconds": by_process,
        }


def _list(user: int) -> Call:
    return "/v1/recommend", b'{"user_id": "u%d"}' % user


def _event(user: int, num_items: int) -> Call:
    item = user * 7_919 % num_items
    return (
        "/v1/events",
        b'{"events": [{"event_type": "view_item", "user_id": "u%d", "item_id": "i%d"}]}' % (user, item),
    )


if __name__ == "__main__":
    sys.exit(main())
