"""Compares the server's throughput with that of an app that does nothing behind the same HAProxy.

    python benchmarks/serving_speed.py --bundle shop/runs/RUN/bundle --tables shop/tables

Starts the real server on the bundle and on a new event store filled from the tables, and beside it an app
that reads the request and does nothing. A process of its own on this machine sends requests to both in turn:
each connection sends the next request as soon as it has a response, for users drawn evenly from those with
the latest events. Nothing else should run meanwhile.
"""

# no `annotations` from `__future__`: the no-op app is pickled, and FastAPI could not look up names in strings

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from fastapi import FastAPI, Request, Response

TARGET = 0.5
"""Share of the no-op app's throughput."""

PATHS = ("/noop/v1/recommend", "/v1/recommend")
NUM_USERS = 500
WARM_UP_SECONDS = 3.0


@dataclass
class Measured:
    """The responses that the load generator got."""

    milliseconds: list[float]
    errors: int
    seconds: float

    @classmethod
    def merged(cls, turns: Iterable[Self]) -> Self:
        """The responses of several turns."""
        parts = list(turns)
        times = [time for part in parts for time in part.milliseconds]
        return cls(times, sum(part.errors for part in parts), sum(part.seconds for part in parts))

    @property
    def per_second(self) -> float:
        """Successful responses per second."""
        return len(self.milliseconds) / self.seconds

    def line(self, name: str) -> str:
        """A line of the printed table."""
        times = "  ".join(
            f"p{share} {np.percentile(self.milliseconds or [np.nan], share):6.1f} ms"
            for share in (50, 90, 99)
        )
        return f"{name:<10} {times}  {self.per_second:7.1f} requests/s  {self.errors} errors"


def main() -> None:
    """Measure both apps and print their latencies and throughputs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument(
        "--tables", type=Path, required=True, help="prepared tables, whose events fill the event store"
    )
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10, help="of one turn")
    parser.add_argument("--turns", type=int, default=3, help="of each app")
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as workspace:
        noop, shop = measure(arguments, Path(workspace))
    print(
        f"{arguments.connections} connections, {os.cpu_count()} cores with a load of {load_before:.1f} before"
    )
    print(noop.line("no-op"), shop.line("recommend"), sep="\n")
    share = shop.per_second / noop.per_second if noop.milliseconds else float("nan")
    is_reached = share >= TARGET and not shop.errors
    print(
        f"{share:.0%} of the no-op app's throughput; target {TARGET:.0%}: "
        f"{'reached' if is_reached else 'not reached'}"
    )


def measure(arguments: argparse.Namespace, workspace: Path) -> tuple[Measured, Measured]:
    """(the no-op app, the server)"""
    from configs.load import load_config
    from serving.deploy.server import start
    from serving.state.event_transfer import import_events
    from serving.state.store import STORE_FILE, EventStore

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # a free port
        config = load_config(workspace=workspace, overrides=[f"serving.port={probe.getsockname()[1]}"])
    import_events(arguments.tables, workspace / STORE_FILE)
    with EventStore.open(workspace / STORE_FILE) as store:
        users = store.recently_active_users(NUM_USERS)
    bodies = [json.dumps({"user_id": user.user_key}).encode() for user in users]
    server = start(config, arguments.bundle)
    try:
        deploy_noop()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:

            def turn(path: str, seconds: float) -> Measured:
                return pool.submit(
                    load, config.serving.port, path, bodies, arguments.connections, seconds
                ).result()

            for path in PATHS:
                turn(path, WARM_UP_SECONDS)
            rounds = [[turn(path, arguments.seconds) for path in PATHS] for _ in range(arguments.turns)]
        return Measured.merged(noop for noop, _ in rounds), Measured.merged(shop for _, shop in rounds)
    finally:
        server.stop()


def deploy_noop() -> None:
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

    deployment = cast(Any, Replica).options(name="noop", func_or_class=serve.ingress()(Noop), num_replicas=1)
    serve.run(deployment.bind(), name="noop", route_prefix="/noop")


def load(port: int, path: str, bodies: list[bytes], connections: int, seconds: float) -> Measured:
    """Send requests over `connections` at once for `seconds`. Runs in a process of its own."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ".encode()
    requests = [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in bodies]
    measured, started, generator = Measured([], 0, seconds), time.perf_counter(), np.random.default_rng(0)

    async def use_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (sent := time.perf_counter()) < started + seconds:
            writer.write(requests[generator.integers(len(requests))])
            headers = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(headers.partition(b"content-length:")[2].split(b"\r\n")[0]))
            if headers.split()[1] == b"200":
                measured.milliseconds.append((time.perf_counter() - sent) * 1000)
            else:
                measured.errors += 1
        writer.close()

    async def use_all() -> None:
        await asyncio.gather(*(use_connection() for _ in range(connections)))

    asyncio.run(use_all())
    measured.seconds = time.perf_counter() - started
    return measured


if __name__ == "__main__":
    main()
