"""Without API keys, programs on this machine and the server's own pages are answered, and nobody else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_shop import on_a_port
from pydantic import ValidationError
from starlette.responses import PlainTextResponse

from configs.settings.services import ServingConfig
from serving.deploy.ray_environment import ray_environment
from serving.http.loopback_guard import LoopbackGuard


def guarded(**settings: Any) -> LoopbackGuard:
    return LoopbackGuard(PlainTextResponse("answered"), ServingConfig(host="127.0.0.2", **settings))


APP = guarded()


def call(
    method: str = "POST", *, peer: str = "127.0.0.1", app: LoopbackGuard = APP, **headers: str
) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(
                method,
                "/v1/events",
                headers={name.replace("_", "-"): value for name, value in headers.items()},
            )

    return asyncio.run(send())


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:9000", "[::1]:8000", "127.0.0.2:8000"]
)
def test_own_names_are_answered(host: str) -> None:
    assert call(host=host).text == "answered"
    assert call(host=host, origin=f"http://{host.lower()}").text == "answered"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::2]:8000", "10.0.0.1"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_name_is_refused(method: str, host: str) -> None:
    refused = call(method, host=host)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert "127.0.0.2, ::1, localhost" in refused.json()["detail"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:3000", "http://127.0.0.1:8000.evil.example"]
)
def test_another_sites_page_may_not_post(origin: str) -> None:
    refused = call(origin=origin)
    assert refused.status_code == 403
    assert "another site" in refused.json()["detail"]
    assert call("GET", origin=origin).text == "answered"


def test_other_machines_are_refused() -> None:
    assert call(peer="10.0.0.7").status_code == 403
    assert call(peer="127.0.0.9").status_code == 200


@pytest.mark.parametrize("forwarded", ["203.0.113.7", "127.0.0.1", "203.0.113.7, 127.0.0.1", "nonsense", ""])
def test_a_header_makes_nobody_another_caller(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forwarded: str
) -> None:
    """uvicorn by itself takes what the header says as the peer. The environment of the server's processes
    keeps it from that."""
    monkeypatch.setattr(os, "environ", ray_environment(tmp_path, [1, 2, 3], max_wait_ms=200))
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    with on_a_port(guarded()) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/", headers=headers, trust_env=False).text == "answered"
    assert call(peer="10.0.0.7", x_forwarded_for=forwarded).status_code == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("127.0.0.1", "127.0.0.9", 200),
        ("127.0.0.1", "203.0.113.7", 403),
        ("127.0.0.1", "127.0.0.9, 203.0.113.7", 403),
        ("127.0.0.1", "203.0.113.7, 127.0.0.9", 200),
        ("127.0.0.1", "127.0.0.9, 10.1.2.3", 200),
        ("127.0.0.1", "203.0.113.7, 10.1.2.3", 403),
        ("127.0.0.1", "nonsense", 403),
        ("127.0.0.1", "", 200),
        ("192.168.0.1", "127.0.0.9", 403),
        ("10.1.2.3", "127.0.0.9", 200),
    ],
)
def test_the_caller_is_the_last_one_that_is_no_trusted_proxy(peer: str, forwarded: str, status: int) -> None:
    app = guarded(trusted_proxies=("127.0.0.1", "10.0.0.0/8"))
    assert call(peer=peer, app=app, x_forwarded_for=forwarded).status_code == status


def test_a_proxy_may_pass_on_the_name_of_the_site_and_its_pages() -> None:
    app = guarded(allowed_hosts=("Reco.MyShop.example",))
    own = "https://reco.myshop.example"
    assert call(app=app, host="reco.myshop.example", origin=own).text == "answered"
    assert call(app=app, origin=own).text == "answered", "the proxy put 127.0.0.1 into Host"
    assert call(app=app, host="evil.example").status_code == 403
    assert call(app=app, origin="https://evil.example").status_code == 403
    assert "serving.allowed_hosts" in call(host="reco.myshop.example").json()["detail"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_sites_page_may_send_nothing_else_either(method: str) -> None:
    assert call(method, origin="http://evil.example").status_code == 403


def test_a_wrong_network_is_explained() -> None:
    with pytest.raises(ValidationError, match=r"write an address .* or a network"):
        ServingConfig(trusted_proxies=("proxy.internal",))
