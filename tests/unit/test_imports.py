"""Who may import whom: the arrows of the design, read from the source, and tried in fresh interpreters."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from configs import schema
from features.core import columns

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "configs": set(),
    "models": {"configs"},
    "features": {"configs"},
    "serving": {"features", "configs"},
    "training": {"features", "models", "serving", "configs"},
    "scripts": {"configs", "features", "models", "training", "serving"},
}
NOT_IN_SERVING = {"torch", "pytorch_lightning", "lightning", "onnx", "onnxscript"}
ABSENT_FOR_TRAINING = (
    "polars",
    "ray",
    "faiss",
    "mlflow",
    "onnxruntime",
    "onnx",
    "onnxscript",
    "fastapi",
    "scipy",
)
WITHOUT_POLARS = (
    "features/dataset.py",
    "features/histories.py",
    "features/core/artefact.py",
    "features/splits.py",
)


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import, also those inside functions; not those for the type checker
    alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield node.lineno, str(node.module).partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_follow_the_arrows(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    assert sources(package)
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(package)
        for line, name in imported(path)
        if (name in MAY_IMPORT and name not in allowed) or name == "tests"
    ]
    assert wrong == []


def test_serving_names_no_training_library() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources("serving")
        for line, name in imported(path)
        if name in NOT_IN_SERVING
    ]
    assert wrong == []


def test_what_training_reads_a_dataset_with_needs_no_polars() -> None:
    assert [
        name for name in WITHOUT_POLARS if "polars" in {found for _, found in imported(ROOT / name)}
    ] == []


def python(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_server_loads_no_training_library() -> None:
    python(
        "import sys, serving.recommend.pipeline, serving.http.app, serving.http.service\n"
        f"loaded = {sorted(NOT_IN_SERVING | {'models', 'training'})!r}\n"
        "loaded = [name for name in loaded if name in sys.modules]\n"
        "assert not loaded, loaded"
    )


def test_a_machine_with_torch_and_lightning_alone_can_train() -> None:
    python(
        "import sys\n"
        "class WithoutTheRest:\n"
        "    def __init__(self, finder):\n"
        "        self.finder = finder\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        absent = name.partition('.')[0] in {ABSENT_FOR_TRAINING!r}\n"
        "        return None if absent else self.finder.find_spec(name, path, target)\n"
        "sys.meta_path[:] = [WithoutTheRest(finder) for finder in sys.meta_path]\n"
        "import training.train, training.runs.resumable_run, scripts.run_settings\n"
        "import scripts.cli, serving.recommend.check_settings\n"
        "try:\n"
        "    import polars\n"
        "except ModuleNotFoundError:\n"
        "    pass\n"
        "else:\n"
        "    raise SystemExit('polars was importable, so this shows nothing')"
    )


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_the_package_is_the_one_of_this_repository(package: str) -> None:
    """`configs`, `models` and `serving` are common names: another installed package must not stand before
    ours."""
    assert Path(str(importlib.import_module(package).__file__)) == ROOT / package / "__init__.py"


def test_event_types_are_the_same_everywhere_and_keep_their_codes() -> None:
    assert get_args(schema.EventType) == columns.EVENT_TYPES
    assert [columns.EVENT_TYPE_CODE[name] for name in columns.EVENT_TYPES] == list(
        range(len(columns.EVENT_TYPES))
    )
    # datasets on disk hold these codes
    assert {
        name: columns.EVENT_TYPE_CODE[name]
        for name in ("view_item", "add_to_cart", "purchase", "refund", "contact")
    } == {
        "view_item": 3,
        "add_to_cart": 5,
        "purchase": 9,
        "refund": 10,
        "contact": 15,
    }
    assert set(columns.ITEM_EVENT_TYPES) <= set(columns.EVENT_TYPES)
    assert set(columns.EVENT_TYPE_ALIASES.values()) <= set(columns.EVENT_TYPES)
    assert not set(columns.EVENT_TYPE_ALIASES) & set(columns.EVENT_TYPES)
