"""A replica that cannot load its bundle serves the last one that can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from configs.exceptions import ArtefactError
from serving.deploy.notices import logger
from serving.http.bundle_status import BundleStatus

Made = TypeVar("Made")


@dataclass(frozen=True)
class Loaded(Generic[Made]):
    """What a replica starts with."""

    made: Made
    folder: Path
    """Of the bundle"""
    status: BundleStatus
    """Says why, where the bundle stands in for another"""


def load_first(bundles: Sequence[Path], load: Callable[[Path], Made]) -> Loaded[Made]:
    """What `load` makes of the first bundle that can be loaded. Raises the ArtefactError of the first one
    when none can be."""
    failures: list[ArtefactError] = []
    for folder in bundles:
        try:
            made = load(folder)
        except ArtefactError as failure:
            failures.append(failure)
            continue
        if not failures:
            return Loaded(made, folder, BundleStatus())
        reason = f"{folder} is served instead of {bundles[0]}. {failures[0]}"
        logger.error("%s", reason)
        return Loaded(made, folder, BundleStatus(fallback_reason=reason, refused=str(failures[0])))
    raise failures[0]
