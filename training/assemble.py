"""Puts a bundle together: sources and vectors as of one cut, the encoder, the index, the ranker, each through its gate."""

from __future__ import annotations

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
from features.artefact import write_manifest, writing
from features.columns import ID, KIND
from features.dataset import Dataset
from features.fit_sources import SourceTables, fit_sources
from features.histories import EncoderInputs, encoder_inputs
from features.splits import Cut
from models.encoder import Encoder
from models.ranker import RankerNetwork
from serving.bundle import BundleSettings
from serving.candidates import FEATURES
from serving.encoder import Encoder as ServedEncoder
from training.build_index import BuiltIndex, build_index
from training.export_onnx import export_encoder, export_ranker

NUM_INDEX_QUERIES = 200
"""Real histories whose query vectors measure the index."""


def assemble(
    out: Path,
    dataset: Dataset,
    cut: Cut,
    *,
    encoder: Encoder,
    ranker: RankerNetwork | None,
    config: Config,
    made_by: Mapping[str, Any],
) -> str:
    """Write the bundle folder `out` and return its version. Raises GateError, and writes nothing, when a gate fails.

    Without a ranker the bundle can propose candidates but not order them: it serves to fit the ranker of the next.
    `made_by` (run, commit, data fingerprint) goes into the manifest as it is.
    """
    tables = fit_sources(dataset, cut, config)
    with writing(out, kind="bundle") as folder:
        tables.save(folder)
        vectors = _item_vectors(encoder, tables)
        np.save(folder / "items.npy", vectors)
        _write_catalogue(dataset, folder)
        gates = _export_graphs(encoder, ranker, folder, config)
        built = _write_index(folder, dataset, cut, vectors=vectors, tables=tables, config=config)
        settings = BundleSettings(
            history=config.history, candidates=config.candidates, surfaces=config.surfaces, has_times=dataset.has_times
        )
        return write_manifest(
            folder,
            kind="bundle",
            made_from=dataset.fingerprint,
            contents={
                "name": config.name,
                "as_of": cut.as_of,
                "cut": cut.name,
                "num_items": dataset.num_items,
                "num_known_items": int(tables.known.sum()),
                "currency": dataset.manifest["currency"],
                "dim": vectors.shape[1],
                "features": list(FEATURES),
                "gates": gates,
                "index": {
                    "kind": built.kind,
                    "recall_100": built.recall,
                    "milliseconds": round(built.milliseconds, 3),
                    "exact_milliseconds": round(built.exact_milliseconds, 3),
                    "tried": [point.as_json() for point in built.tried],
                },
                "made_by": dict(made_by),
                "settings": settings.model_dump(mode="json"),
            },
        )


def _export_graphs(encoder: Encoder, ranker: RankerNetwork | None, folder: Path, config: Config) -> dict[str, float]:
    """Write the ONNX graphs; returns how far each is from torch."""
    limit, max_length = config.export.max_onnx_difference, config.history.max_length
    path = folder / "user_encoder.onnx"
    differences = {"encoder_difference": export_encoder(encoder, path, max_length=max_length, max_difference=limit)}
    if ranker is not None:
        differences["ranker_difference"] = export_ranker(ranker, folder / "ranker.onnx", max_difference=limit)
    return differences


@torch.no_grad()
def _item_vectors(encoder: Encoder, tables: SourceTables) -> NDArray[np.float32]:
    """(N, D); zeros for items without an event before the cut, whose vectors nothing has trained."""
    vectors = encoder.item_vectors(torch.arange(len(tables.known))).float().numpy().copy()
    vectors[~tables.known] = 0.0
    return np.ascontiguousarray(vectors, np.float32)


def _write_catalogue(dataset: Dataset, folder: Path) -> None:
    """Copy the dataset's catalogue; the gate: ids are unique and row i is item i, there and back."""
    catalogue = pl.read_parquet(dataset.folder / "items.parquet")
    catalogue.write_parquet(folder / "catalogue.parquet")
    ids = pl.read_parquet(folder / "catalogue.parquet")[ID].to_list()
    index = {raw_id: place for place, raw_id in enumerate(ids)}
    if len(index) != dataset.num_items or ids != catalogue[ID].to_list() or any(raw_id is None for raw_id in ids):
        raise GateError(
            f"The catalogue has {len(index):,} distinct ids for {dataset.num_items:,} items: an id would not lead back to its "
            "item. Prepare the dataset anew. The bundle was not written."
        )


def _write_index(
    folder: Path, dataset: Dataset, cut: Cut, *, vectors: NDArray[np.float32], tables: SourceTables, config: Config
) -> BuiltIndex:
    known = np.flatnonzero(tables.known)
    served = ServedEncoder(folder / "user_encoder.onnx")
    queries = [served.query_vector(inputs, vectors) for inputs in sample_inputs(dataset, cut, config)]
    built = build_index(np.ascontiguousarray(vectors[known]), known.astype(np.int32), np.stack(queries), config.export)
    faiss.write_index(built.index, str(folder / "items.faiss"))
    return built


def sample_inputs(dataset: Dataset, cut: Cut, config: Config) -> list[EncoderInputs]:
    """Real histories, as the encoder reads them, that measure the index."""
    kinds = np.array([KIND[kind] for kind in config.history.input_kinds], np.int8)
    users = np.random.default_rng(config.training.seed).permutation(dataset.num_users)
    found: list[EncoderInputs] = []
    for user in users:
        history = cut.history(dataset, int(user))
        inputs = encoder_inputs(history, as_of=cut.moment(history), kinds=kinds, max_length=config.history.max_length)
        if len(inputs.items):
            found.append(inputs)
        if len(found) == NUM_INDEX_QUERIES:
            break
    return found
