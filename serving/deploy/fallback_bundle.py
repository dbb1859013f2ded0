"""A replica that cannot load its bundle serves the last one that can be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from configs.exceptions import ArtefactError
from serving.deploy.notices import logger
from serving.recommend.pipeline import Pipeline


def load_pipeline(bundles: Sequence[Path]) -> tuple[Pipeline, str | None]:
    """The pipeline of the first bundle that can be loaded, and where it stands in for another, why.

    Raises the ArtefactError of the first bundle when none can be loaded.
    """
    failures: list[ArtefactError] = []
    for bundle in bundles:
        try:
            pipeline = Pipeline.load(bundle)
        except ArtefactError as failure:
            failures.append(failure)
            continue
        if not failures:
            return pipeline, None
        reason = f"{bundle} is served instead of {bundles[0]}. {failures[0]}"
        logger.error("%s", reason)
        return pipeline, reason
    raise failures[0]
