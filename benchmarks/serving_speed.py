"""The speed of the live server beside an app that does nothing on the same set-up, in the same run.

    make benchmark-serving                       100,000 items and users, six minutes, and the page
    make benchmark-serving BENCH_ARGS="--users 2000 --items 2000 --seconds 3"   no page
    make benchmark-serving BENCH_ARGS=--check    exit status 1 when a target is not reached

Makes a shop of that size once (events, training, bundle: ten minutes) and fills an event store with its
histories. Load comes from wrk on the same machine. Nothing else should run meanwhile. The page is
docs/benchmarks-serving.md.
"""

# no `annotations` from `__future__`: the no-op app is pickled, and FastAPI could not look up names in strings

import argparse
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from fastapi import FastAPI, Request, Response

from benchmarks.folders import RESULTS
from benchmarks.live_server.load import Call, Measured, closed_loop, open_loop
from benchmarks.live_server.made_shop import made_bundle
from benchmarks.live_server.page import verdict_lines, write_page
from benchmarks.live_server.processes import children, cpu_seconds, replica_megabytes
from benchmarks.live_server.stages import stage_milliseconds
from configs.load import load_config
from configs.schema import Config
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
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, shop: Config, bundle: Path) -> dict[str, Any]:
    """All figures of one server."""
    config = _server_config(options, shop)
    load_before = os.getloadavg()[0]
    stages = stage_milliseconds(bundle, config.workspace / STORE_FILE)
    server = start(config, bundle)
    try:
        _deploy_noop(config.serving.num_replicas)
        time.sleep(2)
        measured = _Measurement(options, config).all()
        pids = children(os.getpid())
        memory = replica_megabytes(pids)
    finally:
        server.stop()
    return {
        "measured": measured,
        "stages": stages,
        "replica_megabytes": memory,
        "replicas": config.serving.num_replicas,
        "connections": options.connections,
        "users": options.users,
        "items": options.items,
        "load_before": load_before,
        "environment": environment(),
    }


def _server_config(options: argparse.Namespace, shop: Config) -> Config:
    """A workspace of the server's own, with a fresh copy of an event store that holds all histories."""
    filled = shop.workspace / STORE_FILE
    if not filled.is_file():
        import_events(shop.workspace / "tables", filled)
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


class _Measurement:
    """The loads on one running server."""

    def __init__(self, options: argparse.Namespace, config: Config) -> None:
        self._options, self._port = options, config.serving.port
        self._pids = children(os.getpid())
        self._users = np.random.default_rng(1).permutation(options.users)
        self._next = 0

    def all(self) -> dict[str, Any]:
        """Name → figures, in the order of measuring."""
        seconds, warm = self._options.seconds, self._fresh(NUM_WARM)
        self._closed([_list(user) for user in self._fresh(2_000)], seconds=3)  # caches of every process
        found = {
            "noop": self._closed([("/noop/v1/recommend", body) for _, body in map(_list, warm)]),
            "cold": self._closed([_list(user) for user in self._fresh(int(seconds * 3_000))]),
        }
        self._closed([_list(user) for user in warm], seconds=3)
        found["warm"] = self._closed([_list(user) for user in warm])
        found["events"] = self._closed([_event(user, self._options.items) for user in self._fresh(20_000)])
        found["mix"] = self._closed(self._mix(20_000))
        found["noop again"] = self._closed([("/noop/v1/recommend", body) for _, body in map(_list, warm)])
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

    def _closed(self, calls: Sequence[Call], seconds: float | None = None) -> dict[str, Any]:
        before = cpu_seconds(self._pids)
        found = closed_loop(
            self._port, calls, connections=self._options.connections, seconds=seconds or self._options.seconds
        )
        return self._figures(found, before)

    def _open(self, calls: Sequence[Call], per_second: float) -> dict[str, Any]:
        before = cpu_seconds(self._pids)
        return self._figures(
            open_loop(self._port, calls, per_second=per_second, seconds=self._options.seconds), before
        )

    def _figures(self, found: Measured, before: Mapping[str, float]) -> dict[str, Any]:
        used = cpu_seconds(self._pids)
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


def _deploy_noop(num_replicas: int) -> None:
    """Deploy the no-op app under /noop, with the options of the server's replicas."""
    from ray import serve

    from serving.deploy.replica import Replica

    class Noop:
        async def __serve_build_asgi_app__(self) -> FastAPI:
            app = FastAPI()

            @app.post("/v1/recommend")
            async def answer(request: Request) -> Response:
                await request.body()
                return Response(b'{"items": []}', media_type="application/json")

            return app

    deployment = cast(Any, Replica).options(
        name="noop", func_or_class=serve.ingress()(Noop), num_replicas=num_replicas
    )
    serve.run(deployment.bind(), name="noop", route_prefix="/noop")


if __name__ == "__main__":
    sys.exit(main())
