"""A bundle: everything that answers need, in one folder. The only thing that passes from training to serving.

manifest.json        sha256 of each file, name, as_of, settings, names of the ranker's features
user_encoder.onnx    history vectors -> query vector           items.npy      (N, D) item vectors; can_be_shown.npy (N,)
item_encoder.onnx    catalogue features -> item vector, of models with an item tower, with item_vocabulary.parquet
users.parquet        codes of users' attributes, for models that read them
ranker.onnx          candidate features -> score               items.faiss    the index over the known ones
catalogue.parquet    row i is item i: raw id, title, price, …  *.npy          the sources' tables (`SourceTables`)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import ArtefactError
from configs.schema import CandidatesConfig, EventType, HistoryConfig, Section, SurfaceConfig
from features.core.artefact import other_version, read_manifest
from features.core.columns import AVAILABILITY, ID, USER_ID
from features.histories import IntArray
from features.retrievers.fit import SourceTables

USERS_FILE = "users.parquet"


class BundleSettings(Section):
    """The settings that a bundle was fitted with and must be served with."""

    history: HistoryConfig
    candidates: CandidatesConfig
    surfaces: dict[str, SurfaceConfig]
    has_times: bool
    profile_event_types: tuple[EventType, ...] = ("purchase",)
    """The event types that `user_features` counts."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle folder. Legend: N items, D width of the vectors."""

    folder: Path
    manifest: dict[str, Any]
    settings: BundleSettings
    catalogue: pl.DataFrame
    item_vectors: NDArray[np.float32]
    """(N, D); zeros for an item of which nothing was known at `as_of`"""
    can_be_shown: NDArray[np.bool_]
    """(N,) items with a target event before `as_of`, or described to an item tower: those in the index"""
    tables: SourceTables

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read a bundle; raises ArtefactError when a file is missing or was changed, or the parts
        disagree."""
        manifest = read_manifest(folder, kind="bundle", verify=True)
        try:
            bundle = cls(
                folder=folder,
                manifest=manifest,
                settings=BundleSettings.model_validate(manifest["settings"]),
                catalogue=pl.read_parquet(folder / "catalogue.parquet"),
                item_vectors=np.asarray(np.load(folder / "items.npy", mmap_mode="r")),
                can_be_shown=np.load(folder / "can_be_shown.npy"),
                tables=SourceTables.load(folder),
            )
            bundle._check_parts_agree()
        except (KeyError, TypeError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            raise other_version(folder, kind="bundle", error=error) from None
        return bundle

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def currency(self) -> str | None:
        """The shop's currency, where its events named it."""
        currency: str | None = self.manifest.get("currency")
        return currency

    @property
    def as_of(self) -> int:
        """Microseconds since 1970 UTC: nothing in the bundle knows an event at or after this time."""
        return int(self.manifest["as_of"])

    @property
    def num_user_attributes(self) -> int:
        """How many attributes of a user the encoder reads."""
        return int(self.manifest.get("num_user_attributes", 0))

    @property
    def surfaces(self) -> dict[str, SurfaceConfig]:
        return self.settings.surfaces

    @cached_property
    def item_ids(self) -> list[str]:
        """Index → raw id."""
        return self.catalogue[ID].to_list()

    @cached_property
    def item_index(self) -> dict[str, int]:
        """Raw id → index."""
        return {raw_id: index for index, raw_id in enumerate(self.item_ids)}

    @cached_property
    def titles(self) -> list[str]:
        """Index → what people call the item; the raw id where there is no title."""
        named = self.catalogue.select(
            pl.coalesce([column for column in ("title", ID) if column in self.catalogue.columns])
        )
        return named.to_series().to_list()

    def user_attributes(self, user_id: str | None) -> IntArray:
        """(A,) codes of what the shop knew of a user when the bundle was made; empty for nothing."""
        return self._user_attributes.get(user_id or "", np.empty(0, np.int32))

    @cached_property
    def _user_attributes(self) -> dict[str, IntArray]:
        path = self.folder / USERS_FILE
        if not path.is_file():
            return {}
        users = pl.read_parquet(path)
        codes = users.drop(USER_ID).to_numpy().astype(np.int32)
        return dict(zip(users[USER_ID].to_list(), codes, strict=True))

    @cached_property
    def recommendable(self) -> NDArray[np.bool_]:
        """(N,) True for items that can be shown and can be bought."""
        if AVAILABILITY not in self.catalogue.columns:
            return self.can_be_shown
        sold_out = self.catalogue[AVAILABILITY].eq_missing("out_of_stock").to_numpy()
        return np.asarray(self.can_be_shown & ~sold_out)

    def _check_parts_agree(self) -> None:
        if missing := {"name", "as_of", "features"} - set(self.manifest):
            raise KeyError(*sorted(missing))
        counts = {
            "catalogue.parquet": len(self.catalogue),
            "items.npy": len(self.item_vectors),
            "can_be_shown.npy": len(self.can_be_shown),
            "popularity.npy": len(self.tables.popularity),
            "manifest.json": int(self.manifest["num_items"]),
        }
        if len(set(counts.values())) > 1:
            raise ArtefactError(
                f"{self.folder}: the parts disagree on the number of items ({counts}). Export it anew."
            )
