"""docs/api.md names every endpoint and every field."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pages import DOCS
from pydantic import BaseModel

from serving.http import schemas
from serving.http.app import build_app
from serving.http.service import Service
from serving.state.live_events import LiveEvent

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
    return build_app(cast(Service, service), max_body_bytes=1_000).openapi()


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
