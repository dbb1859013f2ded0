"""Whether two results were measured with the same settings on the same file, whatever the machine, the place
and the commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from configs.schema import Config

OF_NO_CONSEQUENCE: dict[str, Any] = {
    "name": True,
    "workspace": True,
    "tracking": True,
    "serving": True,
    "surfaces": True,
    "ranker": True,
    "export": True,
    "data": {"events"},
    "training": {"device", "checkpoint_minutes"},
}
"""What changes no figure of the protocol."""


def settings_of(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """A result's settings, with the defaults of today for those that are newer; None where one of them is no
    more."""
    try:
        return _counting(Config.model_validate(yaml.safe_load(result["config"])))
    except ValidationError:
        return None


def same_settings(result: Mapping[str, Any], config: Config, file: Mapping[str, str]) -> bool:
    """Whether a kept result is what `config` on `file` would be."""
    return bool(result["file"]["sha256"] == file["sha256"]) and settings_of(result) == _counting(config)


def of_one_make(results: list[dict[str, Any]]) -> bool:
    """Whether results differ in nothing but the seed."""
    makes = []
    for result in results:
        settings = settings_of(result)
        if settings is not None:
            settings["training"].pop("seed")
        makes.append((result["file"]["sha256"], settings))
    return all(make == makes[0] for make in makes)


def _counting(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=OF_NO_CONSEQUENCE)
