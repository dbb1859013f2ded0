"""Puts a bundle together: sources and vectors as of one split point, the encoder, the index, the ranker, each
through its gate."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from configs.exceptions import GateError
from configs.schema import Config
from features.core.artefact import write_manifest, writing
from features.core.columns import EVENT_TYPE_CODE, ID, USER_ID
from features.dataset import Dataset
from features.retrievers.fit import SourceTables, fit_sources
from features.splits import SplitPoint
from models.encoder import Encoder
from models.ranker import RankerNetwork
from serving.recommend.bundle import USERS_FILE, BundleSettings
from serving.recommend.encoder import Encoder as ServedEncoder
from serving.recommend.feature_names import FEATURES
from serving.recommend.item_encoder import GRAPH_FILE, VOCABULARY_FILE, ItemEncoder
from serving.recommend.query_encoder import QueryEncoder
from training.export.index import BuiltIndex, build_index
from training.export.onnx_graphs import export_encoder, export_item_encoder, export_ranker
from training.queries import index_queries


def assemble(
    out: Path,
    dataset: Dataset,
    point: SplitPoint,
    *,
    encoder: Encoder,
    ranker: RankerNetwork | None,
    config: Config,
    made_by: Mapping[str, Any],
) -> str:
    """Write the bundle folder `out` and return its version. Raises GateError, and writes nothing, when a gate
    fails.

    Without a ranker the bundle can propose candidates but not order them: it serves to fit the ranker of the
    next. `made_by` (run, commit, data fingerprint) goes into the manifest as it is.
    """
    tables = fit_sources(dataset, point, config)
    with writing(out, kind="bundle") as folder:
        tables.save(folder)
        _write_catalogue(dataset, folder)
        if encoder.reads_user:
            _write_users(dataset, folder)
        gates = _export_graphs(encoder, ranker, folder, dataset, config)
        vectors, can_be_shown = _item_vectors(encoder, tables, dataset, point, folder, config)
        np.save(folder / "items.npy", vectors)
        np.save(folder / "can_be_shown.npy", can_be_shown)
        settings = _settings(dataset, config)
        built = _write_index(
            folder, dataset, point, vectors=vectors, shown=can_be_shown, settings=settings, config=config
        )
        return write_manifest(
            folder,
            kind="bundle",
            made_from=dataset.fingerprint,
            contents={
                "name": config.name,
                "as_of": point.as_of,
                "cut": point.name,
                "num_items": dataset.num_items,
                "num_known_items": int(tables.known.sum()),
                "currency": dataset.manifest["currency"],
                "num_user_attributes": len(dataset.user_attribute_sizes),
                "dim": vectors.shape[1],
                "features": list(FEATURES),
                "gates": gates,
                "index": built.as_json(),
                "made_by": dict(made_by),
                "settings": settings.model_dump(mode="json"),
            },
        )


def _settings(dataset: Dataset, config: Config) -> BundleSettings:
    return BundleSettings(
        history=config.history,
        candidates=config.candidates,
        surfaces=config.surfaces,
        has_times=dataset.has_times,
        profile_event_types=dataset.manifest["profile_event_types"],
    )


def _export_graphs(
    encoder: Encoder, ranker: RankerNetwork | None, folder: Path, dataset: Dataset, config: Config
) -> dict[str, float]:
    """Write the ONNX graphs; returns how far each is from torch."""
    limit, max_length = config.export.max_onnx_difference, config.history.max_length
    path = folder / "user_encoder.onnx"
    differences = {
        "encoder_difference": export_encoder(encoder, path, max_length=max_length, max_difference=limit)
    }
    if (tower := encoder.item_tower) is not None:
        found = export_item_encoder(encoder, tower, folder / GRAPH_FILE, max_difference=limit)
        differences["item_encoder_difference"] = found
        shutil.copyfile(dataset.folder / VOCABULARY_FILE, folder / VOCABULARY_FILE)
    if ranker is not None:
        differences["ranker_difference"] = export_ranker(ranker, folder / "ranker.onnx", max_difference=limit)
    return differences


@torch.no_grad()
def _item_vectors(
    encoder: Encoder, tables: SourceTables, dataset: Dataset, point: SplitPoint, folder: Path, config: Config
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """((N, D) vectors, (N,) whether an item can be shown).

    An item that stood in a history before the split point has the vector it was trained with, so that the
    server reads histories as training did, and can be shown once it had a target event. An item that nobody
    touched has, where there is an item tower and a catalogue of the shop's own, the vector of its
    description, and can be shown. All others are 0.
    """
    vectors = encoder.item_vectors(torch.arange(dataset.num_items)).float().numpy().copy()
    event_types = np.array([EVENT_TYPE_CODE[kind] for kind in config.history.input_event_types], np.int8)
    touched = np.zeros(dataset.num_items, bool)
    touched[dataset.items[point.past(dataset) & np.isin(dataset.event_types, event_types)]] = True
    untouched = ~(touched | tables.known)
    vectors[untouched] = 0.0
    if encoder.item_tower is not None and dataset.has_catalogue:
        vectors[untouched] = ItemEncoder(folder).of_codes(np.asarray(dataset.item_content)[untouched])
    can_be_shown = tables.known | (untouched & vectors.any(axis=1))
    return np.ascontiguousarray(vectors, np.float32), can_be_shown


def _write_users(dataset: Dataset, folder: Path) -> None:
    """The attributes of the users that have any: the server looks them up by id."""
    codes = np.asarray(dataset.user_attributes)
    ids = pl.read_parquet(dataset.folder / "users.parquet", columns=[USER_ID])
    columns = [pl.Series(f"attribute_{place}", codes[:, place]) for place in range(codes.shape[1])]
    ids.with_columns(columns).filter(pl.Series(codes.any(axis=1))).write_parquet(folder / USERS_FILE)


def _write_catalogue(dataset: Dataset, folder: Path) -> None:
    """Copy the dataset's catalogue; the gate: ids are unique and row i is item i, there and back."""
    catalogue = pl.read_parquet(dataset.folder / "items.parquet")
    catalogue.write_parquet(folder / "catalogue.parquet")
    ids = pl.read_parquet(folder / "catalogue.parquet")[ID].to_list()
    index = {raw_id: place for place, raw_id in enumerate(ids)}
    if (
        len(index) != dataset.num_items
        or ids != catalogue[ID].to_list()
        or any(raw_id is None for raw_id in ids)
    ):
        raise GateError(
            f"The catalogue has {len(index):,} distinct ids for {dataset.num_items:,} items: an id would "
            "not lead back to its "
            "item. Prepare the dataset anew. The bundle was not written."
        )


def _write_index(
    folder: Path,
    dataset: Dataset,
    point: SplitPoint,
    *,
    vectors: NDArray[np.float32],
    shown: NDArray[np.bool_],
    settings: BundleSettings,
    config: Config,
) -> BuiltIndex:
    indexed = np.flatnonzero(shown)
    query_vectors = QueryEncoder(
        ServedEncoder(folder / "user_encoder.onnx"),
        item_vectors=vectors,
        item_categories=dataset.categories,
        num_user_attributes=len(dataset.user_attribute_sizes),
        settings=settings,
    )
    found = [query_vectors.of(query) for query in index_queries(dataset, point, config)]
    queries = np.stack([vector for vector in found if vector is not None])
    built = build_index(
        np.ascontiguousarray(vectors[indexed]), indexed.astype(np.int32), queries, config.export
    )
    faiss.write_index(built.index, str(folder / "items.faiss"))
    return built
