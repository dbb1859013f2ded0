"""Who orders the list of somebody without a history: what is known of them, or what everybody gets."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings.recommend import SurfaceConfig
from features.retriever import ScoredItems
from serving.recommend.candidates import KnownUser
from serving.recommend.request import Query


def stranger_retriever(
    surface: SurfaceConfig, query: Query, known: KnownUser, *, is_shared: Callable[[str, ScoredItems], bool]
) -> str | None:
    """`surface.strangers`, where it gives a stranger something of their own (by their attributes, or by where
    the request comes from), which `is_shared` tells; else None."""
    name = surface.strangers
    if name is None or not query.is_stranger:
        return None
    found = known.retrieved[name]
    return name if len(found.items) and not is_shared(name, found) else None
