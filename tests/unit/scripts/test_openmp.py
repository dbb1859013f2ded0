"""Threads that wait for one another sleep, unless the user has decided otherwise."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import ctypes, sys
from scripts.cli import main
assert not {"numpy", "torch"} & set(sys.modules)
library = sys.argv.pop()
try:
    main()
finally:
    ctypes.CDLL(library)
"""
"""The library reads the environment when it is loaded."""


@pytest.mark.parametrize(
    ("setting", "spins"),
    [({}, "0"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "30000000000"), ({"GOMP_SPINCOUNT": "9"}, "9")],
)
def test_the_command_line_lets_waiting_threads_sleep(setting: dict[str, str], spins: str) -> None:
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    libraries = [str(path) for path in Path(spec.origin).parent.glob("lib/libgomp*.so*")]
    if not libraries:
        pytest.skip("this build of torch has another OpenMP")
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "--version", libraries[0]],
        env={**environment, "OMP_DISPLAY_ENV": "VERBOSE", "PYTHONPATH": os.pathsep.join(sys.path), **setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr, done.stderr
