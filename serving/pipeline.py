"""State in, list out: the pipeline that the server runs and that the evaluation replays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serving.answer import Answer, Query

if TYPE_CHECKING:
    from serving.bundle import Bundle


class Pipeline:
    """A bundle ready to answer. Safe to call from several threads."""

    bundle: Bundle

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read and verify a bundle folder; raises ArtefactError."""
        raise AssertionError("under construction")

    def recommend(self, query: Query) -> Answer:
        """Answer one query."""
        raise AssertionError("under construction")
