"""The Lightning trainer of a fit: device, precision and gradient clipping."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from configs.exceptions import TrainingError
from configs.schema import Config

GRADIENT_CLIP_NORM = 1.0


def build_trainer(config: Config, callbacks: list[Callback], *, epochs: int) -> pl.Trainer:
    """A quiet trainer on one device. Raises TrainingError for training.device=cuda without a GPU."""
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    training = config.training
    on_gpu = training.device != "cpu" and torch.cuda.is_available()
    if training.device == "cuda" and not on_gpu:
        raise TrainingError(
            "training.device=cuda, but torch finds no CUDA device here: set it to auto or cpu."
        )
    default_precision = "bf16-mixed" if on_gpu else "32-true"
    return pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=1,
        precision=default_precision if training.precision == "auto" else training.precision,
        max_epochs=epochs,
        callbacks=callbacks,
        gradient_clip_val=GRADIENT_CLIP_NORM,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
