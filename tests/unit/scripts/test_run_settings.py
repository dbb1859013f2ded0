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
