"""A replica that cannot load its bundle serves the last one that can be loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.exceptions import ArtefactError
from serving.deploy.notices import logger
from serving.http.bundle_status import BundleStatus
from serving.recommend.pipeline import Pipeline


@dataclass(frozen=True)
class Loaded:
    """The bundle that a replica starts with."""

    pipeline: Pipeline
    folder: Path
    status: BundleStatus
    """Says why, where it stands in for another"""


def load_pipeline(bundles: Sequence[Path], load: Callable[[Path], Pipeline] = Pipeline.load) -> Loaded:
    """The first bundle that can be loaded. Raises the ArtefactError of the first one when none can be."""
    failures: list[ArtefactError] = []
    for folder in bundles:
        try:
            pipeline = load(folder)
        except ArtefactError as failure:
            failures.append(failure)
            continue
        if not failures:
            return Loaded(pipeline, folder, BundleStatus())
        reason = f"{folder} is served instead of {bundles[0]}. {failures[0]}"
        logger.error("%s", reason)
        return Loaded(pipeline, folder, BundleStatus(fallback_reason=reason, refused=str(failures[0])))
    raise failures[0]
