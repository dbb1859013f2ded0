"""`shopkeeper recommend` over a bundle and an event store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from command_line import RunMain, runner
from hand_made_bundle import write_bundle

from serving.state.live_events import ExchangeRates, parse_event, to_rows
from serving.state.store import EventStore


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    return runner(monkeypatch, capsys)


def test_a_visitor_is_not_the_user_of_that_id(shopkeeper: RunMain, tmp_path: Path) -> None:
    bundle, workspace, now = write_bundle(tmp_path / "bundle"), tmp_path / "shop", time.time_ns() // 1000
    workspace.mkdir()
    with EventStore.open(workspace / "events.db") as store:
        for who, item in (("visitor_id", "cheese4"), ("user_id", "bread7")):
            event = parse_event({"event_type": "purchase", who: "ann", "item_id": item})
            store.append_now(to_rows(event, now=now, exchange_rates=ExchangeRates()), received_at=now)

    def first(*arguments: str) -> str:
        done = shopkeeper("recommend", *arguments, "--num", 1, "--bundle", bundle, "--out", workspace)
        assert done.status == 0, done.err
        return done.out

    assert "cheese4" in first("--visitor", "ann")
    assert "bread7" in first("--user", "ann")
    assert "bread7" in first("--user", "ann", "--visitor", "ann"), "signed in, they are the user"
    assert "nothing is known of this user" in first("--visitor", "nobody")
