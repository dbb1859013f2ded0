"""The data set's file, found and prepared once: a prepared workspace needs neither the file nor Polars."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.published_references import is_published_copy
from configs.console import log
from configs.exceptions import ConfigError
from configs.schema import Config
from features.core.artefact import sha256_file
from training.runs.run import write_json

MARKER = "benchmark_file.json"
"""Beside the dataset in the workspace: the file that it was made of, and the settings."""


def found_file(config: Config, *, files: Path | None) -> Path | None:
    """`data.events`, else a file of that name at any depth of `files`; None where there is neither.

    Raises ConfigError where `data.events` is not set.
    """
    events = config.data.events
    if events is None:
        raise ConfigError("data.events names no file: name it with --file.")
    if events.is_file():
        return events
    return next(iter(sorted(files.rglob(events.name))), None) if files else None


def prepared(config: Config, file: Path | None) -> dict[str, str]:
    """Prepare `file` unless the workspace holds its dataset; returns the file's `name` and `sha256`.

    Raises ConfigError without a file where the workspace does not hold the dataset either.
    """
    marker = config.workspace / MARKER
    before: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8")) if marker.is_file() else {}
    settings = {
        "data": config.data.model_dump(mode="json", exclude={"events"}),
        "prepare": config.prepare.model_dump(mode="json"),
    }
    is_current = before.get("settings") == settings and (config.workspace / "dataset").is_dir()
    if file is None:
        if not is_current:
            raise ConfigError(
                f"{config.data.events}: no such file here, and {config.workspace} holds no dataset made of "
                "it. docs/data.md says where to get it; name its folder with --files, or itself with --file."
            )
        return dict(before["file"])
    entry = {"name": file.name, "sha256": sha256_file(file)}
    if is_published_copy(**entry) is False:
        log(
            f"{file.name}: sha256 {entry['sha256'][:8]}… is not that of the published copy, so figures "
            "cannot be compared."
        )
    if not is_current or before["file"] != entry:
        from features.prepare import prepare  # needs Polars, which a machine that only trains may lack

        marker.unlink(missing_ok=True)
        data = config.data.model_copy(update={"events": file})
        prepare(config.model_copy(update={"data": data}), now=datetime.now(UTC), progress=log)
        write_json(marker, {"file": entry, "settings": settings})
    return entry
