"""What is known of the user: the same for every candidate, so that the hidden layer weighs the others by
it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from features.histories import IntArray
from features.profiles.user_profile import RECENT_WINDOWS
from features.retriever import Column
from serving.recommend.feature_group import CandidateContext, FeatureGroup

_WINDOW: Final = RECENT_WINDOWS.index(1.0)
_THREE_WINDOWS: Final = RECENT_WINDOWS.index(3.0)


class User(FeatureGroup):
    """How many events, items and baskets; how recent, frequent, dear; how much of it is new."""

    name: ClassVar[str] = "user"
    columns: ClassVar[tuple[str, ...]] = (
        "user_events",
        "user_items",
        "user_baskets",
        "user_baskets_window",
        "user_baskets_three",
        "user_new_window",
        "user_exploration",
        "user_recency",
        "user_frequency",
        "user_money",
        "user_tenure",
    )
    time_columns: ClassVar[tuple[str, ...]] = (
        "user_baskets_window",
        "user_baskets_three",
        "user_new_window",
        "user_recency",
        "user_tenure",
    )

    @staticmethod
    def compute(items: IntArray, context: CandidateContext) -> Mapping[str, Column]:
        """See `FeatureGroup.compute`."""
        profile = context.profile
        recency, frequency, money, tenure, _ = profile.features.numbers.tolist()
        num_events = float(profile.own.num_events.sum())
        return {
            "user_events": math.log1p(float(profile.own.counts.sum())),
            "user_items": math.log1p(len(profile.own)),
            "user_baskets": math.log1p(profile.num_baskets),
            "user_baskets_window": math.log1p(float(profile.num_baskets_recent[_WINDOW])),
            "user_baskets_three": math.log1p(float(profile.num_baskets_recent[_THREE_WINDOWS])),
            "user_new_window": math.log1p(float(profile.num_new_recent[_WINDOW])),
            "user_exploration": len(profile.own) / max(num_events, 1.0),
            "user_recency": recency,
            "user_frequency": frequency,
            "user_money": money,
            "user_tenure": tenure,
        }
