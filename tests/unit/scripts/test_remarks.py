from __future__ import annotations

from pathlib import Path

import pytest

from configs.load import dump_config, load_config
from scripts.run_settings import remark_differences
from training.runs.run import Run


def test_a_remark_on_another_tracking_server_leaves_its_login_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tmp_path, name="one")
    theirs = load_config(overrides=["tracking.uri=https://ann:secret@theirs.example"])
    (run.folder / "config.yaml").write_text(dump_config(theirs), encoding="utf-8")
    remark_differences(load_config(overrides=["tracking.uri=https://bob:hidden@ours.example"]), run)
    said = capsys.readouterr().err
    assert "theirs.example" in said
    assert "ours.example" in said
    assert "secret" not in said
    assert "hidden" not in said
