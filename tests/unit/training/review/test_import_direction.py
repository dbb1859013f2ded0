"""Evaluation does not know its pages, pages do not know MLflow, and no two modules of training import each
other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted((ROOT / "training").rglob("*.py"))}


def imports(name: str) -> Iterator[str]:
    """The modules of training that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            full = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (one if one in MODULES else node.module for one in full)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


IMPORTS = {name: set(imports(name)) & set(MODULES) - {name} for name in MODULES}


def importers(package: str) -> set[str]:
    """The modules outside a package that import from it."""

    def inside(name: str) -> bool:
        return name == package or name.startswith(f"{package}.")

    return {name for name, found in IMPORTS.items() if not inside(name) and any(map(inside, found))}


def test_no_module_of_training_imports_itself_through_others() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_evaluation_knows_neither_its_pages_nor_mlflow() -> None:
    evaluation = {name for name in MODULES if name.startswith("training.evaluation")}
    assert "training.evaluation.replay" in evaluation
    below_review = {name for name in evaluation if not name.startswith("training.evaluation.review")}
    assert below_review & importers("training.evaluation.review") == set()
    for tracking in ("training.runs.tracking", "training.runs.tracked_evaluation"):
        assert evaluation & importers(tracking) == set()
