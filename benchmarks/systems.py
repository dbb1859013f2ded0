"""The names that benchmarks compare under: those of the evaluation, with labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from features.retrievers import baseline_retriever_names
from features.retrievers.encoder import EncoderRetriever
from training.evaluation.systems import MOST_BOUGHT, PIPELINE, system_label

__all__ = ["ENCODER", "MOST_BOUGHT", "PIPELINE", "baseline_labels", "published_baseline_labels"]

ENCODER: Final = EncoderRetriever.name
"""With the pipeline, an evaluated system that has a row for every model."""


def baseline_labels() -> Mapping[str, str]:
    """Evaluated system → its label in tables, for the systems that do not depend on the model."""
    names = (*(name for name in baseline_retriever_names() if name != ENCODER), MOST_BOUGHT)
    return {name: system_label(name) for name in names}


def published_baseline_labels() -> Mapping[str, str]:
    """Baseline of the published protocols → its label in tables."""
    return {
        "popularity": "popularity: training events of each item",
        "repurchase": "purchase history, most frequent item first",
        "co_occurrence": "co-occurrence: items of the same users, then popularity",
        "next_basket": "next basket: items that came next, then popularity",
    }
