"""Python as the base installation has it: what the extras alone bring cannot be imported, in any process of
the command."""

from __future__ import annotations

import os
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SITE = """
import os, sys


class Without:
    # A finder of modules that does not find some
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        spec = self.finder.find_spec(name, path, target)
        if name.partition(".")[0] not in ABSENT or spec is None:
            return spec
        # Ray brings some libraries inside its own package
        return spec if "thirdparty_files" in (spec.origin or "") else None


sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
open(os.path.join(os.path.dirname(__file__), f"{os.getpid()}.without"), "w").close()
"""


def environment(folder: Path) -> dict[str, str]:
    """For a process, and those that it starts: imports fail as in an environment made of the base
    dependencies alone.

    Each such process leaves a file `<process id>.without` in the folder.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"ABSENT = {sorted(absent())!r}\n{SITE}", encoding="utf-8")
    dropped = ("FORCE_COLOR", "COLUMNS", "PYTHONWARNINGS")
    return {name: value for name, value in os.environ.items() if name not in dropped} | {
        "PYTHONPATH": str(folder)
    }


def absent() -> set[str]:
    """Importable names that no base dependency, nor what it needs in turn, brings."""
    base = _closure(_project()["dependencies"]) | {"shopkeeper"}
    return {
        name
        for name, brought_by in packages_distributions().items()
        if not base & {canonicalize_name(one) for one in brought_by}
    }


def extras() -> dict[str, list[str]]:
    """The extras of pyproject.toml."""
    return dict(_project()["optional-dependencies"])


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _closure(dependencies: list[str]) -> set[str]:
    """The names of all distributions that these requirements bring into this environment."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(one) for one in dependencies]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in requirement.extras | {""}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                found.add(name)
                waiting += [
                    one for one in _needs(name) if one.marker is None or one.marker.evaluate({"extra": extra})
                ]
    return found


def _needs(name: str) -> list[Requirement]:
    try:
        return [Requirement(one) for one in requires(name) or ()]
    except PackageNotFoundError:
        return []
