"""Reads a fitted encoder back. Without Lightning, which takes seconds to import."""

from __future__ import annotations

from pathlib import Path

import torch

from configs.exceptions import TrainingError
from configs.schema import Config
from features.dataset import Dataset
from models.encoder import Encoder
from training.encoder.build_model import build_model
from training.encoder.weights_by_item import weights_by_item_id
from training.runs.run import Run


def load_encoder(folder: Path, dataset: Dataset, *, point: str, config: Config) -> Encoder:
    """The encoder that was fitted on the events before the split point, in evaluation mode.

    Where the catalogue is another than at the training, rows of weights are found by item id. Raises
    TrainingError if the run has no such encoder, ArtefactError if its weights mean nothing with this
    catalogue.
    """
    path = folder / f"encoder-{point}.pt"
    if not path.is_file():
        raise TrainingError(
            f"{path}: this run has no encoder for the split point {point!r}. "
            "Train again with `shopkeeper train`."
        )
    encoder = build_model(dataset, config)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    run = Run(folder)
    if run.read().dataset not in (None, dataset.fingerprint):
        weights = weights_by_item_id(weights, encoder, run, dataset)
    encoder.load_state_dict(weights)
    return encoder.eval()
