"""What libraries would send to their makers is off, unless the user has decided otherwise."""

from __future__ import annotations

import os
from typing import Final

TELEMETRY_OFF: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables that the libraries read when they are imported. ONNX Runtime would otherwise make an
id of the machine and queue events in a database below `~/.cache`, from its import on."""


def disable_telemetry() -> None:
    """For this process and those that it starts. Call it before the libraries are imported."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
