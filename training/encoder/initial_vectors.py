"""Gives a new encoder its initial item vectors, as `training.initial_vectors` says."""

from __future__ import annotations

import numpy as np
import torch

from configs.schema import Config
from features.dataset import Dataset
from features.splits import SplitPoint, targets_before
from models.encoder import Encoder
from training.encoder.graph_filter import graph_filter_item_vectors
from training.encoder.svd_vectors import svd_item_vectors
from training.encoder.too_little_data import nothing_to_train_on


def set_initial_vectors(encoder: Encoder, dataset: Dataset, point: SplitPoint, config: Config) -> None:
    """From the target events before the split point alone. Items without one are marked as unknown.

    Raises TooLittleDataError if there are no target events.
    """
    users, events, weights = targets_before(dataset, point, targets=config.history.targets)
    if not len(users):
        raise nothing_to_train_on(dataset, point, config)
    items_E = torch.from_numpy(events.items.astype(np.int64))
    known_N = torch.bincount(items_E, minlength=dataset.num_items) > 0
    if config.training.initial_vectors == "random":
        encoder.reset_item_embeddings(~known_N)
        return
    users_E = torch.from_numpy(users.astype(np.int64))
    size = {"num_items": dataset.num_items, "dim": config.encoder.dim, "seed": config.training.seed}
    if config.training.initial_vectors == "graph_filter":
        vectors_ND = graph_filter_item_vectors(users_E, items_E, **size)
    else:
        vectors_ND = svd_item_vectors(users_E, items_E, torch.from_numpy(weights), **size)
    encoder.load_pretrained(vectors_ND, known_N)
