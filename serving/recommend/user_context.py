"""What is known of a user without the request: made from the stored history, live and in every evaluation."""

from __future__ import annotations

import numpy as np

from features.core.columns import EVENT_TYPE_CODE
from features.profiles.item_profiles import ItemProfiles
from features.profiles.user_profile import HALF_LIVES, RECENT_WINDOWS, build_user_profile
from features.retriever import UserContext
from serving.recommend.bundle import BundleSettings
from serving.recommend.request import Query


class UserContexts:
    """Builds the context of a user at the moment of a query."""

    def __init__(self, items: ItemProfiles, settings: BundleSettings) -> None:
        self._items, self._settings = items, settings
        codes = [EVENT_TYPE_CODE[name] for name in settings.profile_event_types]
        self._profile_event_types = np.array(codes, np.int8)
        self._recent_days = [share * settings.retrievers.popularity_days for share in RECENT_WINDOWS]

    def build(self, query: Query) -> UserContext:
        """Of the query's history before its moment; nothing of its page or surface."""
        profile = build_user_profile(
            query.history,
            as_of=query.as_of,
            targets=self._settings.history.targets,
            item_categories=self._items.category,
            item_parents=self._items.parent,
            half_lives=HALF_LIVES,
            recent_days=self._recent_days,
            num_recent=self._settings.retrievers.history_items,
            profile_event_types=self._profile_event_types,
            has_times=self._settings.has_times,
        )
        return UserContext(
            query.history, query.as_of, profile, query.user_attributes, query.context, query.user
        )
