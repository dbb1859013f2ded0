"""The OpenAPI document says what happens: made requests get the statuses, headers and bodies that it names,
valid ones are accepted, invalid ones refused, and none is a fault of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hand_made_bundle import write_bundle
from http_shop import Shop
from schemathesis import GenerationMode
from schemathesis.checks import negative_data_rejection, positive_data_acceptance

from configs.settings.services import ServingConfig
from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore

TRIES = 30
"""Of each kind, for each operation."""
BEYOND_A_SCHEMA = {
    ("POST /v1/recommend", GenerationMode.POSITIVE): positive_data_acceptance,
    ("POST /v1/page", GenerationMode.POSITIVE): positive_data_acceptance,
    ("POST /v1/page", GenerationMode.NEGATIVE): negative_data_rejection,
    ("POST /v1/rank", GenerationMode.POSITIVE): positive_data_acceptance,
    ("POST /v1/rank", GenerationMode.NEGATIVE): negative_data_rejection,
    ("POST /v1/events", GenerationMode.NEGATIVE): negative_data_rejection,
    ("GET /v1/events/collect", GenerationMode.POSITIVE): positive_data_acceptance,
    ("POST /v1/recommend", GenerationMode.NEGATIVE): negative_data_rejection,
    ("POST /v1/users/merge", GenerationMode.POSITIVE): positive_data_acceptance,
    ("POST /v1/users/merge", GenerationMode.NEGATIVE): negative_data_rejection,
    ("POST /v1/items", GenerationMode.NEGATIVE): negative_data_rejection,
    ("POST /v1/items", GenerationMode.POSITIVE): positive_data_acceptance,
    ("PUT /v1/items/{item_id}", GenerationMode.POSITIVE): positive_data_acceptance,
    ("PUT /v1/items/{item_id}", GenerationMode.NEGATIVE): negative_data_rejection,
    ("DELETE /v1/items/{item_id}", GenerationMode.POSITIVE): positive_data_acceptance,
}
"""Surfaces and columns are those of the shop; filters, events, ids and currencies have rules that no schema
says; an invalid event is rejected in a response of 200; ids are measured without the blanks around them, and
may be numbers; and a very long text is refused with 413, which the check does not know."""
VALID = (
    "POST /v1/recommend",
    "POST /v1/page",
    "POST /v1/rank",
    "POST /v1/events",
    "GET /v1/events/collect",
    "GET /v1/items",
    "POST /v1/items",
    "GET /v1/items/{item_id}",
    "PUT /v1/items/{item_id}",
    "DELETE /v1/items/{item_id}",
    "GET /v1/shop",
    "GET /v1/shop/users",
    "POST /v1/users/merge",
    "GET /v1/users/{user_id}",
    "PUT /v1/users/{user_id}",
    "DELETE /v1/users/{user_id}",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
)
INVALID = (
    "POST /v1/recommend",
    "POST /v1/page",
    "POST /v1/rank",
    "POST /v1/events",
    "GET /v1/items",
    "POST /v1/items",
    "PUT /v1/items/{item_id}",
    "POST /v1/users/merge",
    "PUT /v1/users/{user_id}",
    "GET /v1/shop/users",
    "GET /v1/users/{user_id}",
)
"""What can be sent wrongly to them."""


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`GET /path` -> the operation of a shop's document, with the app behind it."""
    folder = tmp_path_factory.mktemp("contract")
    with EventStore.open(folder / "events.db") as store:
        shop = Shop(Pipeline.load(write_bundle(folder / "bundle")), store, serving=ServingConfig())
        document = schemathesis.openapi.from_asgi("/openapi.json", shop.app)
        yield {found.ok().label: found.ok() for found in document.get_all_operations()}


def test_every_operation_is_tried(operations: dict[str, Any]) -> None:
    assert sorted(operations) == sorted(VALID)


@pytest.mark.parametrize("label", VALID)
def test_valid_requests_are_answered_as_documented(operations: dict[str, Any], label: str) -> None:
    try_requests(operations[label], GenerationMode.POSITIVE)


@pytest.mark.parametrize("label", INVALID)
def test_invalid_requests_are_refused_as_documented(operations: dict[str, Any], label: str) -> None:
    try_requests(operations[label], GenerationMode.NEGATIVE)


def try_requests(operation: Any, mode: GenerationMode) -> None:
    """The same requests each time."""
    beyond = BEYOND_A_SCHEMA.get((operation.label, mode))

    @hypothesis.settings(
        max_examples=TRIES,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def answered(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=[beyond] if beyond else [])

    answered()
