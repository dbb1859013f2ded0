"""The environment of a run: commit, versions and hardware, without which its figures cannot be reproduced."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout; without a `.git` where the package is installed."""


def environment() -> dict[str, Any]:
    """The entries of `RunRecord` of that name. `commit` and `uncommitted_changes` are None outside a
    checkout."""
    import torch

    in_checkout = (ROOT / ".git").exists()
    return {
        "commit": (_git("rev-parse", "HEAD") or None) if in_checkout else None,
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", ".", ":!docs"))
        if in_checkout
        else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _git(*arguments: str) -> str:
    """The output of git; empty where git is not installed."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
