"""One more file in a package, as the documentation says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from added_file import AddFile, adder


@pytest.fixture
def added_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddFile]:
    """`added_file(package, "class Classics", name="classics")`"""
    yield from adder(tmp_path, monkeypatch)
