"""A query's vector: the one way from a person's history to what is looked for in the index, live and in every
evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.core.columns import EVENT_TYPE_CODE
from features.histories import IntArray, encoder_inputs
from features.profiles.user_features import UserFeatures, user_codes, user_features
from serving.recommend.bundle import BundleSettings
from serving.recommend.encoder import Encoder, UserInputs
from serving.recommend.request import Query


class QueryEncoder:
    """The encoder with what it needs besides the query. Legend: N items, D width, A - 1 user attributes."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        item_vectors: NDArray[np.float32],
        item_categories: IntArray,
        num_user_attributes: int,
        settings: BundleSettings,
    ) -> None:
        self._encoder, self._item_vectors, self._item_categories = encoder, item_vectors, item_categories
        self._settings = settings
        self._input_event_types = np.array(
            [EVENT_TYPE_CODE[kind] for kind in settings.history.input_event_types], np.int8
        )
        self._profile_event_types = np.array(
            [EVENT_TYPE_CODE[kind] for kind in settings.profile_event_types], np.int8
        )
        self._unknown_attributes = np.zeros(num_user_attributes, np.int32)

    def of(self, query: Query, *, features: UserFeatures | None = None) -> NDArray[np.float32] | None:
        """(D,); None where nothing of the history is an input. `features` are the user's at that moment,
        where they are known."""
        max_length = self._settings.history.max_length
        inputs = encoder_inputs(
            query.history, as_of=query.as_of, event_types=self._input_event_types, max_length=max_length
        )
        if not len(inputs.items):
            return None
        user = self._inputs(query, features or self._features(query)) if self._encoder.reads_user else None
        return self._encoder.query_vector(inputs, self._item_vectors, user)

    def _features(self, query: Query) -> UserFeatures:
        return user_features(
            query.history,
            as_of=query.as_of,
            profile_event_types=self._profile_event_types,
            item_categories=self._item_categories,
            has_times=self._settings.has_times,
        )

    def _inputs(self, query: Query, user: UserFeatures) -> UserInputs:
        attributes = query.user_attributes if len(query.user_attributes) else self._unknown_attributes
        return UserInputs(user.numbers, user_codes(np.int32(user.category), attributes))
