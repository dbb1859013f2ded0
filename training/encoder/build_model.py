"""Builds the model that the settings name for a dataset."""

from __future__ import annotations

import numpy as np
import torch

from configs.schema import Config
from features.dataset import Dataset
from features.profiles.user_features import MAX_CATEGORIES, USER_NUMBERS
from models.data_shape import DataShape
from models.encoder import Encoder
from models.factory import build_encoder


def build_model(dataset: Dataset, config: Config) -> Encoder:
    """A new encoder. Its random weights come from torch's global generator."""
    return build_encoder(config.encoder, data_shape(dataset, config))


def data_shape(dataset: Dataset, config: Config) -> DataShape:
    """The sizes and item content features that a model is built from."""
    tokens, given, images = (
        torch.from_numpy(np.array(array)) if array.any() else None
        for array in (dataset.item_text, dataset.given_vectors, dataset.item_images)
    )
    num_categories = min(int(dataset.categories.max(initial=-1)) + 1, MAX_CATEGORIES)
    return DataShape(
        num_items=dataset.num_items,
        max_length=config.history.max_length,
        has_times=dataset.has_times,
        item_content=torch.from_numpy(np.asarray(dataset.item_content).astype(np.int64)),
        item_content_sizes=dataset.item_content_sizes,
        item_tokens=tokens,
        item_given=given,
        item_images=images,
        num_words=dataset.num_text_words,
        num_user_numbers=len(USER_NUMBERS),
        user_code_sizes=(num_categories + 1, *dataset.user_attribute_sizes),
    )
