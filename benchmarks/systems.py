"""The names that benchmarks compare under: retrievers with their labels, and the ranker's feature groups."""

from __future__ import annotations

from collections.abc import Mapping

from serving.recommend.feature_names import FEATURE_GROUPS

PIPELINE, ENCODER = "pipeline", "encoder"
"""Evaluated systems that have a row for every model."""

MOST_BOUGHT = "most_bought"
"""The evaluated baseline that is no retriever."""


def feature_groups() -> Mapping[str, tuple[str, ...]]:
    """Group → the ranker's columns in it. Every column is in one group."""
    return FEATURE_GROUPS


def retriever_columns() -> Mapping[str, tuple[str, ...]]:
    """Retriever → the ranker's columns that it brings, which are left out together with it."""
    groups = feature_groups()
    return {
        "encoder": groups["encoder"],
        "repeats": (*groups["how often"], *groups["how lately"]),
        "together": groups["goes together"],
        "people": groups["people alike"],
        "popular": groups["what sells"],
    }


def baseline_labels() -> Mapping[str, str]:
    """Evaluated system → its label in tables, for the systems that do not depend on the model."""
    return {
        "repurchase": "repurchase, half-life 120 days",
        MOST_BOUGHT: "most bought",
        "co_occurrence": "co-occurrence",
        "next_basket": "next basket",
        "user_knn": "user k-NN",
        "popularity": "popularity",
    }


def published_baseline_labels() -> Mapping[str, str]:
    """Baseline of the published protocols → its label in tables."""
    return {
        "popularity": "popularity: training events of each item",
        "repurchase": "purchase history, most frequent item first",
        "co_occurrence": "co-occurrence: items of the same users, then popularity",
        "next_basket": "next basket: items that came next, then popularity",
    }
