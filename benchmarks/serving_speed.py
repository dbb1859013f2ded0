"""How much of a bare web server's speed is left when every answer is a personal list.

    python benchmarks/serving_speed.py --bundle shop/runs/RUN/bundle --tables shop/tables

Starts the real server on the bundle and on a new store filled from the tables, and beside it, behind the same
HAProxy, an app that reads the request and does nothing. A process of its own on this machine loads both by
turns: each connection asks again as soon as it has its answer, for people drawn evenly from those with the
latest events. Nothing else should run meanwhile.
"""

# no `annotations` from `__future__`: the app that does nothing is pickled, and FastAPI could not look up
# names in strings

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
"""Share of the throughput of the app that does nothing."""

PATHS = ("/noop/v1/recommend", "/v1/recommend")
NUM_PEOPLE = 500
WARM_UP_SECONDS = 3.0


@dataclass
class Measured:
    """What the load saw."""

    milliseconds: list[float]
    errors: int
    seconds: float

    @classmethod
    def together(cls, turns: Iterable[Self]) -> Self:
        parts = list(turns)
        times = [time for part in parts for time in part.milliseconds]
        return cls(times, sum(part.errors for part in parts), sum(part.seconds for part in parts))

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return len(self.milliseconds) / self.seconds

    def line(self, name: str) -> str:
        times = "  ".join(
            f"p{share} {np.percentile(self.milliseconds or [np.nan], share):6.1f} ms"
            for share in (50, 90, 99)
        )
        return f"{name:<10} {times}  {self.per_second:7.1f} requests/s  {self.errors} errors"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True, help="whose events fill the store")
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
    """(the app that does nothing, the server)"""
    from configs.load import load_config
    from serving.deploy.server import start
    from serving.state.event_transfer import import_events
    from serving.state.store import STORE_FILE, EventStore

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # a free port
        config = load_config(workspace=workspace, overrides=[f"serving.port={probe.getsockname()[1]}"])
    import_events(arguments.tables, workspace / STORE_FILE)
    with EventStore.open(workspace / STORE_FILE) as store:
        users = store.recently_active_users(NUM_PEOPLE)
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
        return Measured.together(noop for noop, _ in rounds), Measured.together(shop for _, shop in rounds)
    finally:
        server.stop()


def deploy_noop() -> None:
    """An app under /noop, set up as the server's replicas are."""
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
    """Ask over `connections` at once, for so long; for a process of its own."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ".encode()
    requests = [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in bodies]
    measured, started, generator = Measured([], 0, seconds), time.perf_counter(), np.random.default_rng(0)

    async def ask() -> None:
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

    async def ask_over_all() -> None:
        await asyncio.gather(*(ask() for _ in range(connections)))

    asyncio.run(ask_over_all())
    measured.seconds = time.perf_counter() - started
    return measured


if __name__ == "__main__":
    main()
