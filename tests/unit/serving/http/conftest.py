"""A shop for the tests of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle
from http_shop import Shop

from serving.recommend.pipeline import Pipeline
from serving.state.store import EventStore


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Read only."""
    return Pipeline.load(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


@pytest.fixture
def shop(pipeline: Pipeline, tmp_path: Path) -> Iterator[Shop]:
    """A shop with an empty event store."""
    with EventStore.open(tmp_path / "events.db") as store:
        yield Shop(pipeline, store)
