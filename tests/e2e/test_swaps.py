"""A running server takes each new champion, refuses a broken one and goes back, and no request fails."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hand_made_bundle import write_bundle, write_other_bundle
from mlflow import MlflowClient
from served_shop import Shop

from serving.recommend.bundle import Bundle
from serving.recommend.served_bundle import next_pointer, read_pointer, write_pointer


class Asking:
    """Lists for many users and events, one after the other, in a thread."""

    def __init__(self, port: int) -> None:
        self.statuses: Counter[int | str] = Counter()
        self.versions: deque[str] = deque(maxlen=40)
        """Of the latest lists, for users of every replica"""
        self._port, self._is_over = port, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=10, trust_env=False) as client:
            number = 0
            while not self._is_over.wait(0.01):
                number += 1
                user = f"u{number % 40}"
                event = {"event_type": "purchase", "user_id": user, "item_id": f"bread{number % 10}"}
                path, body = ("/v1/recommend", {"user_id": user})
                if number % 10 == 0:
                    path, body = "/v1/events", {"events": [event]}  # type: ignore[dict-item]
                try:
                    answer = client.post(path, json=body)
                except httpx.HTTPError as error:
                    self.statuses[type(error).__name__] += 1
                    continue
                self.statuses[answer.status_code] += 1
                if path == "/v1/recommend" and answer.status_code == 200:
                    self.versions.append(answer.json()["bundle"]["version"])

    def all_are(self, version: str) -> bool:
        """Whether the latest lists came from this bundle, whichever replica made them."""
        return len(self.versions) == self.versions.maxlen and set(self.versions) == {version}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three bundles; monday's is the champion, and wednesday's is damaged."""
    shop = tmp_path_factory.mktemp("swaps") / "shop"
    monday = write_bundle(shop / "bundles" / "monday")
    for name in ("tuesday", "wednesday"):
        write_other_bundle(shop / "bundles" / name, of=monday, mark=name)
    (shop / "bundles" / "wednesday" / "ranker.onnx").write_bytes(b"something else")
    promote(shop, "monday")
    return shop


@pytest.fixture(scope="module")
def shop(workspace: Path) -> Iterator[Shop]:
    """Two replicas."""
    shop = Shop(workspace, "serving.num_replicas=2", "tracking.follow_alias_s=0.5")
    try:
        shop.wait_for(lambda: shop.says("Ready"))
        yield shop
    finally:
        shop.end()


def promote(workspace: Path, name: str) -> str:
    """What `shopkeeper promote` writes; returns the bundle's version."""
    folder = workspace / "bundles" / name
    version = str(json.loads((folder / "manifest.json").read_text())["fingerprint"])
    before = read_pointer(workspace)
    write_pointer(workspace, next_pointer(before, run=name, version=version, bundle=folder))
    return version


def errors_logged(workspace: Path) -> list[str]:
    lines = (workspace / "logs" / "serve.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry["message"] for entry in map(json.loads, lines) if entry["level"] == "error"]


def refused(shop: Shop) -> str | None:
    answer = shop.get("/readyz")
    assert answer is not None
    assert answer.status_code == 200
    return answer.json()["refused_bundle"]  # type: ignore[no-any-return]


def test_champions_come_and_go_and_no_request_fails(shop: Shop, workspace: Path) -> None:
    monday = Bundle.open(workspace / "bundles" / "monday").version
    with Asking(shop.port) as asking:
        shop.wait_for(lambda: asking.all_are(monday))
        tuesday = promote(workspace, "tuesday")
        shop.wait_for(lambda: asking.all_are(tuesday), seconds=20)
        promote(workspace, "wednesday")
        shop.wait_for(lambda: all("ranker.onnx: was changed" in (refused(shop) or "") for _ in range(8)))
        time.sleep(3)
        assert asking.all_are(tuesday)
        assert len(errors_logged(workspace)) == 2, "one of each replica, however long it is refused"
        promote(workspace, "monday")
        shop.wait_for(lambda: asking.all_are(monday), seconds=20)
        shop.wait_for(lambda: all(refused(shop) is None for _ in range(8)), seconds=10)
    assert set(asking.statuses) == {200}
    assert asking.statuses[200] > 200
    answer = shop.get("/metrics")
    assert answer is not None
    for metric in (
        rf'shopkeeper_bundle_info\{{name="hand-made",replica="\w+",version="{monday}"\}} 1.0',
        r'shopkeeper_bundle_swaps_total\{replica="\w+"\} 2.0',
    ):
        assert len(re.findall(rf"^{metric}$", answer.text, re.MULTILINE)) == 2, "of both replicas"


def test_a_replica_that_starts_anew_has_the_present_champion(shop: Shop, workspace: Path) -> None:
    with Asking(shop.port) as asking:
        tuesday = promote(workspace, "tuesday")
        shop.wait_for(lambda: asking.all_are(tuesday), seconds=20)
        killed = shop.processes("ray::ServeRepli")
        asking.statuses.clear()
        os.kill(killed[0], signal.SIGKILL)
        shop.wait_for(lambda: len(set(shop.processes("ray::ServeRepli")) - {killed[0]}) == 2)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            assert asking.all_are(tuesday), "the bundle of the server's start answers"
            time.sleep(0.1)


def test_an_alias_that_is_moved_in_mlflow_swaps_and_a_broken_bundle_is_told(
    shop: Shop, workspace: Path
) -> None:
    uri = f"sqlite:///{workspace / 'mlflow.db'}"
    client = MlflowClient(uri, registry_uri=uri)
    client.create_registered_model("shopkeeper")
    folders = {name: workspace / "bundles" / name for name in ("monday", "tuesday", "wednesday")}
    numbers = {
        name: client.create_model_version("shopkeeper", folder.as_uri()).version
        for name, folder in folders.items()
    }
    monday = Bundle.open(folders["monday"]).version

    def move(name: str) -> None:
        client.set_registered_model_alias("shopkeeper", "champion", str(numbers[name]))

    with Asking(shop.port) as asking:
        move("tuesday")
        shop.wait_for(lambda: (found := read_pointer(workspace)) is not None and found.alias, seconds=30)
        move("monday")
        shop.wait_for(lambda: asking.all_are(monday), seconds=30)
        assert shop.says("monday is the champion now: the alias was moved to version 1 in MLflow")
        move("wednesday")
        shop.wait_for(lambda: all("ranker.onnx: was changed" in (refused(shop) or "") for _ in range(8)))
        assert asking.all_are(monday)
        move("tuesday")
        shop.wait_for(lambda: all(refused(shop) is None for _ in range(8)))
    assert set(asking.statuses) == {200}
