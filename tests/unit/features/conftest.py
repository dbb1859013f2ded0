"""Tiny shops for the tests of the way from raw files to the dataset."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from configs.load import load_config
from configs.schema import Config
from features.ingest.report import Report
from features.prepare import prepare

HEADER = "event_type,timestamp,user_id,item_id,quantity,price,transaction_id"

MakeConfig = Callable[..., Config]
PrepareCsv = Callable[..., Report]


@pytest.fixture
def now() -> datetime:
    """The injected clock."""
    return datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
def make_config(workspace: Path) -> MakeConfig:
    """A config that takes a shop of any size and any share of rejected rows, unless the overrides say
    otherwise."""

    def make(events: Path, *overrides: str, reader: str = "csv") -> Config:
        lenient = [
            "prepare.min_item_events=1",
            "prepare.min_active_users=1",
            "prepare.min_window_users=0",
            "prepare.max_rejected_share=1",
        ]
        return load_config(
            overrides=[f"data.reader={reader}", f"data.events={events}", *lenient, *overrides],
            workspace=workspace,
        )

    return make


@pytest.fixture
def prepare_csv(tmp_path: Path, make_config: MakeConfig, now: datetime) -> PrepareCsv:
    """Prepare a CSV of events, given as its text."""

    def run(text: str | bytes, *overrides: str) -> Report:
        events = tmp_path / "events.csv"
        events.write_bytes(text if isinstance(text, bytes) else text.encode())
        return prepare(make_config(events, *overrides), now=now)

    return run


@pytest.fixture
def shop_csv() -> str:
    """A shop that is large enough for a go at the default settings: 30 users, 50 items, 1,200 purchases in
    baskets of two."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        f"purchase,{(start + timedelta(hours=70 * n + user)).isoformat()},"
        f"u{user},i{(user * 7 + n * 3) % 50},1,{1 + n % 5}.99,u{user}t{n // 2}"
        for user in range(30)
        for n in range(40)
    ]
    return "\n".join([HEADER, *rows]) + "\n"
