"""A bundle with the present catalogue: what was trained is carried over by item id, the rest is counted
again.

It takes seconds: nothing is trained. The same events before the same moment give the same answers, but for
what the catalogue says. Shapes: N items of the dataset, D width of the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.schema import Config
from features.core.columns import ID, PRICE, PRODUCT_TYPE, USER_ID
from features.dataset import Dataset
from features.histories import IntArray
from features.interactions import Interactions
from features.retrievers.encoder import EncoderRetriever
from features.splits import SplitPoint, split_point_at, split_points
from serving.recommend.bundle import Bundle
from training.export.bundle import TrainedParts, assemble_bundle, untouched_items


@dataclass(frozen=True)
class Renewed:
    """A bundle with another catalogue, and what became of items without events that the former lacked."""

    bundle: Bundle
    num_described: int
    """New items that have a vector by their description, and can be shown"""
    num_left_out: int
    """New items that stay out until a training knows them"""


def with_present_catalogue(bundle: Bundle, dataset: Dataset, *, config: Config) -> Renewed:
    """`bundle` in the numbering and with the catalogue of `dataset`, which has its events too.

    It stays a bundle as of its own moment: later events of the dataset do not count. `config` are the
    settings of its run. Raises ArtefactError where this version computes other columns than the ranker reads.
    """
    point = _moment_of(bundle, dataset, config)
    encoder = bundle.retrievers[EncoderRetriever.name]
    assert isinstance(encoder, EncoderRetriever)
    catalogue = pl.read_parquet(dataset.folder / "items.parquet")
    old_row = _old_rows(bundle, catalogue)
    untouched = untouched_items(dataset, point, config)
    vectors = np.zeros((dataset.num_items, encoder.item_vectors.shape[1]), np.float32)
    carried = (old_row >= 0) & ~untouched
    vectors[carried] = encoder.item_vectors[old_row[carried]]
    if bundle.item_encoder is not None and dataset.has_catalogue:
        known_then = catalogue if point.name == "full" else catalogue.drop(PRICE)
        made_elsewhere = {
            name: array
            for name, array in dataset.content_of(untouched).items()
            if name in ("given", "images")
        }
        vectors[untouched] = bundle.item_encoder.vectors(
            known_then.filter(pl.Series(untouched)), made_elsewhere=made_elsewhere
        )
    interactions = Interactions.before(dataset, point, config)
    categories = _categories_as_before(bundle, catalogue)
    parts = TrainedParts(
        encoder.query_encoder,
        vectors,
        bundle.item_encoder,
        bundle.ranker.graph if bundle.ranker else None,
        bundle.users,
        bundle.manifest["gates"],
        bundle.outcomes,
    )
    made = assemble_bundle(
        dataset,
        point,
        replace(
            interactions,
            categories=categories,
            user_attributes=lambda: _attributes_as_before(bundle, dataset),
        ),
        parts=parts,
        settings=bundle.settings,
        config=config,
        made_by=bundle.manifest["made_by"],
    )
    if bundle.ranker is not None and made.ranker is not None:
        run = str(bundle.manifest["made_by"].get("run"))
        bundle.ranker.require_columns(made.ranker.columns, where=Path(run))
    new = untouched & (old_row < 0)
    num_described = int((new & made.can_be_shown).sum())
    return Renewed(made, num_described, int(new.sum()) - num_described)


def _moment_of(bundle: Bundle, dataset: Dataset, config: Config) -> SplitPoint:
    """The bundle's split point, in the dataset."""
    name = str(bundle.manifest["split_point"])
    if config.split.kind == "window":
        return split_point_at(dataset, bundle.as_of, name=name)
    return next(point for point in split_points(dataset, config.split) if point.name == name)


def _old_rows(bundle: Bundle, catalogue: pl.DataFrame) -> NDArray[np.int64]:
    """(N,) the bundle's index of each item; -1 for one that it lacks."""
    before = bundle.catalogue.select(ID).with_row_index("row")
    rows = catalogue.select(ID).join(before, on=ID, how="left", maintain_order="left")["row"]
    return rows.cast(pl.Int64).fill_null(-1).to_numpy()


def _categories_as_before(bundle: Bundle, catalogue: pl.DataFrame) -> IntArray:
    """(N,) each item's category by the bundle's codes, which a model may have been trained on; -1 for a
    category that is new."""
    if PRODUCT_TYPE not in bundle.catalogue.columns:
        return np.full(len(catalogue), -1, np.int32)
    codes = pl.Series("code", np.asarray(bundle.item_profiles.category))
    before = bundle.catalogue.select(PRODUCT_TYPE).with_columns(codes).drop_nulls().unique(PRODUCT_TYPE)
    found = catalogue.select(PRODUCT_TYPE).join(before, on=PRODUCT_TYPE, how="left", maintain_order="left")
    return found["code"].cast(pl.Int32).fill_null(-1).to_numpy()


def _attributes_as_before(bundle: Bundle, dataset: Dataset) -> IntArray:
    """(U, A) each user's attributes by the bundle's codes; 0 for a user whom it does not know."""
    if bundle.users is None:
        return np.zeros((dataset.num_users, 0), np.int32)
    ids = pl.read_parquet(dataset.folder / "users.parquet", columns=[USER_ID])
    found = ids.join(bundle.users, on=USER_ID, how="left", maintain_order="left").drop(USER_ID)
    return found.fill_null(0).to_numpy().astype(np.int32)
