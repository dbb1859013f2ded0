"""A file is looked at once a second, and read when it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.access import watched_file
from serving.access.watched_file import WatchedFile


def test_a_change_counts_after_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_file, "_LOOK_SECONDS", 1.0)
    now = 100.0
    reads = 0

    def read(path: Path) -> str:
        nonlocal reads
        reads += 1
        return path.read_text(encoding="utf-8") if path.exists() else "absent"

    file = WatchedFile(tmp_path / "file", read, clock=lambda: now)
    assert file.content() == "absent"
    (tmp_path / "file").write_text("first", encoding="utf-8")
    assert file.content() == "absent"
    now += 1
    assert [file.content() for _ in range(3)] == ["first"] * 3
    now += 5
    assert file.content() == "first"
    assert reads == 2, "it was read anew without a change"
    (tmp_path / "file").unlink()
    now += 1
    assert file.content() == "absent"
