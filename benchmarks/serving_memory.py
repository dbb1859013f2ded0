"""What the serving process holds while it meets new users: RSS, malloc, histories and pages of SQLite.

    python benchmarks/serving_memory.py --bundle shop/bundles/RUN --minutes 5

Drives the app in this process, without a network: each new user sends three events and asks for two lists,
and an earlier user asks for one. Prints a line every ten seconds. With `--cached-users 500`, the histories
reach their bound at once: what grows after that is not theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import itertools
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from configs.settings.services import ServingConfig
from serving.http.app import build_app
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state import history_caches
from serving.state.database import log_files
from serving.state.store import STORE_FILE, EventStore

CLIENTS: Final = 4
EVERY_SECONDS: Final = 10.0
MEGABYTE: Final = 1e6


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


def main() -> None:
    """Drive the app for some minutes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--cached-users", type=int, default=history_caches.MAX_CACHED_USERS)
    arguments = parser.parse_args()
    vars(history_caches)["MAX_CACHED_USERS"] = arguments.cached_users
    with tempfile.TemporaryDirectory() as folder, EventStore.open(Path(folder) / STORE_FILE) as store:
        service = Service(Pipeline.load(arguments.bundle), store, max_events_kept=5_000)
        asyncio.run(drive(service, store, seconds=60 * arguments.minutes))


async def drive(service: Service, store: EventStore, *, seconds: float) -> None:
    """Send requests of new users from several clients at once, and print what the process holds."""
    app, items = build_app(service, ServingConfig()), service.pipeline.bundle.item_ids
    users, requests, until = itertools.count(), itertools.count(), time.monotonic() + seconds

    async def visit_for_ever(seed: int) -> None:
        generator = random.Random(seed)
        while time.monotonic() < until:
            user = next(users)
            await call(app, "/v1/events", {"events": events_of(user, items, generator)})
            for who in (user, user, generator.randrange(user + 1)):
                await call(app, "/v1/recommend", {"user_id": f"u{who}"})
            for _ in range(4):
                next(requests)

    async def watch() -> None:
        start, done = time.monotonic(), 0
        while time.monotonic() < until:
            done = next(requests)
            print(f"{time.monotonic() - start:5.0f} s  {done:8,} requests  {held(store)}", flush=True)
            await asyncio.sleep(min(EVERY_SECONDS, max(until - time.monotonic(), 0)))

    await asyncio.gather(watch(), *(visit_for_ever(seed) for seed in range(CLIENTS)))


def events_of(user: int, items: Sequence[str], generator: random.Random) -> list[dict[str, str]]:
    """Three purchases."""
    return [
        {"event_type": "purchase", "user_id": f"u{user}", "item_id": generator.choice(items)}
        for _ in range(3)
    ]


async def call(app: Any, path: str, body: object) -> None:
    """A POST as uvicorn would pass it on; it must be answered with 200."""
    messages = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    status = 0

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    await app(scope, receive, send)
    if status != 200:
        raise SystemExit(f"{path} was answered with {status}")


def held(store: EventStore) -> str:
    """A line of figures, in MB."""
    gc.collect()
    c_library = ctypes.CDLL(None)
    c_library.mallinfo2.restype = _Mallinfo
    malloc = c_library.mallinfo2()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE")
    wal = log_files(store.path)[1].stat().st_size
    return (
        f"RSS {rss / MEGABYTE:6.1f}  malloc used {malloc.uordblks / MEGABYTE:6.1f} "
        f"free {malloc.fordblks / MEGABYTE:5.1f}  {store.num_cached_users:6,} histories  "
        f"log {store.path.stat().st_size / MEGABYTE:6.1f}  write-ahead {wal / MEGABYTE:5.1f}"
    )


if __name__ == "__main__":
    main()
