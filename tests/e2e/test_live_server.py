"""A real Ray Serve: what was acknowledged stays, what was done changes the answer, and a killed replica comes
back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from worked_example import Example

from configs.exceptions import ServingError
from configs.load import load_config
from serving.access.api_keys import create_key
from serving.access.token_secret import create_secret
from serving.access.user_tokens import user_token
from serving.deploy.ports import free_ports
from serving.deploy.server import start
from serving.recommend.served_bundle import champion_bundle

SERVE = """
import sys
from pathlib import Path
from configs.load import load_config
from serving.deploy.server import serve

settings = [f"serving.port={sys.argv[3]}", "serving.num_replicas=1", *sys.argv[4:]]
config = load_config(overrides=settings, workspace=Path(sys.argv[1]))
serve(config, Path(sys.argv[2]), ready=lambda server: print("ready", server.url, flush=True))
print("stopped", flush=True)
"""


class Live:
    """A server in a process of its own, and a client of it."""

    def __init__(self, workspace: Path, bundle: Path, *settings: str) -> None:
        self.workspace, self.bundle, self.port = workspace, bundle, free_ports(1)[0]
        arguments = [str(self.workspace), str(self.bundle), str(self.port), *settings]
        command = [sys.executable, "-c", SERVE, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    def end(self) -> None:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            if line.startswith(word):
                return
            said.append(line)
        raise AssertionError(f"the server ended without {word!r}; it said {said}")

    def buy(self, item_id: str, event_id: str) -> bool:
        """Whether the purchase was acknowledged."""
        event = {"event_id": event_id, "event_type": "purchase", "user_id": "ann", "item_id": item_id}
        try:
            response = self.client.post("/v1/events", json={"events": [event]})
        except httpx.HTTPError:
            return False
        return (
            response.status_code == 200 and response.json()["accepted"] + response.json()["duplicates"] == 1
        )

    def recommend(self, surface: str = "home") -> dict[str, Any]:
        response = self.client.post(
            "/v1/recommend", json={"user_id": "ann", "surface": surface, "num_results": 5}
        )
        assert response.status_code == 200, response.text
        return dict(response.json())

    def replica(self) -> int:
        """The process id of the replica that answers; 0 while there is none."""
        try:
            found = re.search(r'shopkeeper_process_info\{pid="(\d+)"', self.client.get("/metrics").text)
        except httpx.HTTPError:
            return 0
        return int(found[1]) if found else 0


@pytest.fixture(scope="module")
def live(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The champion that prepare, train and export made, over an event store of its own."""
    server = Live(tmp_path_factory.mktemp("live") / "shop", champion_bundle(example.workspace))
    try:
        server.wait_for("ready")
        yield server
    finally:
        server.end()


def test_events_change_the_answer(live: Live) -> None:
    assert live.recommend()["fallback_used"] is not None
    assert live.buy("cheese3", "first")
    answer = live.recommend()
    assert answer["fallback_used"] is None
    assert "cheese3" in [item["item_id"] for item in answer["items"]]


def test_a_foreign_page_is_refused_through_haproxy(live: Live) -> None:
    event = {"event_type": "purchase", "user_id": "ann", "item_id": "cheese3"}
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        refused = live.client.post("/v1/events", json={"events": [event]}, headers=headers)
        assert refused.status_code == 403, refused.text
    own = {"Origin": f"http://127.0.0.1:{live.port}"}
    assert live.client.post("/v1/recommend", json={}, headers=own).status_code == 200


def test_a_tls_proxy_on_this_machine_gets_through(live: Live) -> None:
    for forwarded in ("203.0.113.7", "203.0.113.7, 127.0.0.1"):
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        assert live.client.post("/v1/recommend", json={}, headers=headers).status_code == 200


def test_four_hundred_at_once_are_answered_soon_or_told_to_come_back(live: Live) -> None:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=live.client.base_url, timeout=30, limits=httpx.Limits(max_connections=None)
        ) as client:
            return await asyncio.gather(*[client.post("/v1/recommend", json={}) for _ in range(400)])

    answers = asyncio.run(ask())
    assert {response.status_code for response in answers} <= {200, 503}
    assert sum(response.status_code == 200 for response in answers) >= 8
    for response in answers:
        if response.status_code == 503:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["retry-after"] == "1"


def test_the_back_end_changes_items_and_users_through_haproxy(live: Live) -> None:
    """And all of it is still there after the replica was killed."""

    def sent(method: str, path: str, **fields: Any) -> dict[str, Any]:
        response = live.client.request(method, path, json=fields or None)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def shown(**who: str) -> list[str]:
        body = {**who, "num_results": 500}
        return [item["item_id"] for item in sent("POST", "/v1/recommend", **body)["items"]]

    assert sent("PUT", "/v1/items/brie", title="Brie", availability="in_stock")["status"] == "added"
    assert sent("PUT", "/v1/items/cheese5", availability="out_of_stock")["status"] == "changed"
    assert sent("DELETE", "/v1/items/cheese6")["status"] == "deleted"
    for user in ("eve", "mallory"):
        live.client.post(
            "/v1/events",
            json={"events": [{"event_type": "view_item", "visitor_id": user, "item_id": "brie"}]},
        )
        assert sent("POST", "/v1/users/merge", visitor_id=user, user_id=user)["events"] == 1
    assert sent("DELETE", "/v1/users/mallory")["status"] == "deleted"
    killed = live.replica()
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + 60
    while live.replica() in (0, killed) and time.monotonic() < until:
        time.sleep(0.2)
    found = shown(user_id="eve")
    assert "brie" in found
    assert not {"cheese5", "cheese6"} & set(found)
    assert [event["item_id"] for event in sent("GET", "/v1/users/eve")["events"]] == ["brie"]
    assert sent("GET", "/v1/users/mallory")["events"] == []
    for path in live.workspace.glob("events.db*"):
        assert b"mallory" not in path.read_bytes()


def test_a_replica_has_no_torch(live: Live) -> None:
    loaded = Path(f"/proc/{live.replica()}/maps").read_text(encoding="utf-8")
    assert "onnxruntime" in loaded
    assert "torch" not in loaded


def listening() -> dict[str, tuple[str, int]]:
    """Inode → (address, port) of every IPv4 socket that listens."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    places = {row[9]: row[1].split(":") for row in rows if row[3] == "0A"}
    return {
        inode: (socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16))
        for inode, (address, port) in places.items()
    }


def inodes_of(process: Path) -> set[str]:
    """The sockets of a process; none of a process that is gone or someone else's."""
    links = []
    with contextlib.suppress(OSError):
        links = [link.readlink().name for link in (process / "fd").iterdir()]
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}


def test_haproxy_and_the_replica_listen_on_loopback_alone(live: Live) -> None:
    places = listening()
    front_door = next(inode for inode, (_, port) in places.items() if port == live.port)
    haproxy = next(process for process in Path("/proc").glob("[0-9]*") if front_door in inodes_of(process))
    for process in (haproxy, Path(f"/proc/{live.replica()}")):
        found = [places[inode] for inode in inodes_of(process) if inode in places]
        assert found
        assert {address for address, _ in found} == {"127.0.0.1"}


def test_a_port_in_use_is_said_before_anything_starts(live: Live, tmp_path: Path) -> None:
    config = load_config(overrides=[f"serving.port={live.port}"], workspace=tmp_path)
    with pytest.raises(ServingError, match=rf"{live.port}.*in use.*serving\.port={live.port + 1}"):
        start(config, live.bundle)


def test_from_its_first_key_on_it_answers_nobody_without_one(live: Live) -> None:
    """The tests after this one have the key."""
    key, _ = create_key(live.workspace, "private", name="", now=datetime.now(UTC))
    until = time.monotonic() + 5
    while live.client.post("/v1/recommend", json={}).status_code != 401:
        assert time.monotonic() < until, "it should look at the keys once a second"
        time.sleep(0.1)
    assert live.client.get("/metrics").status_code == 401
    assert live.client.get("/readyz").status_code == 200
    live.client.headers["X-API-Key"] = key
    assert live.client.get("/metrics").status_code == 200
    assert live.recommend()["items"]


def test_after_kill_9_it_answers_again_and_every_acknowledged_event_is_in_the_log(live: Live) -> None:
    killed = live.replica()
    acknowledged = {
        "first",
        *(name for name in map("before{}".format, range(20)) if live.buy("cheese3", name)),
    }
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + 60
    while live.replica() in (0, killed):
        assert time.monotonic() < until, "no replica came back"
        name = f"meanwhile{len(acknowledged)}"
        acknowledged |= {name} if live.buy("bread3", name) else set()
        time.sleep(0.2)
    assert live.buy("bread5", "after")
    assert {"bread5", "cheese3"} <= {item["item_id"] for item in live.recommend("buy_again")["items"]}
    assert len(acknowledged) >= 21
    connection = sqlite3.connect(live.workspace / "events.db")
    stored = {row[0] for row in connection.execute("SELECT event_id FROM events")}
    connection.close()
    assert acknowledged | {"after"} <= stored


def test_it_stops_cleanly_and_frees_its_port(live: Live) -> None:
    replica = live.replica()
    live.process.send_signal(signal.SIGTERM)
    live.wait_for("stopped")
    assert live.process.wait(timeout=60) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", live.port)) != 0
    assert not Path(f"/proc/{replica}").exists()


def test_with_keys_it_may_listen_on_every_address(example: Example, tmp_path: Path) -> None:
    """Other addresses of loopback than the usual one stand in for those that other machines reach."""
    workspace = tmp_path / "shop"
    key, _ = create_key(workspace, "public", name="", now=datetime.now(UTC))
    secret = create_secret(workspace)
    server = Live(workspace, champion_bundle(example.workspace), "serving.host=0.0.0.0")
    try:
        server.wait_for(f"ready http://127.0.0.1:{server.port}")
        headers = {"X-API-Key": key, "Host": "reco.myshop.example"}
        with httpx.Client(base_url=f"http://127.0.0.77:{server.port}", timeout=10, headers=headers) as page:
            assert page.post("/v1/recommend", json={"visitor_id": "v-1"}).status_code == 200
            assert page.post("/v1/recommend", json={"user_id": "ann"}).status_code == 403
            token = user_token("ann", secret=secret.encode(), expires_at=int(time.time()) + 60)
            ann = {"user_id": "ann", "user_token": token}
            assert page.post("/v1/recommend", json=ann).status_code == 200
            assert page.get("/v1/users/ann").status_code == 403
            del page.headers["X-API-Key"]
            assert page.post("/v1/recommend", json={}).status_code == 401
            assert page.get("/readyz").status_code == 200
    finally:
        server.end()
