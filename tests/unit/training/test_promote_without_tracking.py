"""A run is tracked where it was made, and nowhere while tracking is switched off."""

from __future__ import annotations

from pathlib import Path

from configs.schema import Config
from training.lifecycle import _tracked_settings
from training.runs.run import Run, write_settings


def test_a_command_without_tracking_leaves_mlflow_alone(tmp_path: Path) -> None:
    uri = "http://mlflow:5000"
    made_with = Config.model_validate({"workspace": tmp_path, "tracking": {"uri": uri}})
    run = Run(tmp_path / "runs" / "monday")
    run.folder.mkdir(parents=True)
    write_settings(run, made_with)
    present = Config.model_validate({"workspace": tmp_path})
    assert _tracked_settings(run, present).tracking.uri == uri
    without = Config.model_validate({"workspace": tmp_path, "tracking": {"enabled": False}})
    assert not _tracked_settings(run, without).tracking.enabled
