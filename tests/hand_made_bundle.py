"""A whole bundle without training: three aisles of ten items, an encoder that is the mean of a history's
vectors.

What it should answer is plain: more of the aisle that a person buys from.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import onnx
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from configs.schema import DEFAULT_SURFACES, CandidatesConfig, HistoryConfig
from features.core.artefact import write_manifest, writing
from features.core.columns import MICROSECONDS_PER_DAY
from features.profiles.item_statistics import ITEM_STATISTICS
from features.retrievers.fit import SourceTables
from serving.recommend.bundle import BundleSettings
from serving.recommend.feature_names import FEATURES

AISLES = ("fruit", "bread", "cheese")
ITEM_IDS = [f"{aisle}{number}" for aisle in AISLES for number in range(10)]
NUM_ITEMS = len(ITEM_IDS)
AS_OF = 1_700_000_000_000_000
"""Microseconds: 14 November 2023"""
WEIGHTS = {
    "is_own": 2.0,
    "own_decayed_120": 0.5,
    "encoder_score": 1.0,
    "context_score": 0.5,
    "popularity": 0.05,
}
"""The ranker is this weighted sum."""


def write_bundle(folder: Path) -> Path:
    """Write the bundle; `folder` must be new."""
    aisle = np.repeat(np.arange(3), 10).astype(np.int32)
    vectors = np.eye(4, dtype=np.float32)[aisle] + 0.01 * np.random.default_rng(0).normal(
        size=(NUM_ITEMS, 4)
    ).astype(np.float32)
    settings = BundleSettings(
        history=HistoryConfig(max_length=20),
        candidates=CandidatesConfig(),
        surfaces=DEFAULT_SURFACES,
        has_times=True,
    )
    with writing(folder, kind="bundle") as scratch:
        _catalogue().write_parquet(scratch / "catalogue.parquet")
        np.save(scratch / "items.npy", vectors)
        np.save(scratch / "can_be_shown.npy", np.ones(NUM_ITEMS, bool))
        index = faiss.IndexFlatIP(4)
        index.add(vectors)
        faiss.write_index(index, str(scratch / "items.faiss"))
        _tables(aisle).save(scratch)
        onnx.save(_mean_encoder(), scratch / "user_encoder.onnx")
        onnx.save(_linear_ranker(), scratch / "ranker.onnx")
        contents = {
            "name": "hand-made",
            "as_of": AS_OF,
            "settings": settings.model_dump(mode="json"),
            "features": list(FEATURES),
            "num_items": NUM_ITEMS,
        }
        write_manifest(scratch, kind="bundle", made_from="test", contents=contents)
    return folder


def _catalogue() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": ITEM_IDS,
            "title": [item.capitalize() for item in ITEM_IDS],
            "product_type": [f"Food > {item[:-1].capitalize()}" for item in ITEM_IDS],
            "brand": ["Acme"] * NUM_ITEMS,
            "price": [1.0 + number / 10 for number in range(NUM_ITEMS)],
            "currency": ["USD"] * NUM_ITEMS,
        }
    )


def _tables(aisle: np.ndarray) -> SourceTables:
    popularity = np.arange(NUM_ITEMS, 0, -1).astype(np.float32)
    others = np.array(
        [[item - item % 10 + (item + step) % 10 for step in (1, 2, 3)] for item in range(NUM_ITEMS)], np.int32
    )
    scores = np.tile(np.array([0.9, 0.6, 0.3], np.float32), (NUM_ITEMS, 1))
    return SourceTables(
        popularity=popularity,
        popularity_before=popularity,
        popularity_all=popularity * 10,
        first_seen=np.full(NUM_ITEMS, AS_OF - 300 * MICROSECONDS_PER_DAY, np.int64),
        repeat_rate=np.full(NUM_ITEMS, 0.5, np.float32),
        repeat_gap_days=np.full(NUM_ITEMS, 14, np.float32),
        price=np.linspace(1, 4, NUM_ITEMS).astype(np.float32),
        category=aisle,
        parent=np.zeros(NUM_ITEMS, np.int32),
        numbers=np.zeros((NUM_ITEMS, len(ITEM_STATISTICS)), np.float32),
        basket_items=others,
        basket_scores=scores,
        next_items=others,
        next_scores=scores,
        people_idf=np.ones(NUM_ITEMS, np.float32),
        people_item_offsets=np.zeros(NUM_ITEMS + 1, np.int64),
        people_members=np.empty(0, np.int32),
        people_weights=np.empty(0, np.float32),
        people_recent_offsets=np.zeros(1, np.int64),
        people_recent_items=np.empty(0, np.int32),
    )


def _mean_encoder() -> onnx.ModelProto:
    vectors = helper.make_tensor_value_info("history_vectors", TensorProto.FLOAT, ["batch", "length", 4])
    query = helper.make_tensor_value_info("query_vectors", TensorProto.FLOAT, ["batch", 4])
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    mean = helper.make_node("ReduceMean", ["history_vectors", "axis"], ["query_vectors"], keepdims=0)
    return _model(helper.make_graph([mean], "encoder", [vectors], [query], [axis]))


def _linear_ranker() -> onnx.ModelProto:
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["candidates", len(FEATURES)])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["candidates"])
    weights = np.array([WEIGHTS.get(name, 0.0) for name in FEATURES], np.float32)
    product = helper.make_node("MatMul", ["features", "weights"], ["scores"])
    return _model(
        helper.make_graph(
            [product], "ranker", [features], [scores], [numpy_helper.from_array(weights, "weights")]
        )
    )


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
