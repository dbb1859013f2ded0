"""Builds an encoder from its settings."""

from __future__ import annotations

from typing import assert_never

from configs.settings.encoder import EncoderConfig
from models.bsarec import BSARec
from models.cosine import CosineEncoder
from models.data_shape import DataShape
from models.encoder import Encoder
from models.ensemble import Ensemble
from models.gru4rec import GRU4Rec
from models.hstu import HSTU
from models.sasrec import SASRec
from models.two_tower import TwoTower
from models.weighted_pooling import WeightedPooling


def build_encoder(config: EncoderConfig, shape: DataShape) -> Encoder:
    """The encoder that `encoder.model` names, or an ensemble of it."""
    return Ensemble(config, shape, member=_build_one) if config.ensemble > 1 else _build_one(config, shape)


def _build_one(config: EncoderConfig, shape: DataShape) -> Encoder:
    match config.model:
        case "sasrec":
            encoder: Encoder = SASRec(config, shape)
        case "gru4rec":
            encoder = GRU4Rec(config, shape)
        case "hstu":
            encoder = HSTU(config, shape)
        case "bsarec":
            encoder = BSARec(config, shape)
        case "two_tower":
            encoder = TwoTower(config, shape)
        case "weighted_pooling":
            encoder = WeightedPooling(config, shape)
        case _:
            assert_never(config.model)
    return CosineEncoder(encoder, temperature=config.temperature) if config.normalize else encoder
