"""Lists and events go to the replicas' own sockets. Lists wait in HAProxy: a replica gets few at once, and
who waits too long gets problem details."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from http_shop import on_a_port, problem
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.deploy.direct_server import listen
from serving.deploy.haproxy_backends import with_backends
from serving.deploy.ports import free_ports
from serving.deploy.ray_environment import write_haproxy_starter
from serving.http.load_shedding import ALWAYS_TAKEN

CONFIG = """\
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend http_frontend
    bind :{port}
    acl is_http-shopkeeper path_beg /
    use_backend http-shopkeeper if is_http-shopkeeper
    default_backend default_backend
backend default_backend
    http-request return status 404
backend http-shopkeeper
    http-reuse always
    server SERVE_REPLICA_app-r1 127.0.0.1:{replica} check observe layer4 error-limit 3 on-error mark-down
{more}    server SERVE_PROXY_ACTOR-fallback 127.0.0.1:1 check backup
listen stats
  bind 127.0.0.1:{stats}
  stats enable
"""
"""What matters of the one that Ray writes."""
WAITED_MS = 200


class Replica:
    """Takes 40 ms for each request, one by one. How many lists it had at once, at most."""

    def __init__(self) -> None:
        self.lists = self.most_lists = 0
        self.paths = set[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/recommend":
            self.lists += 1
            self.most_lists = max(self.lists, self.most_lists)
            await asyncio.sleep(0.04 * self.lists)
            self.lists -= 1
        self.paths.add(scope["path"])
        await PlainTextResponse("answered")(scope, receive, send)


@contextlib.contextmanager
def direct(app: ASGIApp, folder: Path, *, replica: str = "r1") -> Iterator[None]:
    """The app on the socket of a replica, as in a replica's event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(listen(app, folder, replica=replica), loop).result(timeout=10)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@contextlib.contextmanager
def haproxy(folder: Path, *, replica: int, more: str = "") -> Iterator[str]:
    """HAProxy as Ray starts it; its address."""
    port, stats = free_ports(2)
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, stats=stats, replica=replica, more=more))
    starter = write_haproxy_starter(folder, max_wait_ms=WAITED_MS)
    process = subprocess.Popen([starter, "-db", "-f", config], stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        while True:
            assert process.poll() is None, "HAProxy refuses the settings"
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{address}/healthz", trust_env=False)
                break
            time.sleep(0.02)
        yield address
    finally:
        process.terminate()
        process.wait()


async def ask_at_once(address: str, *, lists: int) -> tuple[list[httpx.Response], list[httpx.Response]]:
    """The answers to many lists, and to events that come a moment later."""
    async with httpx.AsyncClient(
        base_url=address, trust_env=False, limits=httpx.Limits(max_connections=None)
    ) as client:
        await client.post("/v1/rank", json={})
        asking = [asyncio.create_task(client.post("/v1/recommend", json={})) for _ in range(lists)]
        await asyncio.sleep(0.05)
        events = await asyncio.gather(*[client.post("/v1/events", json={}) for _ in range(10)])
        return await asyncio.gather(*asking), list(events)


@pytest.mark.skipif(sys.platform != "linux", reason="Ray runs HAProxy's own binary elsewhere")
def test_lists_wait_in_haproxy_and_events_do_not_wait_behind_them(tmp_path: Path) -> None:
    replica, through_ray = Replica(), Replica()
    with (
        on_a_port(through_ray) as port,
        direct(replica, tmp_path),
        haproxy(tmp_path, replica=port) as address,
    ):
        lists, events = asyncio.run(ask_at_once(address, lists=150))
    answered = [response for response in lists if response.status_code == 200]
    refused = [response for response in lists if response.status_code != 200]
    assert 1 < replica.most_lists <= ALWAYS_TAKEN
    assert len(answered) >= ALWAYS_TAKEN
    assert f"{WAITED_MS} ms (serving.max_wait_ms)" in problem(refused[0], 503)["detail"]
    assert refused[0].headers["retry-after"] == "1"
    assert {response.text for response in events} == {"answered"}
    longest = max(response.elapsed.total_seconds() for response in refused)
    assert longest < 3, "all 150 would take 6 s"
    assert replica.paths == {"/v1/recommend", "/v1/rank", "/v1/events"}
    assert through_ray.paths == {"/healthz"}


class Named:
    """Says which replica answers."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(self.name)(scope, receive, send)


@pytest.mark.skipif(sys.platform != "linux", reason="Ray runs HAProxy's own binary elsewhere")
def test_a_users_lists_come_from_one_replica(tmp_path: Path) -> None:
    with (
        on_a_port(Named("through Ray")) as port,
        direct(Named("r1"), tmp_path, replica="r1"),
        direct(Named("r2"), tmp_path, replica="r2"),
        haproxy(
            tmp_path, replica=port, more=f"    server SERVE_REPLICA_app-r2 127.0.0.1:{port} check\n"
        ) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):

        def who(**body: object) -> str:
            return client.post("/v1/recommend", json={"surface": "home", **body}).text

        for key in ("user_id", "visitor_id"):
            first = [who(**{key: f"u{number}"}) for number in range(40)]
            assert set(first) == {"r1", "r2"}
            assert [who(**{key: f"u{number}"}) for number in range(40)] == first
        both = {"user_id": "u1", "visitor_id": "u2"}
        assert {who(**both) for _ in range(5)} == {who(user_id="u1")}
        assert {who() for _ in range(10)} == {who(user_id=None) for _ in range(10)} == {"r1", "r2"}
        assert client.post("/v1/recommend", content=b"no JSON").text in {"r1", "r2"}
        assert who(user_id="u1", item_ids=["x" * 50] * 1_000) in {"r1", "r2"}, "more than HAProxy's buffer"


def backends_added(text: str) -> str:
    folder = Path("/run/shop")
    return with_backends(
        text, max_wait_ms=200, max_at_once=8, error_file=folder / "busy.http", sockets=folder
    )


def test_without_replicas_there_is_no_queue() -> None:
    text = CONFIG.format(port=1, stats=2, replica=3, more="")
    no_replica = "\n".join(line for line in text.splitlines() if "SERVE_REPLICA" not in line)
    assert backends_added(no_replica) == no_replica


def test_every_replica_has_its_places_and_the_fallback_has_none() -> None:
    text = CONFIG.format(port=1, stats=2, replica=3, more="").replace(
        "    server SERVE_PROXY",
        "    server SERVE_REPLICA_app-r2 127.0.0.1:4 check\n    server SERVE_PROXY",
    )
    lists, events = (
        [line.split()[1:] for line in backend.splitlines() if line.startswith("    server ")]
        for backend in backends_added(text).partition("\nbackend lists\n")[2].split("\nbackend events\n")
    )
    names = [f"SERVE_REPLICA_app-{replica}" for replica in ("r1", "r2")]
    assert events == [
        [name, f"unix@/run/shop/{name[-2:]}.sock", "track", f"http-shopkeeper/{name}"] for name in names
    ]
    assert lists == [[*server, "maxconn", "8"] for server in events]
