"""A run's settings for MLflow and for messages, without the login that a tracking URI may hold.

Only the run's own file keeps the login.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from training.runs.run import Run

_PARTS = re.compile(r"(?P<scheme>[^:/]+://)(?:[^/?][^?]*@)?(?P<place>/[^?]*|[^@?]*)(?:\?[^@]*)?")


def tracked_settings(run: Run) -> dict[str, Any]:
    """The run's `config.yaml`, its `tracking.uri` without a login."""
    settings: dict[str, Any] = yaml.safe_load((run.folder / "config.yaml").read_text(encoding="utf-8"))
    uri = (settings.get("tracking") or {}).get("uri")
    return {**settings, "tracking": {**settings["tracking"], "uri": without_login(uri)}} if uri else settings


def without_login(uri: str) -> str:
    """`https://user:password@host/path?token=x` → `https://host/path`; the scheme alone where it is unclear
    where the login ends."""
    scheme, separator, _ = uri.partition("://")
    found = _PARTS.fullmatch(uri)
    if not separator:
        return uri  # a folder, or a name such as `databricks`
    return found["scheme"] + found["place"] if found else f"{scheme}://…"
