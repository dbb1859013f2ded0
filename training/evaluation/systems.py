"""What a table compares: the pipeline, each retriever alone, and one baseline."""

from __future__ import annotations

from typing import Final

from features.retrievers import retriever_class, retriever_names

PIPELINE: Final = "pipeline"
MOST_BOUGHT: Final = "most_bought"
"""A baseline that no list is made of: the user's items by count, without decay."""

_LABELS: Final = {PIPELINE: "the pipeline", MOST_BOUGHT: "most bought"}


def system_label(system: str) -> str:
    """What people read in tables and reviews."""
    if system in _LABELS:
        return _LABELS[system]
    return retriever_class(system).label if system in retriever_names() else system
