"""A whole bundle without training: three aisles of ten items, an encoder that is the mean of a history's
vectors.

What it should answer is plain: more of the aisle that a person buys from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import onnx
import polars as pl
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy import sparse

from configs.settings.encoder import HistoryConfig
from configs.settings.recommend import DEFAULT_SURFACES, RetrieversConfig, SurfaceConfig
from features.core.columns import MICROSECONDS_PER_DAY
from features.profiles.due_columns import DUE_COLUMNS, POISSON_GAMMA
from features.profiles.item_profiles import ItemProfiles
from features.profiles.item_statistics import ITEM_STATISTICS
from features.query_encoder import QueryEncoder, QueryEncoderSettings
from features.retriever import Retriever
from features.retrievers.association_rules import AssociationRules
from features.retrievers.co_occurrence import CoOccurrence
from features.retrievers.cold_start import ColdStart
from features.retrievers.deals import Deals
from features.retrievers.due import Due
from features.retrievers.encoder import EncoderRetriever
from features.retrievers.new_arrivals import NewArrivals
from features.retrievers.next_basket import NextBasket
from features.retrievers.popular_among import PopularAmong
from features.retrievers.popularity import Popularity
from features.retrievers.repurchase import Repurchase
from features.retrievers.similar import Similar
from features.retrievers.trending import Trending
from features.retrievers.user_knn import UserKNN
from serving.recommend.bundle import Bundle, BundleSettings
from serving.recommend.candidates import RankerColumns
from serving.recommend.feature_groups import feature_groups
from serving.recommend.ranker import Ranker

AISLES = ("fruit", "bread", "cheese")
ITEM_IDS = [f"{aisle}{number}" for aisle in AISLES for number in range(10)]
NUM_ITEMS = len(ITEM_IDS)
AS_OF = 1_700_000_000_000_000
"""Microseconds: 14 November 2023"""
WEIGHTS = {
    "is_own": 2.0,
    "own_decayed_120": 0.5,
    "encoder_score": 1.0,
    "page_score": 0.5,
    "popularity": 0.05,
}
"""The ranker is this weighted sum."""
OUTCOME_WEIGHTS = {
    "click": {"popularity": 1.0, "own_decayed_120": -9.0},
    "purchase": {"is_own": 4.0, "popularity": -0.1},
}
"""The logits of outcomes are these, less 3: people click on what is popular, and buy what they bought."""


def write_bundle(
    folder: Path,
    *,
    outcomes: tuple[str, ...] = (),
    surfaces: Mapping[str, SurfaceConfig] = DEFAULT_SURFACES,
    costs: Sequence[float | None] | None = None,
) -> Path:
    """Write the bundle; `folder` must be new. `costs` are those of the goods, an item each."""
    aisle = np.repeat(np.arange(3), 10).astype(np.int32)
    noise = np.random.default_rng(0).normal(size=(NUM_ITEMS, 4)).astype(np.float32)
    vectors = np.eye(4, dtype=np.float32)[aisle] + 0.01 * noise
    settings = BundleSettings(
        history=HistoryConfig(max_length=20),
        retrievers=RetrieversConfig(),
        surfaces=dict(surfaces),
        has_times=True,
    )
    retrievers = _retrievers(vectors)
    columns = RankerColumns(retrievers, feature_groups(None)).names
    bundle = Bundle(
        manifest={
            "name": "hand-made",
            "as_of": AS_OF,
            "encoder_inputs": {"event_types": {"purchase": 0.25, "view_item": 0.75}, "mean_events": 4.5},
        },
        settings=settings,
        catalogue=_catalogue()
        if costs is None
        else _catalogue().with_columns(cost_of_goods_sold=pl.Series(costs)),
        can_be_shown=np.ones(NUM_ITEMS, bool),
        item_profiles=_item_profiles(aisle),
        retrievers=retrievers,
        ranker=Ranker(
            _linear_ranker(columns, outcomes).SerializeToString(), columns=columns, outcomes=outcomes
        ),
    )
    bundle.save(folder, made_from="test")
    return folder


def write_other_bundle(folder: Path, *, of: Path, mark: str) -> Path:
    """A bundle with the items of `of` in the opposite order, so that each has another number, and with a mark
    in their titles."""
    bundle = Bundle.open(of)
    titles = pl.format("{} {}", pl.lit(mark), pl.col("title"))
    replace(bundle, catalogue=bundle.catalogue.reverse().with_columns(title=titles)).save(
        folder, made_from="test"
    )
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


def _item_profiles(aisle: NDArray[np.int32]) -> ItemProfiles:
    popularity = np.arange(NUM_ITEMS, 0, -1).astype(np.float32)
    return ItemProfiles(
        popularity=popularity,
        popularity_before=popularity,
        popularity_all=popularity * 10,
        first_seen=np.full(NUM_ITEMS, AS_OF - 300 * MICROSECONDS_PER_DAY, np.int64),
        price=np.linspace(1, 4, NUM_ITEMS).astype(np.float32),
        category=aisle,
        parent=np.zeros(NUM_ITEMS, np.int32),
        statistics=np.zeros((NUM_ITEMS, len(ITEM_STATISTICS)), np.float32),
    )


def _retrievers(vectors: NDArray[np.float32]) -> dict[str, Retriever]:
    others = np.array(
        [[item - item % 10 + (item + step) % 10 for step in (1, 2, 3)] for item in range(NUM_ITEMS)], np.int32
    )
    scores = np.tile(np.array([0.9, 0.6, 0.3], np.float32), (NUM_ITEMS, 1))
    index = faiss.IndexFlatIP(4)
    index.add(vectors)
    inputs = HistoryConfig().input_event_types
    encoder = QueryEncoder(
        _mean_encoder().SerializeToString(), QueryEncoderSettings(input_event_types=inputs, max_length=20)
    )
    return {
        "association_rules": AssociationRules(
            items=others, scores=scores, substitutes=np.full((NUM_ITEMS, 0), -1, np.int32)
        ),
        "co_occurrence": CoOccurrence(items=others, scores=scores),
        "deals": Deals(price=np.zeros(NUM_ITEMS), sale_price=np.zeros(NUM_ITEMS)),
        "cold_start": ColdStart(
            items=np.empty((NUM_ITEMS, 0), np.int32), scores=np.empty((NUM_ITEMS, 0), np.float32)
        ),
        "due": Due(
            intervals=np.zeros((NUM_ITEMS, 4), np.float32),
            of_shop=np.array([np.log(14), 0, np.log(1 / 28), 0], np.float32),
            weights=np.eye(len(DUE_COLUMNS))[POISSON_GAMMA],
            days=np.array([7], np.float32),
        ),
        "encoder": EncoderRetriever(encoder, vectors, index, limit=200),
        "new_arrivals": NewArrivals(
            age_days=np.full(NUM_ITEMS, np.inf, np.float32), is_proven=np.ones(NUM_ITEMS, bool)
        ),
        "next_basket": NextBasket(items=others, scores=scores),
        "popular_among": PopularAmong(
            recent=np.arange(NUM_ITEMS, 0, -1).astype(np.float32),
            share=(np.arange(NUM_ITEMS, 0, -1) / NUM_ITEMS).astype(np.float32),
            groups=np.empty(0, np.uint64),
            num_people=np.empty(0, np.float32),
            had=sparse.csr_array((0, NUM_ITEMS), dtype=np.float32),
        ),
        "popularity": Popularity(
            recent=np.arange(NUM_ITEMS, 0, -1).astype(np.float32), ranked=np.arange(NUM_ITEMS, dtype=np.int32)
        ),
        "repurchase": Repurchase(
            rate=np.full(NUM_ITEMS, 0.5, np.float32), gap_days=np.full(NUM_ITEMS, 14, np.float32)
        ),
        "trending": Trending(rise=np.zeros(NUM_ITEMS, np.float32)),
        "similar": _similar(others, scores),
        "user_knn": UserKNN(
            idf=np.ones(NUM_ITEMS, np.float32),
            weights=sparse.csr_array((NUM_ITEMS, 0), dtype=np.float32),
            recent=sparse.csr_array((0, NUM_ITEMS), dtype=np.float32),
            users=np.empty(0, np.uint64),
        ),
    }


def _similar(others: NDArray[np.int32], scores: NDArray[np.float32]) -> Similar:
    """Three others of the aisle, in a table with room for more."""
    alike = others + 3 - 10 * (others % 10 >= 7)
    return Similar(
        items=np.pad(alike.astype(np.int32), ((0, 0), (0, 9)), constant_values=-1),
        scores=np.pad(scores, ((0, 0), (0, 9))),
        popularity=np.linspace(1, 0, NUM_ITEMS, dtype=np.float32),
    )


def _mean_encoder() -> onnx.ModelProto:
    vectors = helper.make_tensor_value_info("history_vectors", TensorProto.FLOAT, ["batch", "length", 4])
    query = helper.make_tensor_value_info("query_vectors", TensorProto.FLOAT, ["batch", 4])
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    mean = helper.make_node("ReduceMean", ["history_vectors", "axis"], ["query_vectors"], keepdims=0)
    return _model(helper.make_graph([mean], "encoder", [vectors], [query], [axis]))


def _linear_ranker(columns: tuple[str, ...], outcomes: tuple[str, ...] = ()) -> onnx.ModelProto:
    if outcomes:
        return _outcome_ranker(columns, outcomes)
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["candidates", len(columns)])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["candidates"])
    weights = np.array([WEIGHTS.get(name, 0.0) for name in columns], np.float32)
    product = helper.make_node("MatMul", ["features", "weights"], ["scores"])
    return _model(
        helper.make_graph(
            [product], "ranker", [features], [scores], [numpy_helper.from_array(weights, "weights")]
        )
    )


def _outcome_ranker(columns: tuple[str, ...], outcomes: tuple[str, ...]) -> onnx.ModelProto:
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["candidates", len(columns)])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["candidates", 1 + len(outcomes)])

    def table(*heads: Mapping[str, float]) -> NDArray[np.float32]:
        return np.array([[head.get(name, 0.0) for head in heads] for name in columns], np.float32)

    constants = {
        "score_weights": table(WEIGHTS),
        "outcome_weights": table(*(OUTCOME_WEIGHTS[name] for name in outcomes)),
        "level": np.float32(-3),
    }
    nodes = [
        helper.make_node("MatMul", ["features", "score_weights"], ["score"]),
        helper.make_node("MatMul", ["features", "outcome_weights"], ["sums"]),
        helper.make_node("Add", ["sums", "level"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("Concat", ["score", "probabilities"], ["scores"], axis=1),
    ]
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return _model(helper.make_graph(nodes, "ranker", [features], [scores], kept))


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
