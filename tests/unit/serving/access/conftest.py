"""Files that are looked at every time, so that no test waits for a second."""

from __future__ import annotations

import pytest

from serving.access import watched_file


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_file, "_LOOK_SECONDS", 0)
