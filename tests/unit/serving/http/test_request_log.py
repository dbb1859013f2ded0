"""Every response has a request id; what fails or is slow is logged without ids of users."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serving.deploy.json_log import JsonFormatter, LogSettings, log_to_file
from serving.http.problems import install_problem_handlers
from serving.http.request_log import RequestLog


def build(*, slow_seconds: float = 10, with_user_ids: bool = False) -> RequestLog:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/v1/users/{user_id}")
    async def users(user_id: str) -> dict[str, str]:
        if user_id == "broken":
            raise KeyError(user_id)
        return {"user_id": user_id}

    return RequestLog(app, slow_seconds=slow_seconds, with_user_ids=with_user_ids)


def get(app: RequestLog, *paths: str, headers: dict[str, str] | None = None) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(ask())


@pytest.fixture
def log_file(tmp_path: Path) -> Any:
    settings = LogSettings(tmp_path / "logs" / "serve.jsonl", with_user_ids=False, slow_seconds=1)
    log_to_file(settings)
    yield settings.file
    shopkeeper = logging.getLogger("shopkeeper")
    shopkeeper.removeHandler(shopkeeper.handlers[-1])
    shopkeeper.setLevel(logging.NOTSET)


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_sane_request_id_is_returned_and_another_is_replaced() -> None:
    app = build()
    (own,) = get(app, "/v1/users/ann", headers={"X-Request-ID": "checkout-17.a:b"})
    assert own.headers["x-request-id"] == "checkout-17.a:b"
    for odd in ("", "two words", 'quo"te', "x" * 129):
        (made,) = get(app, "/v1/users/ann", headers={"X-Request-ID": odd})
        assert len(made.headers["x-request-id"]) == 32
    first, second = get(app, "/v1/users/ann", "/v1/users/ann")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_a_failed_request_is_found_in_the_log_by_its_id_and_names_no_user(log_file: Path) -> None:
    (failed,) = get(build(), "/v1/users/broken")
    request_id = failed.headers["x-request-id"]
    assert failed.status_code == 500
    assert request_id in failed.json()["detail"]
    assert "serve.jsonl" in failed.json()["detail"]
    unexpected, request = entries(log_file)
    assert unexpected["request_id"] == request["request_id"] == request_id
    assert unexpected["error"] == "KeyError"
    assert "in users" in unexpected["stack"]
    assert (request["level"], request["logger"]) == ("error", "shopkeeper.http")
    assert (request["route"], request["status"]) == ("/v1/users/{user_id}", 500)
    assert request["time"].endswith("Z")
    assert "/users/broken" not in log_file.read_text()
    assert "'broken'" not in log_file.read_text()


def test_with_the_setting_the_path_and_the_message_are_logged(log_file: Path) -> None:
    shopkeeper = logging.getLogger("shopkeeper")
    shopkeeper.handlers[-1].setFormatter(JsonFormatter(with_user_ids=True))
    get(build(with_user_ids=True), "/v1/users/broken")
    unexpected, request = entries(log_file)
    assert unexpected["error_message"] == "'broken'"
    assert request["path"] == "/v1/users/broken"


def test_answers_are_not_logged_and_slow_ones_once_a_second(
    log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(build(), "/v1/users/ann", "/nowhere")
    assert not log_file.exists()
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    slow = build(slow_seconds=0)
    get(slow, *["/v1/users/ann"] * 3)
    now += 1.5
    get(slow, "/v1/users/ann")
    assert [entry["message"] for entry in entries(log_file)] == ["slow request"] * 2
    assert entries(log_file)[1]["slow_requests_not_logged"] == 2
    assert "ann" not in log_file.read_text()
