"""Without API keys, programs on this machine and the server's own pages are answered, and nobody else."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from serving.http.loopback_guard import LoopbackGuard

APP = LoopbackGuard(PlainTextResponse("answered"), host="127.0.0.2")


def call(method: str = "POST", *, peer: str = "127.0.0.1", **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(APP, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, "/v1/events", headers=headers)

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
