"""The headline metric of every user of an evaluation: what paired comparisons of runs are computed from.

Shapes: U evaluated users, B popularity bands of items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.core.artefact import writing_file
from features.histories import IntArray
from training.evaluation.bands import POPULARITY_BANDS, history_bands

FloatArray = NDArray[np.float64]
USERS_FILE = "evaluation_users.npz"
REPEAT_AND_NEW = ("repeat", "new")


@dataclass(frozen=True)
class Slice:
    """Some of the evaluated users, with one value of each system for each of them."""

    by: str
    """`all`, `history`, `popularity` or `repeat / new`"""
    name: str
    users: IntArray
    values: Mapping[str, FloatArray]
    """system → one value a user"""


@dataclass(frozen=True)
class UserFigures:
    """Capped recall at k of each system for each user, and what is needed to break it down."""

    k: int
    """Length of the recommended lists"""
    users: Mapping[str, IntArray]
    """part (`all`, `repeat`, `new`) → its users, ascending"""
    values: Mapping[str, Mapping[str, FloatArray]]
    """system → part → capped recall at k, one value a user"""
    history_lengths: NDArray[np.int64]
    """(U,) target events before the split point"""
    relevant_UB: NDArray[np.int64]
    """(U, B) number of relevant items in each popularity band"""
    hits_UB: Mapping[str, NDArray[np.int64]]
    """system → (U, B) number of these among the first k of its list"""

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that have figures, by name."""
        return tuple(self.values)

    def slices(self) -> Iterator[Slice]:
        """All users, then by history length, by item popularity, and repeat and new items."""
        everyone = self.users["all"]
        yield Slice(
            "all", "all users", everyone, {system: parts["all"] for system, parts in self.values.items()}
        )
        bands = history_bands(self.history_lengths)
        for place, name in enumerate(bands.names):
            which = bands.of == place
            values = {system: parts["all"][which] for system, parts in self.values.items()}
            yield Slice("history", name, everyone[which], values)
        for place, name in enumerate(POPULARITY_BANDS):
            has_some = self.relevant_UB[:, place] > 0
            possible = np.minimum(self.relevant_UB[has_some, place], self.k)
            values = {system: hits[has_some, place] / possible for system, hits in self.hits_UB.items()}
            yield Slice("popularity", name, everyone[has_some], values)
        for part in REPEAT_AND_NEW:
            values = {system: parts[part] for system, parts in self.values.items()}
            yield Slice("repeat / new", f"{part} items", self.users[part], values)

    def save(self, folder: Path) -> None:
        """Write `evaluation_users.npz`."""
        arrays: dict[str, Any] = {
            "k": np.array(self.k),
            "users": self.users["all"],
            "history_lengths": self.history_lengths,
            "relevant": self.relevant_UB,
        }
        for part in REPEAT_AND_NEW:
            arrays[f"users_{part}"] = self.users[part]
        for system, parts in self.values.items():
            arrays[system] = parts["all"]
            arrays |= {f"{system}_{part}": parts[part] for part in REPEAT_AND_NEW}
            arrays[f"{system}_hits"] = self.hits_UB[system]
        with writing_file(folder / USERS_FILE) as scratch, scratch.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def find(cls, folder: Path) -> UserFigures | None:
        """What `save` wrote; None where the file is missing or was written by another version."""
        path = folder / USERS_FILE
        if not path.is_file():
            return None
        with np.load(path) as found:
            arrays = dict(found)
        if "history_lengths" not in arrays:
            return None
        systems = [name.removesuffix("_hits") for name in arrays if name.endswith("_hits")]
        return cls(
            k=int(arrays["k"]),
            users={"all": arrays["users"], **{part: arrays[f"users_{part}"] for part in REPEAT_AND_NEW}},
            values={
                system: {
                    "all": arrays[system],
                    **{part: arrays[f"{system}_{part}"] for part in REPEAT_AND_NEW},
                }
                for system in systems
            },
            history_lengths=arrays["history_lengths"],
            relevant_UB=arrays["relevant"],
            hits_UB={system: arrays[f"{system}_hits"] for system in systems},
        )
