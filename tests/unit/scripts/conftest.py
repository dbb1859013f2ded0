from __future__ import annotations

import pytest
from command_line import RunMain, runner


@pytest.fixture
def shopkeeper(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    """`shopkeeper("train", "--out", folder)`: the command line, in this process."""
    return runner(monkeypatch, capsys)
