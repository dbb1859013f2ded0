"""A bundle: everything that answers need, in one folder. The only thing that passes from training to serving.

manifest.json             sha256 of each file, name, as_of, settings, the ranker's columns and outcomes
retrievers/<name>/        what each retriever keeps
item_profiles/*.npy       what ranker columns about items are read from
catalogue.parquet         row i is item i: raw id, title, price, …
can_be_shown.npy          (N,) items that are known well enough to be recommended
ranker.onnx               columns of candidates -> score, and probabilities of outcomes
item_encoder.onnx         catalogue features -> item vector, of models with an item tower, with
                          item_vocabulary.parquet
users.parquet             codes of users' attributes, for models that read them
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import ArtefactError, ConfigError
from configs.settings.encoder import HistoryConfig
from configs.settings.event_types import EventType
from configs.settings.recommend import RetrieversConfig, SurfaceConfig
from configs.settings.section import Section
from features.core.artefact import other_version, read_manifest, write_manifest, writing
from features.core.bundle_files import read_array, reading, require_shapes
from features.core.columns import AVAILABILITY, ID, SOLD_OUT, USER_ID
from features.histories import IntArray
from features.profiles.item_groups import item_groups
from features.profiles.item_profiles import ItemProfiles
from features.retriever import Retriever
from features.retrievers import configured_retrievers, retriever_class
from serving.recommend.item_encoder import ITEM_ENCODER_FILE, ItemEncoder
from serving.recommend.ranker import RANKER_FILE, Ranker

CATALOGUE_FILE: Final = "catalogue.parquet"
USERS_FILE: Final = "users.parquet"
SHOWN_FILE: Final = "can_be_shown.npy"


class BundleSettings(Section):
    """The settings that a bundle was fitted with and must be served with."""

    history: HistoryConfig
    retrievers: RetrieversConfig
    surfaces: dict[str, SurfaceConfig]
    has_times: bool
    feature_groups: tuple[str, ...] | None = None
    """None: all"""
    profile_event_types: tuple[EventType, ...] = ("purchase",)
    """The event types that `user_features` counts."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle in memory. Legend: N items."""

    manifest: Mapping[str, Any]
    """name, as_of and what else `manifest.json` says; without files and fingerprint where it was not saved"""
    settings: BundleSettings
    catalogue: pl.DataFrame
    can_be_shown: NDArray[np.bool_]
    """(N,) items with a target event before `as_of`, or described to an item tower"""
    item_profiles: ItemProfiles
    retrievers: Mapping[str, Retriever]
    """Name → the fitted retriever, in the order of the columns"""
    ranker: Ranker | None = None
    """None in a bundle that proposes candidates only, to fit the ranker of the next"""
    item_encoder: ItemEncoder | None = None
    users: pl.DataFrame | None = None
    """Raw ids and attribute codes, for models that read them"""
    expected_profiles: ItemProfiles | None = None
    """`item_profiles` with what is to be expected of items that came later; None where none did. It is in no
    file."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read a bundle; raises ArtefactError when a file is missing, was changed or holds something else
        than its name says, or the parts disagree."""
        manifest = read_manifest(folder, kind="bundle", verify=True)
        try:
            settings = BundleSettings.model_validate(manifest["settings"])
            retrievers, columns = _names(manifest["retrievers"]), _names(manifest["features"])
            outcomes = _names(manifest.get("outcomes", []))
            num_items, _, _ = int(manifest["num_items"]), int(manifest["as_of"]), str(manifest["name"])
            classes = {name: retriever_class(name) for name in retrievers}
            if missing := set(configured_retrievers(settings.surfaces)) - set(retrievers):
                raise ValueError(f"a surface needs the retrievers {', '.join(sorted(missing))}")
        except (KeyError, TypeError, ValueError, ConfigError) as error:  # pydantic's is a ValueError
            raise other_version(folder, kind="bundle", error=error) from None
        bundle = cls(
            manifest=manifest,
            settings=settings,
            catalogue=_read_table(folder / CATALOGUE_FILE, needs=ID),
            can_be_shown=read_array(folder / SHOWN_FILE),
            item_profiles=ItemProfiles.load(folder / "item_profiles"),
            retrievers={name: one.load(folder / "retrievers" / name) for name, one in classes.items()},
            ranker=Ranker.load(folder, columns=columns, outcomes=outcomes)
            if (folder / RANKER_FILE).is_file()
            else None,
            item_encoder=ItemEncoder.load(folder) if (folder / ITEM_ENCODER_FILE).is_file() else None,
            users=_read_table(folder / USERS_FILE, needs=USER_ID)
            if (folder / USERS_FILE).is_file()
            else None,
        )
        bundle._require_agreement(folder, num_items=num_items)
        return bundle

    def save(self, folder: Path, *, made_from: str) -> str:
        """Write the bundle and return its version. `made_from` is the fingerprint of the dataset."""
        with writing(folder, kind="bundle") as scratch:
            for name, retriever in self.retrievers.items():
                retriever.save(scratch / "retrievers" / name)
            self.item_profiles.save(scratch / "item_profiles")
            self.catalogue.write_parquet(scratch / CATALOGUE_FILE)
            np.save(scratch / SHOWN_FILE, self.can_be_shown)
            if self.users is not None:
                self.users.write_parquet(scratch / USERS_FILE)
            if self.item_encoder is not None:
                self.item_encoder.save(scratch)
            if self.ranker is not None:
                self.ranker.save(scratch)
            contents = {
                **self.manifest,
                "num_items": self.num_items,
                "retrievers": list(self.retrievers),
                "features": list(self.ranker.columns) if self.ranker else [],
                "outcomes": list(self.outcomes),
                "settings": self.settings.model_dump(mode="json"),
            }
            return write_manifest(scratch, kind="bundle", made_from=made_from, contents=contents)

    @property
    def name(self) -> str:
        """The name of the shop."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """The hash of the bundle's files."""
        return str(self.manifest["fingerprint"])

    @property
    def currency(self) -> str | None:
        """The shop's currency, where its events named it."""
        currency: str | None = self.manifest.get("currency")
        return currency

    @property
    def trained_inputs(self) -> Mapping[str, Any] | None:
        """What the encoder was trained to read: the share of each event type (`event_types`) and the events
        of a user on average (`mean_events`). None in a bundle of an earlier version."""
        inputs: Mapping[str, Any] | None = self.manifest.get("encoder_inputs")
        return inputs

    @property
    def as_of(self) -> int:
        """Microseconds since 1970 UTC: nothing in the bundle knows an event at or after this time."""
        return int(self.manifest["as_of"])

    @property
    def num_items(self) -> int:
        """Items in the catalogue."""
        return len(self.catalogue)

    @property
    def surfaces(self) -> dict[str, SurfaceConfig]:
        """The surfaces that this bundle answers for, by name."""
        return self.settings.surfaces

    @property
    def ranked_profiles(self) -> ItemProfiles:
        """What the ranker's columns are read from."""
        return self.expected_profiles or self.item_profiles

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes whose probabilities the ranker tells."""
        return self.ranker.outcomes if self.ranker else ()

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
        columns = [column for column in ("title", ID) if column in self.catalogue.columns]
        return self.catalogue.select(pl.coalesce(columns)).to_series().to_list()

    def user_attributes(self, user_id: str | None) -> IntArray:
        """(A,) codes of what the shop knew of a user when the bundle was made; empty for nothing."""
        return self._user_attributes.get(user_id or "", np.empty(0, np.int32))

    @cached_property
    def _user_attributes(self) -> dict[str, IntArray]:
        if self.users is None:
            return {}
        codes = self.users.drop(USER_ID).to_numpy().astype(np.int32)
        return dict(zip(self.users[USER_ID].to_list(), codes, strict=True))

    @cached_property
    def item_groups(self) -> IntArray:
        """(N,) the group of variants of each item, -1 without one; empty where no item has one."""
        groups = item_groups(self.catalogue)
        return groups if (groups >= 0).any() else groups[:0]

    @cached_property
    def recommendable(self) -> NDArray[np.bool_]:
        """(N,) True for items that can be shown and can be bought. A server changes it in place, as `titles`,
        when an item changes."""
        if AVAILABILITY not in self.catalogue.columns:
            return np.array(self.can_be_shown)
        sold_out = self.catalogue[AVAILABILITY].eq_missing(SOLD_OUT).to_numpy()
        return np.asarray(self.can_be_shown & ~sold_out)

    def _require_agreement(self, folder: Path, *, num_items: int) -> None:
        """Raise ArtefactError where a part is not of so many items, or is no such part at all."""
        counts = {CATALOGUE_FILE: len(self.catalogue), "manifest.json": num_items}
        if self.can_be_shown.ndim == 1:
            counts[SHOWN_FILE] = len(self.can_be_shown)
        if len(set(counts.values())) > 1:
            raise ArtefactError(
                f"{folder}: the parts disagree on the number of items ({counts}). Export it anew."
            )
        shown = {"can_be_shown": self.can_be_shown}
        require_shapes(folder, shown, {"can_be_shown": "bool N"}, sizes={"N": num_items})
        self.item_profiles.require_shapes(folder / "item_profiles", num_items=num_items)
        for name, retriever in self.retrievers.items():
            retriever.require_shapes(folder / "retrievers" / name, num_items=num_items)


def _names(value: object) -> tuple[str, ...]:
    """A list of the manifest. Raises TypeError for anything else."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{value!r} is no list of names")
    return tuple(value)


def _read_table(path: Path, *, needs: str) -> pl.DataFrame:
    """Read a Parquet file that has a column of text ids."""
    with reading(path):
        table = pl.read_parquet(path)
        if table.schema.get(needs) != pl.String:
            raise ValueError(f"it has no column {needs!r} of text")
        return table
