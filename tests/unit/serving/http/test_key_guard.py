"""With keys: what each kind may call, for whom, with which columns, and how often."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_shop import NOW, Shop, bought, problem

from configs.settings.services import ServingConfig
from serving.access import watched_file
from serving.access.access import Access
from serving.access.api_keys import KEYS_FILE, Kind, create_key, revoke_key
from serving.access.key_ring import KeyRing
from serving.access.token_secret import SecretPlace, UserTokens, create_secret
from serving.access.user_tokens import user_token
from serving.http.loopback_guard import LoopbackGuard
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

STOREFRONT = "https://www.myshop.example"
FOR_PUBLIC = {("POST", f"/v1/{name}") for name in ("recommend", "page", "rank", "events")} | {
    ("GET", "/v1/events/collect")
}
FOR_EVERYBODY = {
    ("GET", path)
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/shop", "/shop/", "/shop/shop.js")
}
SLOTS = {"slots": [{"num_results": 3}]}
ASKS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/recommend", {"num_results": 3}),
    ("/v1/page", SLOTS),
    ("/v1/rank", {"item_ids": ["bread1", "fruit1"]}),
]
"""What is asked for a person"""

MakeShop = Callable[..., "KeyShop"]


@dataclass
class KeyShop:
    """A shop with a key of each kind, and a secret for tokens."""

    shop: Shop
    folder: Path
    private: str
    public: str
    secret: bytes

    def call(self, method: str, path: str, key: str | None = None, **arguments: Any) -> httpx.Response:
        headers = arguments.pop("headers", {}) | ({} if key is None else {"X-API-Key": key})
        return self.shop.call(method, path, headers=headers, **arguments)

    def ask(self, body: dict[str, Any], path: str = "/v1/recommend") -> httpx.Response:
        """With the public key."""
        return self.call("POST", path, self.public, json=body)

    def token(self, user_id: str, *, seconds: int = 60) -> str:
        return user_token(user_id, secret=self.secret, expires_at=NOW // 1_000_000 + seconds)


def new_key(folder: Path, kind: Kind) -> str:
    return create_key(folder, kind, name="", now=datetime.now(UTC))[0]


@pytest.fixture
def make_shop(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeShop]:
    """`make_shop(public_requests_per_s=2)`"""
    monkeypatch.setattr(watched_file, "_LOOK_SECONDS", 0)
    with EventStore.open(tmp_path / "events.db") as store:

        def make(**settings: Any) -> KeyShop:
            serving = ServingConfig(**{"num_replicas": 1} | settings)
            private, public = new_key(tmp_path, "private"), new_key(tmp_path, "public")
            secret = create_secret(tmp_path).encode()
            access = Access(
                KeyRing(tmp_path / KEYS_FILE, is_always_required=False),
                UserTokens(SecretPlace.of(tmp_path, serving), clock=lambda: NOW / 1e6),
            )
            shop = Shop(pipeline, store, serving=serving, access=access)
            shop.app = LoopbackGuard(shop.app, serving, access.keys)
            return KeyShop(shop, tmp_path, private, public, secret)

        yield make


@pytest.fixture
def shop(make_shop: MakeShop) -> KeyShop:
    return make_shop()


def endpoints(shop: KeyShop) -> set[tuple[str, str]]:
    """Those of the OpenAPI document, and the pages beside it."""
    document = shop.call("GET", "/openapi.json").json()
    documented = {
        (method.upper(), path.format(user_id="ann", item_id="no-such-item"))
        for path, methods in document["paths"].items()
        for method in methods
    }
    others = {("GET", "/nothing"), ("DELETE", "/v1/recommend"), ("GET", "/shops"), ("GET", "/v1/events/x")}
    return documented | FOR_EVERYBODY | FOR_PUBLIC | others


def test_what_each_caller_may_call(shop: KeyShop) -> None:
    revoked = new_key(shop.folder, "private")
    access = KeyRing(shop.folder / KEYS_FILE, is_always_required=False)
    found = access.find(revoked.encode())
    assert found is not None
    revoke_key(shop.folder, found.id)
    strangers = (None, "", revoked, "sk_private_guess", shop.private[:-1], shop.private.lower())
    for method, path in sorted(endpoints(shop)):
        is_open = (method, path) in FOR_EVERYBODY
        for key in strangers:
            answer = shop.call(method, path, key)
            if is_open:
                assert answer.status_code in (200, 307), path
            else:
                assert problem(answer, 401), path
                assert answer.headers["www-authenticate"].startswith("ApiKey ")
                assert "X-API-Key" in answer.json()["detail"]
        with_public = shop.call(method, path, shop.public)
        if is_open or (method, path) in FOR_PUBLIC:
            assert with_public.status_code not in (401, 403), path
        else:
            assert "/v1/recommend" in problem(with_public, 403)["detail"]
            assert "needs a private key" in with_public.json()["detail"]
        assert shop.call(method, path, shop.private).status_code not in (401, 403, 503), path


def test_a_key_counts_wherever_it_comes_from(shop: KeyShop) -> None:
    headers = {"Host": "reco.myshop.example", "Origin": "https://elsewhere.example"}
    assert shop.call("POST", "/v1/recommend", shop.public, json={}, headers=headers).status_code == 200
    assert shop.call("POST", "/v1/recommend", json={}, headers=headers).status_code == 401


def test_without_keys_the_loopback_guard_decides_until_there_is_one(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_file, "_LOOK_SECONDS", 0)
    access = Access.of(tmp_path, ServingConfig(), is_public=False)
    own = {"Host": "127.0.0.1"}
    body = {"user_id": "ann", "return_fields": ["title"]}
    with EventStore.open(tmp_path / "events.db") as store:
        shop = Shop(pipeline, store, access=access)
        shop.app = LoopbackGuard(shop.app, ServingConfig(), access.keys)
        assert shop.call("POST", "/v1/recommend", json=body, headers=own).status_code == 200
        assert shop.call("GET", "/metrics", headers=own).status_code == 200
        assert "no API keys" in problem(shop.call("GET", "/healthz"), 403)["detail"]
        new_key(tmp_path, "private")
        problem(shop.call("POST", "/v1/recommend", json=body, headers=own), 401)
        assert shop.call("GET", "/healthz").status_code == 200


def test_a_damaged_key_file_closes_the_server(shop: KeyShop) -> None:
    (shop.folder / KEYS_FILE).write_text("{", encoding="utf-8")
    for key in (None, shop.private, shop.public):
        for method, path in (("POST", "/v1/recommend"), ("GET", "/metrics"), ("GET", "/readyz")):
            refused = shop.call(method, path, key)
            assert "API keys cannot be read" in problem(refused, 503)["detail"]
            assert refused.headers["retry-after"]
    assert shop.call("GET", "/healthz").status_code == 200, "the watchdog would end the server"
    (shop.folder / KEYS_FILE).unlink()
    problem(shop.call("POST", "/v1/recommend", shop.private, json={}), 503)


@pytest.mark.parametrize(("path", "body"), ASKS)
def test_a_public_key_asks_for_visitors_and_for_a_user_with_a_token(
    shop: KeyShop, path: str, body: dict[str, Any]
) -> None:
    for who in ({}, {"visitor_id": "v-1"}, {"user_id": "ann", "user_token": shop.token("ann")}):
        assert shop.ask(body | who, path).status_code == 200, who
    for text, said in (
        (None, "there is none"),
        (shop.token("bob"), "it is another user's"),
        (shop.token("ann", seconds=-3600), "it has expired"),
        ("nonsense", "it is no JSON Web Token"),
        (shop.token("ann")[:-4] + "AAAA", "it is not signed"),
    ):
        details = problem(shop.ask(body | {"user_id": "ann", "user_token": text}, path), 403)
        assert said in details["detail"]
        assert details["errors"][0]["field"] == "user_id"
    answer = shop.call("POST", path, shop.private, json=body | {"user_id": "ann"})
    assert answer.status_code == 200, "a back end vouches for itself"


def test_a_token_is_for_one_user_however_the_id_is_written(shop: KeyShop) -> None:
    assert shop.ask({"user_id": 12, "user_token": shop.token("12")}).status_code == 200
    assert shop.ask({"user_id": " ann ", "user_token": shop.token("ann")}).status_code == 200


def test_events_of_a_public_key_are_stored_for_whom_it_may_name(shop: KeyShop) -> None:
    visited = {"event_type": "view_item", "visitor_id": "v-1", "item_id": "fruit1"}
    events = [visited, bought("bread1"), bought("bread2", user_id="bob"), visited | {"user_id": "ann"}]
    answer = shop.ask({"events": events, "user_token": shop.token("ann")}, "/v1/events").json()
    assert (answer["accepted"], [one["index"] for one in answer["rejected"]]) == (3, [2])
    assert answer["rejected"][0]["field"] == "user_id"
    assert "user_token of this user: it is another user's" in answer["rejected"][0]["message"]
    assert shop.shop.store.num_events("bob") == 0
    assert shop.shop.store.num_events("ann") == 2
    for text in (None, "nonsense"):
        answer = shop.ask({"events": events, "user_token": text}, "/v1/events").json()
        assert [one["index"] for one in answer["rejected"]] == [1, 2, 3]
    assert shop.shop.store.num_events("bob") == 0
    sent = shop.call("POST", "/v1/events", shop.private, json={"events": events[2:3]})
    assert sent.json()["accepted"] == 1
    problem(shop.ask({"events": [visited], "user_token": 7}, "/v1/events"), 422)


def test_a_pixel_has_a_public_key_in_its_address(shop: KeyShop) -> None:
    def load(key: str, **more: str) -> httpx.Response:
        event = {"event_type": "view_item", "item_id": "fruit1", "api_key": key}
        return shop.call("GET", "/v1/events/collect", params=event | more)

    assert load(shop.public, visitor_id="v-1").status_code == 200
    assert load(shop.public, user_id="ann", user_token=shop.token("ann")).status_code == 200
    for text in ({}, {"user_token": shop.token("bob")}):
        details = problem(load(shop.public, user_id="ann", **text), 422)
        assert details["errors"][0]["field"] == "user_id"
    assert "does not belong in an address" in problem(load(shop.private, visitor_id="v-1"), 403)["detail"]
    problem(load("sk_public_guess", visitor_id="v-1"), 401)
    problem(shop.call("POST", f"/v1/recommend?api_key={shop.public}", json={}), 401)
    stored = shop.shop.store
    assert (stored.num_events("visitor:v-1"), stored.num_events("ann")) == (1, 1)


@pytest.mark.parametrize("slot", [False, True])
def test_a_public_key_names_public_columns_alone(make_shop: MakeShop, slot: bool) -> None:
    shop = make_shop(public_columns=("title", "price", "link"))

    def ask(key: str, **body: Any) -> httpx.Response:
        path, body = ("/v1/page", {"slots": [body]}) if slot else ("/v1/recommend", body)
        return shop.call("POST", path, key, json=body)

    prefix = "slots.0." if slot else ""
    for body, field in (
        ({"return_fields": ["title", "brand"]}, "return_fields"),
        ({"filter": "brand = 'Acme'"}, "filter"),
        ({"filter": "price > 1 and BRAND is not null"}, "filter"),
    ):
        assert ask(shop.private, **body).status_code == 200
        details = problem(ask(shop.public, **body), 422)
        assert details["errors"][0]["field"] == prefix + field
        assert "title, price" in details["errors"][0]["message"]
        assert "link" not in details["errors"][0]["message"], "the catalogue has none"
    both = {"return_fields": ["title"], "filter": "price > 1.5 and title like '%'"}
    public, private = (ask(key, **both).json() for key in (shop.public, shop.private))
    found = public["slots"][0] if slot else public
    assert found["items"]
    assert set(found["items"][0]["fields"]) == {"title"}
    assert found["items"] == (private["slots"][0] if slot else private)["items"]


def test_the_columns_of_a_merchant_feed_are_public(shop: KeyShop) -> None:
    fields = ["id", "title", "product_type", "brand", "price", "currency"]
    assert (
        shop.ask({"return_fields": fields, "num_results": 1}).json()["items"][0]["fields"]["brand"] == "Acme"
    )


@pytest.mark.parametrize("kind", ["public", "private"])
def test_a_key_that_calls_too_often_is_told_when_to_come_back(make_shop: MakeShop, kind: Kind) -> None:
    shop = make_shop(**{f"{kind}_requests_per_s": 0.5})
    limited, other = (shop.public, shop.private) if kind == "public" else (shop.private, shop.public)
    assert shop.call("POST", "/v1/recommend", limited, json={}).status_code == 200
    refused = shop.call("POST", "/v1/events", limited, json={})
    assert f"serving.{kind}_requests_per_s" in problem(refused, 429)["detail"]
    assert refused.headers["retry-after"] in ("1", "2")
    for _ in range(5):
        assert shop.call("POST", "/v1/recommend", other, json={}).status_code == 200
    assert shop.call("POST", "/v1/recommend", new_key(shop.folder, kind), json={}).status_code == 200
    assert shop.call("GET", "/healthz", limited).status_code == 200


def test_a_replica_lets_its_share_through(make_shop: MakeShop) -> None:
    """The statuses of five requests at once to one of as many replicas."""

    def statuses(num_replicas: int) -> list[int]:
        shop = make_shop(public_requests_per_s=4, num_replicas=num_replicas)
        return [shop.ask({}).status_code for _ in range(5)]

    assert statuses(1) == [200] * 4 + [429]
    assert statuses(2) == [200] * 2 + [429] * 3
    assert statuses(8) == [200] + [429] * 4


def test_pages_of_the_storefront_may_send_a_key_and_read_why_it_is_refused(make_shop: MakeShop) -> None:
    shop = make_shop(cors_origins=(STOREFRONT,))
    asked = shop.call(
        "OPTIONS",
        "/v1/recommend",
        headers={
            "Origin": STOREFRONT,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-api-key",
        },
    )
    assert asked.status_code == 200
    assert "x-api-key" in asked.headers["access-control-allow-headers"].lower()
    for key, status in ((shop.public, 200), (None, 401)):
        sent = shop.call("POST", "/v1/recommend", key, json={}, headers={"Origin": STOREFRONT})
        assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (status, STOREFRONT)


def test_the_refused_are_counted(shop: KeyShop) -> None:
    shop.call("POST", "/v1/recommend", json={})
    counted = shop.call("GET", "/metrics", shop.private).text
    assert 'shopkeeper_requests_total{method="POST",route="/v1/recommend",status="401"} 1.0' in counted


def test_the_document_says_how_to_send_a_key(shop: KeyShop) -> None:
    document = shop.call("GET", "/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].items()
    assert scheme[1]["name"] == "X-API-Key"
    assert {scheme[0]: []} in document["security"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"401", "403", "429"} <= set(operation["responses"])
            assert ("security" in operation) == ((method.upper(), path) in FOR_EVERYBODY), path


def test_how_a_list_came_about_is_for_a_private_key(shop: KeyShop) -> None:
    for path, body in (
        ("/v1/recommend", {"explain_item_ids": ["fruit1"]}),
        ("/v1/page", {"slots": [{}, {"explain": True}]}),
    ):
        assert problem(shop.ask(body, path), 403)["errors"][0]["field"] == "explain"
        assert shop.call("POST", path, shop.private, json=body).status_code == 200


def test_a_page_records_for_itself_and_promotes_by_public_columns(make_shop: MakeShop) -> None:
    shop = make_shop(public_columns=("title",))
    view = {"event_type": "view_item", "item_id": "fruit1"}
    body: dict[str, Any] = {"visitor_id": "v1", "events": [view], "record": True}
    assert shop.ask(body).json()["recorded"] == {"accepted": 1, "duplicates": 0}
    assert shop.ask({**body, "user_id": "ann"}).status_code == 403
    answer = shop.ask({**body, "user_id": "ann", "user_token": shop.token("ann")})
    assert answer.json()["recorded"]["accepted"] == 1
    hidden = {"name": "x", "filter": "brand = 'Acme'", "share": 0.5}
    details = problem(shop.ask({"promotions": [hidden]}), 422)
    assert details["errors"][0]["field"] == "promotions.0.filter"


def test_where_a_refused_bundle_lies_is_told_with_a_private_key(shop: KeyShop, pipeline: Pipeline) -> None:
    path = "/srv/shop/bundles/monday/ranker.onnx: was changed"
    shop.shop.status.refused = shop.shop.status.fallback_reason = path
    for key in (None, "wrong", shop.public):
        ready = shop.call("GET", "/readyz", key).json()
        assert ready["bundle"] == pipeline.bundle.name
        assert "with a private key" in ready["refused_bundle"]
        assert "/srv/shop" not in json.dumps(ready)
    ready = shop.call("GET", "/readyz", shop.private).json()
    assert (ready["refused_bundle"], ready["fallback_reason"]) == (path, path)
