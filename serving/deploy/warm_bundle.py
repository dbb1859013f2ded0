"""A bundle from its folder to its first lists, so that no caller pays for what first lists cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from configs.exceptions import ArtefactError, ServingError
from features.core.artefact import locked
from serving.http.service import Service
from serving.recommend.pipeline import Pipeline


def warm_service(folder: Path, *, service_of: Callable[[Pipeline], Service], turn: Path) -> Service:
    """Read and verify a bundle, bring its catalogue up to date, and make a list on each of its surfaces. Any
    thread may do it.

    Of the processes that share the folder `turn` one makes them at a time: the first compiles, the others
    read what it made. Raises ArtefactError, also where a list cannot be made, and the errors that are no
    fault of the bundle as they are.
    """
    pipeline = Pipeline.load(folder)
    with locked(turn):
        try:
            service = service_of(pipeline)
            service.warm_up()
            _ = service.live.new_items  # what the first new item needs
        except (ServingError, OSError, MemoryError):
            raise
        except Exception as error:
            raise ArtefactError(
                f"{folder}: its first list failed ({type(error).__name__}: {error}). Export it anew."
            ) from error
    return service
