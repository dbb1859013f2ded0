"""Whether two results were measured with the same settings on the same file, on whatever machine, folder and
commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from configs.schema import Config

WITHOUT_EFFECT: dict[str, Any] = {
    "name": True,
    "workspace": True,
    "tracking": True,
    "serving": True,
    "surfaces": True,
    "ranker": True,
    "export": True,
    "retrievers": {"num_candidates"},
    "data": {"events"},
    "training": {"device", "checkpoint_minutes"},
}
"""Settings that change no figure of the published protocols, as pydantic's `exclude` takes them.

The protocols rank the whole catalogue with one system, so what only the served pipeline reads is among them:
surfaces, the ranker, the index, and how many candidates a retriever proposes.
"""


def settings_of(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """A result's settings, with today's defaults for newer ones; None where one of them no longer exists."""
    try:
        return _with_effect(Config.model_validate(yaml.safe_load(result["config"])))
    except ValidationError:
        return None


def same_settings(result: Mapping[str, Any], config: Config, file: Mapping[str, str]) -> bool:
    """Whether a kept result is what `config` on `file` would give."""
    return bool(result["file"]["sha256"] == file["sha256"]) and settings_of(result) == _with_effect(config)


def differ_in_seed_only(results: list[dict[str, Any]]) -> bool:
    """Whether results have the same file and the same settings but for the seed."""
    found = []
    for result in results:
        settings = settings_of(result)
        if settings is not None:
            settings["training"].pop("seed")
        found.append((result["file"]["sha256"], settings))
    return all(one == found[0] for one in found)


def _with_effect(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=WITHOUT_EFFECT)
