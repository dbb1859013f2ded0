"""What a fresh interpreter loads. Who may import whom is import-linter's (pyproject.toml)."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from configs.settings.event_types import EventType
from features.core import columns

ROOT = Path(__file__).parents[2]
PACKAGES = ("configs", "models", "features", "serving", "training", "scripts")
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


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_is_the_one_of_this_repository(package: str) -> None:
    """`configs`, `models` and `serving` are common names: another installed package must not stand before
    ours."""
    assert Path(str(importlib.import_module(package).__file__)) == ROOT / package / "__init__.py"


def test_event_types_are_the_same_everywhere_and_keep_their_codes() -> None:
    assert get_args(EventType) == columns.EVENT_TYPES
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
