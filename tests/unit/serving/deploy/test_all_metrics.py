"""Whichever replica is scraped, the metrics of all are there, told apart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from serving.deploy.all_metrics import AllMetrics
from serving.deploy.direct_server import listen
from serving.deploy.haproxy_backends import socket_name

TEXT = """# HELP shopkeeper_requests_total Requests by route.
# TYPE shopkeeper_requests_total counter
shopkeeper_requests_total{{route="/v1/recommend"}} {count}.0
# HELP shopkeeper_new_items New items.
# TYPE shopkeeper_new_items gauge
shopkeeper_new_items 2.0
"""


def replica(count: int, *, status: int = 200) -> ASGIApp:
    async def metrics(request: Request) -> Response:
        if request.headers.get("x-api-key") == "wrong":
            return PlainTextResponse("no", 401)
        return PlainTextResponse(TEXT.format(count=count), status)

    return Starlette(routes=[Route("/metrics", metrics), Route("/other", metrics)])


async def scraped(folder: Path, *, path: str = "/metrics", key: str = "right") -> httpx.Response:
    """Replica `a`, beside `b` that listens and `dead` whose socket nobody has any more."""
    (folder / socket_name("dead")).touch()
    await listen(AllMetrics(replica(7), sockets=folder, replica="b"), folder, replica="b")
    app = AllMetrics(replica(5), sockets=folder, replica=Path(socket_name("a")).stem)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        return await client.get(path, headers={"x-api-key": key})


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: those of sockets are limited."""
    return tmp_path_factory.mktemp("s")


def test_every_replica_is_in_one_scrape(folder: Path) -> None:
    text = asyncio.run(scraped(folder)).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    counts = {sample.labels["replica"]: sample.value for sample in families["shopkeeper_requests"].samples}
    assert sorted(counts.values()) == [5.0, 7.0]
    assert len(counts) == 2
    assert all(
        sample.labels["route"] == "/v1/recommend" for sample in families["shopkeeper_requests"].samples
    )
    assert len(families["shopkeeper_new_items"].samples) == 2
    assert text.count("# HELP shopkeeper_new_items ") == 1


def test_whoever_may_not_see_them_is_refused(folder: Path) -> None:
    assert asyncio.run(scraped(folder, key="wrong")).status_code == 401


def test_other_paths_pass(folder: Path) -> None:
    assert "replica=" not in asyncio.run(scraped(folder, path="/other")).text
