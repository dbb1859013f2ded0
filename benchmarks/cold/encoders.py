"""Encoders that are fitted on the events before the split, and the vectors that they give to cold items.

Shape suffixes: B users of a batch, N items, D width of the vectors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.cold.split import ColdSplit
from benchmarks.published_baselines import Scorer
from configs.load import dump_config
from configs.schema import Config
from features.dataset import Dataset
from models.encoder import Encoder
from models.item_vectors import ITEMS_AT_ONCE
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.encoder.validation import ValidationBatch, encoder_scores
from training.runs.environment import environment
from training.runs.run import Run, write_settings


def fitted_encoder(dataset: Dataset, split: ColdSplit, config: Config) -> tuple[Encoder, float]:
    """Train it, unless the workspace has one with these settings; a fit that was killed goes on. Returns the
    best recall (or NDCG, by `training.monitor`) on the validation window, too."""
    made_of = fingerprint(dataset, config)
    items = "text" if config.encoder.item_text else config.encoder.items
    run = Run(config.workspace / "cold" / f"{items}-seed{config.training.seed}-{made_of}")
    run.folder.mkdir(parents=True, exist_ok=True)
    if run.read().status != "finished":
        write_settings(run, config)
        run.update(status="running", dataset=dataset.fingerprint, seed=config.training.seed, **environment())
        fit_encoders(dataset, split.timeline, config=config, run=run)
        run.update(status="finished")
    fit = run.read().fits[split.timeline[0].name]
    validated = fit.best_validation_recall or fit.best_validation_ndcg or 0.0
    return load_encoder(run.folder, dataset, point=split.point.name, config=config), validated


def fingerprint(dataset: Dataset, config: Config) -> str:
    """Of the data and of every setting that changes a figure here."""
    settings = config.model_dump_json(include={"history", "encoder", "training", "split", "evaluation"})
    return hashlib.sha256((settings + dataset.fingerprint).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Fitted:
    """An encoder with everyone's vectors."""

    encoder: Encoder
    vectors_ND: Tensor
    validated: float
    """The monitored metric on the window before the split"""

    @property
    def scorer(self) -> Scorer:
        """By its own vectors."""
        return nearest(self.encoder, self.vectors_ND)


def fitted(dataset: Dataset, split: ColdSplit, config: Config) -> Fitted:
    """The encoder with these settings, trained if need be, and its vectors."""
    encoder, validated = fitted_encoder(dataset, split, config)
    return Fitted(encoder, trained_vectors(encoder, dataset, split), validated)


@torch.no_grad()
def trained_vectors(encoder: Encoder, dataset: Dataset, split: ColdSplit) -> Tensor:
    """(N, D) the vectors of warm items; of the others what the item tower says, zeros without a tower."""
    vectors_ND: Tensor = encoder.item_vectors(torch.arange(dataset.num_items)).float().clone()
    others_N = torch.from_numpy(~split.warm_N)
    vectors_ND[others_N] = 0.0
    if encoder.item_tower is not None:
        for items_M in torch.split(torch.nonzero(others_N).squeeze(1), ITEMS_AT_ONCE):
            vectors_ND[items_M] = encoder.cold_start_item_vectors(encoder.item_tower.content.of(items_M))
    return vectors_ND


def nearest(encoder: Encoder, vectors_ND: Tensor) -> Scorer:
    """By the dot product with the query vector. An item without a vector is in no list."""
    has_none_N = ~vectors_ND.any(dim=1)

    def score(batch: ValidationBatch) -> Tensor:
        return encoder_scores(encoder, batch, vectors_ND).masked_fill(has_none_N, -torch.inf)

    return score


def with_items(config: Config, items: str, *, text: bool = False, seed: int) -> Config:
    """The settings with `encoder.items`, `encoder.item_text` and `training.seed`."""
    encoder = config.encoder.model_copy(update={"items": items, "item_text": text})
    training = config.training.model_copy(update={"seed": seed})
    return config.model_copy(update={"encoder": encoder, "training": training})


def settings_text(config: Config) -> str:
    """The settings without this machine's paths."""
    files = {name: getattr(config.data, name) for name in ("events", "items")}
    names = {name: path and Path(path.name) for name, path in files.items()}
    data = config.data.model_copy(update=names)
    return dump_config(config.model_copy(update={"data": data, "workspace": Path(f"shop-{config.name}")}))
