from __future__ import annotations

from pathlib import Path

import pytest

from configs.load import dump_config, load_config
from scripts.run_settings import log_ignored_settings
from training.runs.run import Run


def test_the_note_on_another_tracking_server_leaves_its_login_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tmp_path, name="one")
    theirs = load_config(overrides=["tracking.uri=https://ann:secret@theirs.example"])
    (run.folder / "config.yaml").write_text(dump_config(theirs), encoding="utf-8")
    log_ignored_settings(load_config(overrides=["tracking.uri=https://bob:hidden@ours.example"]), run)
    note = capsys.readouterr().err
    assert "theirs.example" in note
    assert "ours.example" in note
    assert "secret" not in note
    assert "hidden" not in note


def test_settings_of_the_moment_are_not_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The gate's are the command's, whatever the run was trained with."""
    run = Run.create(tmp_path, name="one")
    (run.folder / "config.yaml").write_text(dump_config(load_config()), encoding="utf-8")
    log_ignored_settings(load_config(overrides=["gate.confidence=0.8", "training.seed=3"]), run)
    note = capsys.readouterr().err
    assert "training.seed=0 (not 3)" in note
    assert "gate" not in note
