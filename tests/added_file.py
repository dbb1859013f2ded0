"""The examples of docs/extending.md, put into place as a reader of it would: one more file in a package."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
AddFile = Callable[..., str]


def example(marker: str) -> str:
    """The one Python block of the page that holds `marker`."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (found,) = [block for block in blocks if marker in block]
    return found


def adder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddFile]:
    """A function that puts an example into a package, as the module `name`, until the test ends."""
    added: list[str] = []

    def add(package: ModuleType, marker: str, *, name: str) -> str:
        (folder / f"{name}.py").write_text(example(marker), encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        importlib.invalidate_caches()
        added.append(f"{package.__name__}.{name}")
        return name

    yield add
    for module in added:
        sys.modules.pop(module, None)
