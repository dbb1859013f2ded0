"""docs/api.md names every endpoint, every field and every default, and its examples run."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from hand_made_bundle import write_bundle
from pages import DOCS, blocks
from pydantic import BaseModel
from starlette.types import ASGIApp

from configs.settings.services import ServingConfig
from serving.access.user_tokens import UserTokenError, user_of_token
from serving.http import item_schemas, schemas, user_schemas
from serving.http.app import build_api, build_app
from serving.http.prometheus import RequestMetrics
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import LiveEvent
from serving.state.store import EventStore

PAGE = (DOCS / "api.md").read_text(encoding="utf-8")
DATA = (DOCS / "data.md").read_text(encoding="utf-8")
MODELS = [
    one
    for module in (schemas, item_schemas, user_schemas)
    for one in vars(module).values()
    if isinstance(one, type) and (is_dataclass(one) or issubclass(one, BaseModel)) and one is not BaseModel
]
"""Requests are pydantic models, responses are dataclasses."""


def openapi() -> dict[str, Any]:
    bundle = SimpleNamespace(name="bundle", version="1", item_index={}, item_ids=[])
    service = SimpleNamespace(pipeline=SimpleNamespace(bundle=bundle))
    metrics = RequestMetrics(bundle_name="", bundle_version="")
    return build_api(cast(Service, service), metrics, max_new_items=0).openapi()


def test_every_endpoint_is_on_the_page() -> None:
    endpoints = [
        f"{method.upper()} {path}" for path, methods in openapi()["paths"].items() for method in methods
    ]
    assert len(endpoints) > 8
    assert [endpoint for endpoint in endpoints if endpoint.replace(":path", "") not in PAGE] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_on_the_page(model: Any) -> None:
    """Those of an event are the columns of docs/data.md."""
    text = PAGE + (DATA if model is LiveEvent else "")
    names = [field.name for field in fields(model)] if is_dataclass(model) else list(model.model_fields)
    assert names
    assert [name for name in names if not re.search(rf"(?<!\w){name}\b", text)] == []


def test_every_code_of_a_reason_is_on_the_page() -> None:
    code = openapi()["components"]["schemas"]["ItemReason"]["properties"]["code"]
    codes = re.findall(r"`(\w+)`", code["description"])
    assert len(codes) > 3
    assert [code for code in codes if f"`{code}`" not in PAGE] == []


def test_every_default_of_a_query_parameter_is_on_the_page() -> None:
    defaults = [
        (path.replace(":path", ""), parameter["name"], parameter["schema"].get("default"))
        for path, methods in openapi()["paths"].items()
        for parameter in methods.get("get", {}).get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("default")
    ]
    assert ("/v1/users/{user_id}", "limit", 50) in defaults
    for path, name, default in defaults:
        (row,) = [line for line in PAGE.splitlines() if f"`GET {path}` |" in line]
        assert f"`{name}` (default {default})" in row, path


def test_the_limit_of_every_list_in_a_request_is_on_the_page() -> None:
    rows = {name: row for row in PAGE.splitlines() for name in re.findall(r"^\| `(\w+)` \|", row)}
    for name, field in schemas.RecommendRequest.model_fields.items():
        limits = [one.max_length for one in field.metadata if hasattr(one, "max_length")]
        if limits and field.annotation is not str:
            assert f"at most {limits[0]}" in rows[name], name
    assert f"1 to {schemas.MAX_LIST_LENGTH} events a request" in PAGE


@pytest.mark.parametrize("page", ["api.md", "serving.md"])
def test_every_example_is_answered(page: str, tmp_path: Path) -> None:
    """What `curl` sends, sent to the app."""
    text = (DOCS / page).read_text(encoding="utf-8")
    calls = re.findall(r"^\$ (curl -s (?:[^\n]*\\\n)*[^\n]*)$", text, flags=re.MULTILINE)
    examples = [call for call in calls if "127.0.0.1:8000/v1" in call]
    pipeline = Pipeline.load(write_bundle(tmp_path / "bundle"))

    async def answers(app: ASGIApp) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return [await _sent(client, call) for call in examples]

    with EventStore.open(tmp_path / "events.db") as store:
        app = build_app(Service(pipeline, store, max_events_kept=10), ServingConfig())
        found = asyncio.run(answers(app))
    assert len(found[0].json()["items"]) == 5
    assert [
        (call, one.text) for call, one in zip(examples, found, strict=True) if one.status_code != 200
    ] == []
    recorded = [one.json() for call, one in zip(examples, found, strict=True) if "/v1/events " in call]
    assert recorded == [{"accepted": 1, "duplicates": 0, "rejected": []}]


async def _sent(client: httpx.AsyncClient, call: str) -> httpx.Response:
    """What a call of curl sends."""
    method = re.search(r"-X (\w+)", call)
    body = re.search(r"-d '(.*?)'", call, flags=re.DOTALL)
    (path,) = re.findall(r"http://127\.0\.0\.1:8000([^\s']+)", call)
    content = body[1].encode() if body else None
    return await client.request(method[1] if method else "POST" if body else "GET", path, content=content)


def test_a_token_made_as_on_the_page_counts() -> None:
    [code] = blocks(DOCS / "api.md", "python")
    names: dict[str, Any] = {}
    exec(code, names)
    secret = "a secret of thirty-two bytes or more"
    token = names["user_token"]("1234", secret, minutes=2)
    assert user_of_token(token, secret=secret.encode(), now=time.time() + 110) == "1234"
    with pytest.raises(UserTokenError, match="has expired"):
        user_of_token(token, secret=secret.encode(), now=time.time() + 200)


def test_the_example_of_an_error_has_its_fields() -> None:
    (example,) = re.findall(r"```json\n(.*?)\n```", PAGE, flags=re.DOTALL)
    details = json.loads(example)
    assert set(details) == {field.name for field in fields(schemas.ProblemDetails)}
    assert set(details["errors"][0]) == {field.name for field in fields(schemas.FieldError)}
