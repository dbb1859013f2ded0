"""The Python client against a real server, and its types against the server's document."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from inspect import getsource
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from http_shop import Shop, on_a_port

from scripts.document_client import TYPES_FILE, client_types
from serving.client import ApiError, Client
from serving.client import client as module
from serving.http.app import build_api
from serving.http.prometheus import RequestMetrics
from serving.http.service import Service


def document() -> dict[str, Any]:
    nothing = SimpleNamespace(pipeline=SimpleNamespace(bundle=SimpleNamespace(name="", version="")))
    metrics = RequestMetrics(bundle_name="", bundle_version="")
    return build_api(cast(Service, nothing), metrics, max_new_items=0).openapi()


def test_the_types_are_those_of_the_openapi_document() -> None:
    """Make them anew with `python -m scripts.document_client`."""
    assert TYPES_FILE.read_text(encoding="utf-8") == client_types(document())


def test_every_endpoint_of_a_back_end_has_a_method() -> None:
    """Without those of browsers, operations and the shop page."""
    source = re.sub(r"\{_quoted\((\w+)\)\}", r"{\1}", getsource(module))
    called = {f"{method} {path}" for method, path in re.findall(r'"([A-Z]+)", f?"(/\S+?)"', source)}
    paths = document()["paths"].items()
    offered = {
        f"{method.upper()} {path.replace(':path', '')}" for path, methods in paths for method in methods
    }
    elsewhere = {
        "GET /v1/events/collect",
        "GET /healthz",
        "GET /metrics",
        "GET /v1/shop",
        "GET /v1/shop/users",
    }
    assert called == offered - elsewhere


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    with on_a_port(shop.app) as port, Client(f"http://127.0.0.1:{port}") as client:
        yield client


def test_a_back_end_does_its_day(client: Client) -> None:
    assert client.put_item("brie", title="Brie", product_type="Food > Cheese")["status"] == "added"
    assert (
        client.put_items([{"id": "cheese9", "availability": "out_of_stock"}])["items"][0]["status"]
        == "changed"
    )
    stored = client.send_events(
        [{"event_type": "purchase", "visitor_id": "v", "item_id": f"cheese{number}"} for number in (1, 2)]
    )
    assert stored["accepted"] == 2
    assert client.merge_users(visitor_id="v", user_id="a/b?c")["events"] == 2
    answer = client.recommend(user_id="a/b?c", num_results=5, filter="product_type like '%Cheese'")
    assert "cheese9" not in [item["item_id"] for item in answer["items"]]
    assert answer["returned"] == 5
    assert client.rank(user_id="a/b?c", item_ids=["bread1", "cheese1"])["items"][0]["item_id"] == "cheese1"
    assert len(client.page(user_id="a/b?c", slots=[{"num_results": 2}, {"num_results": 2}])["slots"]) == 2
    assert client.put_user("a/b?c", attributes={"tier": "gold"})["attributes"] == {"tier": "gold"}
    assert client.user("a/b?c", limit=1)["num_events"] == 2
    assert client.delete_user("a/b?c")["status"] == "deleted"
    assert client.user("a/b?c")["events"] == []
    assert client.item("brie")["fields"]["title"] == "Brie"
    assert [item["item_id"] for item in client.search_items("brie", limit=3)["items"]] == ["brie"]
    assert client.delete_item("brie")["status"] == "deleted"
    assert client.ready()["status"] == "ready"


def test_what_is_refused_is_an_error_with_its_fields(client: Client) -> None:
    with pytest.raises(ApiError, match="404: The catalogue has no item 'ghost'"):
        client.item("ghost")
    with pytest.raises(ApiError) as caught:
        client.recommend(surface="attic")
    assert (caught.value.status, caught.value.errors[0]["field"]) == (422, "surface")


def test_a_busy_server_is_asked_again_and_events_keep_their_ids() -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        if len(bodies) < 3:
            return httpx.Response(503, headers={"Retry-After": "0"}, json={"detail": "busy", "errors": []})
        return httpx.Response(200, json={"accepted": 1, "duplicates": 0, "rejected": []})

    with Client("http://shop", transport=httpx.MockTransport(answer)) as client:
        assert client.send_events([{"event_type": "search", "user_id": "u"}])["accepted"] == 1
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert b"event_id" in bodies[0]
    bodies.clear()
    once = Client("http://shop", tries=1, transport=httpx.MockTransport(answer))
    with once, pytest.raises(ApiError, match="503: busy"):
        once.ready()


def test_a_server_that_comes_back_is_reached(shop: Shop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    def start_later() -> None:
        time.sleep(0.3)
        with on_a_port(shop.app, port):
            time.sleep(2)

    thread = threading.Thread(target=start_later)
    thread.start()
    with Client(f"http://127.0.0.1:{port}", tries=6) as client:
        assert client.ready()["status"] == "ready"
    thread.join()


def test_the_folder_can_be_copied() -> None:
    """It imports nothing of Shopkeeper but itself."""
    for path in Path(module.__file__).parent.glob("*.py"):
        found = re.findall(
            r"^\s*(?:from|import) (\w+)(\.\w+)?", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert {second for first, second in found if first == "serving"} <= {".client"}
        assert not {first for first, _ in found} & {"configs", "features", "models", "training", "scripts"}
