"""What is kept of an interrupted refresh, when it is continued, and the lock that keeps a second one out."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import pytest
from command_line import runner

from configs.exceptions import RefreshRunningError
from training.refresh_state import STATE_FILE, RefreshState, refresh_lock


def interrupted(workspace: Path) -> RefreshState:
    state = RefreshState(settings="these", changed_at=0)
    state.step(workspace, "prepare", lambda: None)
    return state


def test_a_step_that_is_done_is_not_repeated_after_a_kill(tmp_path: Path) -> None:
    interrupted(tmp_path)
    found = RefreshState.continued(tmp_path, "these", hours=1)
    assert found is not None
    done: list[str] = []
    for name in ("prepare", "train"):
        found.step(tmp_path, name, partial(done.append, name))
    assert done == ["train"]
    assert list(found.seconds) == ["prepare", "train"]


def test_a_step_that_fails_is_done_again(tmp_path: Path) -> None:
    state = interrupted(tmp_path)
    with pytest.raises(ZeroDivisionError):
        state.step(tmp_path, "train", lambda: print(1 // 0))
    found = RefreshState.continued(tmp_path, "these", hours=1)
    assert found is not None
    assert list(found.seconds) == ["prepare"]


def test_what_is_finished_old_of_other_settings_or_unreadable_is_begun_anew(tmp_path: Path) -> None:
    state = interrupted(tmp_path)
    assert RefreshState.continued(tmp_path, "others", hours=1) is None
    path = tmp_path / STATE_FILE
    entries = json.loads(path.read_text())
    path.write_text(json.dumps({**entries, "changed_at": entries["changed_at"] - 3601}))
    assert RefreshState.continued(tmp_path, "these", hours=1) is None
    assert RefreshState.continued(tmp_path, "these", hours=2) is not None
    path.write_text(json.dumps({**entries, "moon_phase": 3}))
    assert RefreshState.continued(tmp_path, "these", hours=1) is None
    state.finished = True
    state.save(tmp_path)
    assert RefreshState.continued(tmp_path, "these", hours=1) is None


def test_a_second_refresh_exits_with_a_status_of_its_own_and_names_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with refresh_lock(tmp_path):
        with pytest.raises(RefreshRunningError, match=f"the process {os.getpid()}"), refresh_lock(tmp_path):
            pass
        done = runner(monkeypatch, capsys)("refresh", "--out", tmp_path, "--json")
    assert done.status == 4
    verdict = json.loads(done.out)
    assert verdict["outcome"] == "running"
    assert str(os.getpid()) in verdict["reason"]
    with refresh_lock(tmp_path):
        """It is free again."""


def test_an_error_is_a_verdict_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("refresh", "--out", tmp_path, "--set", "data.events=absent.csv", "--set")
    done = runner(monkeypatch, capsys)(*arguments, "tracking.enabled=false", "--json")
    assert done.status == 2
    assert json.loads(done.out)["outcome"] == "failed"
    assert "absent.csv: no such file" in json.loads(done.out)["reason"]
    assert "absent.csv: no such file" in done.err
