"""The folder of a test sets its marker: tests/unit → `unit`, and so on."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(item.path.relative_to(_HERE).parts[0])
