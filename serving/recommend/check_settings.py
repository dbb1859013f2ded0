"""Refuses settings that name a retriever, a filter or a feature group that does not exist."""

from __future__ import annotations

from configs.schema import Config
from features.retrievers import check_retrievers
from serving.recommend.feature_groups import check_feature_groups
from serving.recommend.filters import check_filters


def check_settings(config: Config) -> None:
    """Raise ConfigError with the names that could stand there."""
    check_retrievers(config)
    check_filters(config)
    check_feature_groups(config.ranker)
