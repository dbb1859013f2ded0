from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from training.runs.environment import environment
from training.runs.record import RunRecord

ROOT = Path(__file__).parents[4]


def test_the_commit_is_that_of_the_checkout() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert environment()["commit"] == head
    assert isinstance(environment()["uncommitted_changes"], bool)


def test_every_entry_is_one_of_the_record() -> None:
    record = RunRecord(**environment())
    assert record.cpu
    assert record.hardware["cores"] == record.cores
