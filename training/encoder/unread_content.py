"""Says which content of items the dataset has and the model does not read."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from configs.console import log
from features.dataset import Dataset
from models.encoder import Encoder


def say_what_is_not_read(encoder: Encoder, dataset: Dataset) -> None:
    """Vectors and images were asked for in the settings: it is no small thing to leave them out."""
    given: dict[str, NDArray[Any]] = {
        "data.item_vectors or data.text_model": dataset.given_vectors,
        "data.image_folder": dataset.item_images,
    }
    unread = [name for name, array in given.items() if array.any()]
    if unread and encoder.item_tower is None:
        log(
            f"This model reads ids of items alone, and nothing of what {' and '.join(unread)} gave: "
            "encoder.items=features makes an item tower, which reads it."
        )
