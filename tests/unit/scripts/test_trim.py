"""`shopkeeper events trim`, and what `serve` does by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from command_line import RunMain

from configs.load import load_config
from scripts.trim import keep_trimming
from serving.state.event_log import Event
from serving.state.store import EventStore

DAY = 86_400 * 10**6


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """With an event of 1970 and one of today."""
    now = time.time_ns() // 1000
    with EventStore.open(tmp_path / "events.db") as store:
        events = [Event(f"e{at}", 0, "purchase", at, user_id="ann", item_id="tea") for at in (DAY, now)]
        store.append_now(events, received_at=now)
    return tmp_path


def num_events(workspace: Path) -> int:
    with EventStore.open(workspace / "events.db") as store:
        return store.num_events("ann")


def test_the_command_counts_keeps_and_deletes(workspace: Path, shopkeeper: RunMain, tmp_path: Path) -> None:
    trim = ("events", "trim", "--before", "2000-01-01", "--out", workspace)
    done = shopkeeper(*trim)
    assert done.out == (
        "0 events from before 2000-01-01T00:00:00Z deleted; 1 kept, because no export has them: `shopkeeper "
        "events export` first, or --force\n"
    )
    assert shopkeeper("events", "export", "--to", tmp_path / "archive", "--out", workspace).status == 0
    done = shopkeeper(*trim, "--dry-run")
    assert done.out == "1 events from before 2000-01-01T00:00:00Z would be deleted\n"
    assert num_events(workspace) == 2
    assert shopkeeper(*trim, "--vacuum").out == "1 events from before 2000-01-01T00:00:00Z deleted\n"
    assert num_events(workspace) == 1
    assert shopkeeper("events", "trim", "--keep-days", 365, "--out", workspace).out.startswith("0 events")


@pytest.mark.parametrize("options", [(), ("--before", "2000-01-01", "--keep-days", "3")])
def test_one_moment_must_be_given(options: tuple[str, ...], workspace: Path, shopkeeper: RunMain) -> None:
    done = shopkeeper("events", "trim", *options, "--out", workspace)
    assert (done.status, "--before 2024-01-31, or --keep-days 365" in done.err) == (2, True)


def test_a_server_with_the_setting_trims_at_its_start(
    workspace: Path, shopkeeper: RunMain, tmp_path: Path
) -> None:
    shopkeeper("events", "export", "--to", tmp_path / "archive", "--out", workspace)
    keep_trimming(load_config(workspace=workspace))
    assert num_events(workspace) == 2, "all are kept by default"
    keep_trimming(load_config(overrides=["serving.keep_events_days=30"], workspace=workspace))
    until = time.monotonic() + 10
    while num_events(workspace) == 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert num_events(workspace) == 1
