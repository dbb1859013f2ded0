"""What browsers are told: where pages may load from, who may frame them, and which other sites may call."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from http_shop import Shop, bought, problem
from pydantic import ValidationError

from configs.settings.services import ServingConfig
from serving.http.loopback_guard import LoopbackGuard
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

STOREFRONT = "https://www.myshop.example"


def policy(response: httpx.Response) -> dict[str, str]:
    """The directives of the one Content-Security-Policy."""
    (header,) = response.headers.get_list("content-security-policy")
    return dict(directive.strip().partition(" ")[::2] for directive in header.split(";"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/recommend"),
        ("POST", "/v1/events"),
        ("GET", "/v1/items"),
        ("GET", "/nothing"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/shop/"),
        ("GET", "/shop/shop.js"),
    ],
)
def test_every_response_is_only_what_it_says(shop: Shop, method: str, path: str) -> None:
    response = shop.call(method, path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    found = policy(response)
    assert (found["default-src"], found["frame-ancestors"]) == ("'none'", "'none'")
    assert "access-control-allow-origin" not in response.headers


def test_the_shop_page_loads_from_this_server_alone_and_is_not_kept(shop: Shop) -> None:
    page = shop.call("GET", "/shop/")
    assert page.headers["cache-control"] == "no-store"
    assert shop.call("GET", "/shop/shop.js").headers["cache-control"] == "no-cache"
    found = policy(page)
    assert {found[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert not re.search(r"<script>|<style| style=| on\w+=|https?://", page.text)


def test_the_one_script_of_docs_is_allowed_by_its_hash(shop: Shop) -> None:
    page = shop.call("GET", "/docs")
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, flags=re.DOTALL)
    assert "/openapi.json" in script
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = policy(page)["script-src"].split()
    assert f"'sha256-{digest}'" in scripts
    assert "'unsafe-inline'" not in scripts
    for kind, address in re.findall(r'<(script|link)[^>]* (?:src|href)="(https://[^/]+)', page.text):
        assert address in policy(page)["script-src" if kind == "script" else "style-src"].split()


@pytest.fixture
def open_shop(pipeline: Pipeline, tmp_path: Path) -> Iterator[Shop]:
    """A shop behind the guard whose storefront may call it from browsers."""
    serving = ServingConfig(cors_origins=(STOREFRONT,))
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(pipeline, store, serving=serving)
        shop.app = LoopbackGuard(shop.app, serving)
        yield shop


def ask_first(shop: Shop, origin: str, method: str = "POST") -> httpx.Response:
    """What a browser sends before it lets a page of another origin post JSON."""
    headers = {
        "Host": "localhost",
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }
    return shop.call("OPTIONS", "/v1/events", headers=headers)


def test_pages_of_configured_origins_may_call(open_shop: Shop) -> None:
    asked = ask_first(open_shop, STOREFRONT)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == STOREFRONT
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "content-type" in asked.headers["access-control-allow-headers"].lower()
    headers = {"Host": "localhost", "Origin": STOREFRONT}
    body = {"events": [bought("fruit1")]}
    sent = open_shop.call("POST", "/v1/events", json=body, headers=headers)
    assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (200, STOREFRONT)
    wrong = open_shop.call("POST", "/v1/recommend", content=b"{", headers=headers)
    assert problem(wrong, 400)
    assert wrong.headers["access-control-allow-origin"] == STOREFRONT, "pages may read why"
    assert ask_first(open_shop, STOREFRONT, "DELETE").status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "http://www.myshop.example", "null"])
def test_pages_of_other_origins_may_not(open_shop: Shop, origin: str) -> None:
    assert "cors_origins" in problem(ask_first(open_shop, origin), 403)["detail"]
    headers = {"Host": "localhost", "Origin": origin}
    body = {"events": [bought("fruit1")]}
    problem(open_shop.call("POST", "/v1/events", json=body, headers=headers), 403)
    assert open_shop.store.num_events("ann") == 0
    read = open_shop.call("GET", "/v1/users/ann", headers=headers)
    assert "access-control-allow-origin" not in read.headers


@pytest.mark.parametrize(
    "origin", ["*", "www.myshop.example", "https://www.myshop.example/", "https://MyShop.example"]
)
def test_an_origin_is_written_as_browsers_send_it(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        ServingConfig(cors_origins=(origin,))
