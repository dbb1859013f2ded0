"""docs/api.md names every endpoint, every field and every default, and its examples run."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from hand_made_bundle import write_bundle
from pages import DOCS
from pydantic import BaseModel
from starlette.types import ASGIApp

from configs.settings.services import ServingConfig
from serving.http import schemas
from serving.http.app import build_api, build_app
from serving.http.bundle_status import BundleStatus
from serving.http.prometheus import RequestMetrics
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline
from serving.state.live_events import LiveEvent
from serving.state.store import EventStore

PAGE = (DOCS / "api.md").read_text(encoding="utf-8")
DATA = (DOCS / "data.md").read_text(encoding="utf-8")
MODELS = [
    one
    for one in vars(schemas).values()
    if isinstance(one, type) and (is_dataclass(one) or issubclass(one, BaseModel)) and one is not BaseModel
]
"""Requests are pydantic models, responses are dataclasses."""


def openapi() -> dict[str, Any]:
    bundle = SimpleNamespace(name="bundle", version="1", item_index={}, item_ids=[])
    service = SimpleNamespace(pipeline=SimpleNamespace(bundle=bundle))
    return build_api(cast(Service, service), RequestMetrics(), status=BundleStatus()).openapi()


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
    examples = re.findall(r"curl -s http://127\.0\.0\.1:8000(\S+).*?-d '(.*?)'", text, flags=re.DOTALL)
    pipeline = Pipeline.load(write_bundle(tmp_path / "bundle"))

    async def answers(app: ASGIApp) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return [await client.post(path, content=body) for path, body in examples]

    with EventStore.open(tmp_path / "events.db") as store:
        app = build_app(Service(pipeline, store, max_events_kept=10), ServingConfig())
        *lists, recorded = asyncio.run(answers(app))
    assert len(lists[0].json()["items"]) == 5
    assert all(one.status_code == 200 for one in lists)
    assert recorded.json() == {"accepted": 1, "duplicates": 0, "rejected": []}


def test_the_example_of_an_error_has_its_fields() -> None:
    (example,) = re.findall(r"```json\n(.*?)\n```", PAGE, flags=re.DOTALL)
    details = json.loads(example)
    assert set(details) == {field.name for field in fields(schemas.ProblemDetails)}
    assert set(details["errors"][0]) == {field.name for field in fields(schemas.FieldError)}
