"""Puts a bundle together in memory: profiles, retrievers and vectors as of one split point, the encoder, the
index, the ranker, each through its gate.

Shapes: N items, D width of the vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from configs.exceptions import GateError
from configs.schema import Config
from configs.settings.recommend import SurfaceConfig
from features.core.columns import EVENT_TYPE_CODE, ID, USER_ID
from features.customers.purchase_cycle import SHOP_CYCLE, shop_cycle_of
from features.dataset import Dataset
from features.interactions import Interactions
from features.profiles.item_profiles import ItemProfiles
from features.profiles.stage import stages
from features.query_encoder import QueryEncoder, QueryEncoderSettings
from features.retrievers import configured_retrievers, fit_retrievers, retrievers_of
from features.retrievers.encoder import EncoderRetriever
from features.retrievers.popular_among import PopularAmong
from features.splits import SplitPoint
from models.encoder import Encoder
from models.ranker import RankerNetwork
from serving.recommend.bundle import Bundle, BundleSettings
from serving.recommend.candidates import RankerColumns
from serving.recommend.feature_groups import feature_group_names, feature_groups
from serving.recommend.item_encoder import ITEM_ENCODER_FILE, VOCABULARY_FILE, ItemEncoder
from serving.recommend.ranker import RANKER_FILE, Ranker
from serving.recommend.user_context import UserContexts
from training.export.index import BuiltIndex, build_index
from training.export.onnx_graphs import export_encoder, export_item_encoder, export_ranker
from training.export.trained_inputs import trained_inputs
from training.queries import index_queries


def build_bundle(
    dataset: Dataset,
    point: SplitPoint,
    *,
    encoder: Encoder,
    ranker: RankerNetwork | None,
    config: Config,
    made_by: Mapping[str, Any],
) -> Bundle:
    """A bundle as of the split point. Raises GateError when a gate fails.

    Without a ranker it can propose candidates but not order them: it serves to fit the ranker of the next.
    `made_by` (run, commit, data fingerprint) goes into the manifest as it is.
    """
    interactions = Interactions.before(dataset, point, config)
    settings = bundle_settings(dataset, config)
    graphs = _export_graphs(encoder, ranker, dataset, config)
    untouched = untouched_items(dataset, point, config)
    vectors = _trained_vectors(encoder, dataset)
    vectors[untouched] = 0.0
    if graphs.item_encoder is not None and dataset.has_catalogue:
        vectors[untouched] = graphs.item_encoder.encode(dataset.content_of(untouched))
    is_asked = PopularAmong.name in configured_retrievers(config.surfaces)
    has_groups = is_asked and len(dataset.user_attribute_sizes) > 0
    users = _users(dataset) if encoder.reads_user or has_groups else None
    parts = TrainedParts(
        graphs.query_encoder,
        vectors,
        graphs.item_encoder,
        graphs.ranker,
        users,
        graphs.differences,
        ranker.outcomes if ranker is not None else (),
    )
    return assemble_bundle(
        dataset, point, interactions, parts=parts, settings=settings, config=config, made_by=made_by
    )


@dataclass(frozen=True)
class TrainedParts:
    """What of a bundle was trained; everything else is counted from events."""

    query_encoder: QueryEncoder
    item_vectors: NDArray[np.float32]
    """(N, D) 0 for an item of which nothing is known"""
    item_encoder: ItemEncoder | None
    ranker: bytes | None
    """Its ONNX graph"""
    users: pl.DataFrame | None
    """The attributes of users, for a model that reads them"""
    differences: Mapping[str, float]
    """How far each graph is from torch"""
    outcomes: tuple[str, ...] = ()
    """Those that the ranker tells"""


def assemble_bundle(
    dataset: Dataset,
    point: SplitPoint,
    interactions: Interactions,
    *,
    parts: TrainedParts,
    settings: BundleSettings,
    config: Config,
    made_by: Mapping[str, Any],
) -> Bundle:
    """Trained parts, with everything that is counted from the interactions before the split point.

    An item can be shown once it had a target event, or where nobody touched it and it has a vector. Raises
    GateError when the index does not find what exact search finds.
    """
    profiles, vectors = ItemProfiles.fit(interactions, config), parts.item_vectors
    untouched = untouched_items(dataset, point, config)
    can_be_shown = profiles.known | (untouched & vectors.any(axis=1))
    built = _build_index(
        parts.query_encoder,
        profiles,
        settings,
        dataset,
        point,
        vectors=vectors,
        shown=can_be_shown,
        config=config,
    )
    limit = config.retrievers.num_candidates.get(EncoderRetriever.name, EncoderRetriever.num_candidates)
    trained = EncoderRetriever(parts.query_encoder, vectors, built.index, limit)
    retrievers = fit_retrievers(replace(interactions, trained={trained.name: trained}), config)
    columns = RankerColumns(retrievers, feature_groups(settings.feature_groups)).names
    return Bundle(
        manifest={
            **_provenance(dataset, point, config),
            "num_known_items": int(profiles.known.sum()),
            "dim": vectors.shape[1],
            "gates": dict(parts.differences),
            "index": built.as_json(),
            "encoder_inputs": trained_inputs(dataset, point, config),
            SHOP_CYCLE: _shop_cycle(dataset, point),
            "made_by": dict(made_by),
        },
        settings=settings,
        catalogue=_catalogue(dataset, interactions, config),
        can_be_shown=can_be_shown,
        item_profiles=profiles,
        retrievers=retrievers,
        ranker=Ranker(parts.ranker, columns=columns, outcomes=parts.outcomes)
        if parts.ranker is not None
        else None,
        item_encoder=parts.item_encoder,
        users=parts.users,
    )


def _shop_cycle(dataset: Dataset, point: SplitPoint) -> float:
    """For life stages of those who have no purchase cycle of their own."""
    is_purchase = dataset.event_types == EVENT_TYPE_CODE["purchase"]
    users, events = dataset.events_where(point.past(dataset) & is_purchase)
    return shop_cycle_of(users, events.times)


def _provenance(dataset: Dataset, point: SplitPoint, config: Config) -> dict[str, Any]:
    """Of what shop and as of when."""
    return {
        "name": config.name,
        "as_of": point.as_of,
        "split_point": point.name,
        "currency": dataset.manifest["currency"],
    }


def bundle_settings(dataset: Dataset, config: Config) -> BundleSettings:
    """What a bundle is served with: names that were left to the default are written out."""
    surfaces = {name: _resolved(surface) for name, surface in config.surfaces.items()}
    groups = config.ranker.feature_groups
    return BundleSettings(
        history=config.history,
        retrievers=config.retrievers,
        surfaces=surfaces,
        has_times=dataset.has_times,
        feature_groups=feature_group_names() if groups is None else groups,
        profile_event_types=dataset.manifest["profile_event_types"],
    )


def _resolved(surface: SurfaceConfig) -> SurfaceConfig:
    return surface.model_copy(update={"retrievers": retrievers_of(surface)})


@dataclass(frozen=True)
class _Graphs:
    query_encoder: QueryEncoder
    item_encoder: ItemEncoder | None
    ranker: bytes | None
    differences: dict[str, float]
    """How far each is from torch"""


def _export_graphs(
    encoder: Encoder, ranker: RankerNetwork | None, dataset: Dataset, config: Config
) -> _Graphs:
    limit, max_length = config.export.max_onnx_difference, config.history.max_length
    settings = QueryEncoderSettings(
        input_event_types=config.history.input_event_types,
        max_length=max_length,
        order=config.history.order,
        num_user_attributes=len(dataset.user_attribute_sizes),
    )
    item_encoder = ranker_graph = None
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "user_encoder.onnx"
        found = export_encoder(encoder, path, max_length=max_length, max_difference=limit)
        differences = {"encoder_difference": found}
        query_encoder = QueryEncoder(path.read_bytes(), settings)
        if (tower := encoder.item_tower) is not None:
            path = Path(scratch) / ITEM_ENCODER_FILE
            found = export_item_encoder(encoder, tower, path, max_difference=limit)
            differences["item_encoder_difference"] = found
            item_encoder = ItemEncoder(path.read_bytes(), pl.read_parquet(dataset.folder / VOCABULARY_FILE))
        if ranker is not None:
            path = Path(scratch) / RANKER_FILE
            differences["ranker_difference"] = export_ranker(ranker, path, max_difference=limit)
            ranker_graph = path.read_bytes()
    return _Graphs(query_encoder, item_encoder, ranker_graph, differences)


@torch.no_grad()
def _trained_vectors(encoder: Encoder, dataset: Dataset) -> NDArray[np.float32]:
    """(N, D) the vector that each item was trained with, so that the server reads histories as training
    did."""
    vectors = encoder.item_vectors(torch.arange(dataset.num_items)).float().numpy().copy()
    return np.ascontiguousarray(vectors, np.float32)


def untouched_items(dataset: Dataset, point: SplitPoint, config: Config) -> NDArray[np.bool_]:
    """(N,) items that stood in no history before the split point: no vector was trained for them."""
    codes = np.array([EVENT_TYPE_CODE[name] for name in config.history.input_event_types], np.int8)
    untouched = np.ones(dataset.num_items, bool)
    untouched[dataset.items[point.past(dataset) & np.isin(dataset.event_types, codes)]] = False
    return untouched


def _build_index(
    query_encoder: QueryEncoder,
    profiles: ItemProfiles,
    settings: BundleSettings,
    dataset: Dataset,
    point: SplitPoint,
    *,
    vectors: NDArray[np.float32],
    shown: NDArray[np.bool_],
    config: Config,
) -> BuiltIndex:
    """The index over the items that can be shown, measured with real queries."""
    contexts = UserContexts(profiles, settings)
    indexed = np.flatnonzero(shown)
    queries = index_queries(dataset, point, config)
    found = [query_encoder.encode(contexts.build(query), vectors) for query in queries]
    query_vectors = np.stack([vector for vector in found if vector is not None])
    return build_index(
        np.ascontiguousarray(vectors[indexed]), indexed.astype(np.int32), query_vectors, config.export
    )


def _users(dataset: Dataset) -> pl.DataFrame:
    """The attributes of the users that have any: the server looks them up by id."""
    codes = np.asarray(dataset.user_attributes)
    ids = pl.read_parquet(dataset.folder / "users.parquet", columns=[USER_ID])
    columns = [pl.Series(f"attribute_{place}", codes[:, place]) for place in range(codes.shape[1])]
    return ids.with_columns(columns).filter(pl.Series(codes.any(axis=1)))


def _catalogue(dataset: Dataset, interactions: Interactions, config: Config) -> pl.DataFrame:
    """The dataset's catalogue with each product's stage; the gate: ids are unique and there, and row i is
    item i."""
    catalogue = pl.read_parquet(dataset.folder / "items.parquet")
    ids = catalogue[ID]
    num_distinct = ids.drop_nulls().n_unique()
    if not num_distinct == len(ids) == dataset.num_items:
        raise GateError(
            f"The catalogue has {num_distinct:,} distinct ids for {dataset.num_items:,} items: an id would "
            "not lead "
            "back to its item. Prepare the dataset anew. The bundle was not written."
        )
    stage = stages(interactions, config)
    return catalogue if stage is None else catalogue.with_columns(stage)
