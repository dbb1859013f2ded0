"""The contract of every retriever, with what it is asked and what it answers.

Legend of shapes: N items, M items that were found, C candidates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.bundle_files import read_array, reading, require_shapes
from features.core.grown import grown
from features.histories import History, IntArray
from features.interactions import Interactions
from features.profiles.user_profile import UserProfile

if TYPE_CHECKING:
    from features.profiles.item_neighbours import Neighbours  # needs scipy

LIVE: Final = {"is_live": True}
"""Metadata of a field that only a running server fills: it has no file."""

Column = NDArray[np.floating[Any]] | float
"""(C,) one number a candidate, or one for all of them."""


@dataclass(frozen=True)
class UserContext:
    """What is known of a user without the request."""

    history: History
    """Oldest first; empty for a stranger"""
    as_of: int
    """Now, in microseconds since 1970 UTC"""
    profile: UserProfile
    attributes: IntArray
    """(A,) codes of what the shop knows of the user; empty for nothing"""
    context: Mapping[str, str] = field(default_factory=dict)
    """What the request says of where it comes from: column of an event → value"""
    user: str | None = None
    """Their key, see `features.core.ids.user_key`; None for a stranger"""


@dataclass(frozen=True)
class ScoredItems:
    """A sparse vector over the catalogue: items ascending, and a score for each."""

    items: IntArray
    """(M,)"""
    scores: NDArray[np.float32]
    """(M,)"""
    ranked: IntArray | None = None
    """(M,) the items best first, where that order is known already"""

    @classmethod
    def none(cls) -> Self:
        """No items."""
        return cls(items=np.empty(0, np.int32), scores=np.empty(0, np.float32))

    def at(self, items: IntArray) -> NDArray[np.float32]:
        """The scores of `items`, 0 where there is none."""
        if not len(self.items):
            return np.zeros(len(items), np.float32)
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where(self.items[place] == items, self.scores[place], np.float32(0))

    def best(self, count: int, *, allowed: NDArray[np.bool_] | None = None) -> IntArray:
        """The `count` items with the highest scores, best first; of those that `allowed` (N,) marks."""
        ranked = self.ranked if self.ranked is not None else self._rank()
        if allowed is None:
            return ranked[:count]
        first = ranked[: 2 * count]  # most often enough, and much less than a catalogue
        found = first[allowed[first]]
        if len(found) < count and len(first) < len(ranked):
            found = ranked[allowed[ranked]]
        return found[:count]

    def _rank(self) -> IntArray:
        return self.items[np.argsort(-self.scores, kind="stable")]


@dataclass(frozen=True)
class Reason:
    """Why an item is in a list: a code for programs, a sentence for people."""

    code: str
    """Such as `due`, `bought_before`, `chosen_before`, `goes_with`, `similar`, `for_you`, `similar_users`,
    `deal`, `new`, `trending`, `popular_among`, `popular` or `long_tail`"""
    text: str
    item: int | None = None
    """The item that the sentence speaks of, as an index"""
    priority: int = 9
    """The reason with the lowest number is named first."""


@dataclass(frozen=True)
class Wording:
    """How reasons call things."""

    titles: Sequence[str]
    """(N,) what people call each item"""
    done: str
    """What a target event does to its item: `bought`, or `viewed or bought` where views are targets, too"""
    is_recent: bool = True
    """Whether what was fitted is recent: there are times, and the recent window is not long past"""
    has_times: bool = True
    """False on an ordinal clock: then nobody can say when something happened"""

    @property
    def lately(self) -> str:
        """` lately` where that is true of the recent window."""
        return " lately" if self.is_recent and self.has_times else ""


@dataclass(frozen=True)
class Retrieval:
    """What one retriever found for one request."""

    user: UserContext
    for_user: ScoredItems
    """From the user's stored history alone: may be kept between requests"""
    context_items: IntArray
    """What is on the page, in the cart, or was viewed in the present session"""
    for_page: ScoredItems
    """From `context_items`"""
    proposed: IntArray
    """The candidates among both, best first"""


@dataclass(frozen=True)
class DescribedItems:
    """Items (M,) that nobody has had, with what follows from how the catalogue describes them."""

    items: IntArray
    """(M,) indices"""
    neighbours: Neighbours
    """(M, K) the items that are described most alike, of those that can be shown"""
    vectors: NDArray[np.float32]
    """(M, D) zeros for one that nothing is known of"""
    popularity: NDArray[np.float32]
    """(M,) what is to be expected: that of the items described alike"""


class Retriever(ABC):
    """Proposes candidates.

    A subclass is a frozen dataclass whose fields are arrays or sparse matrices: then `save` and `load` are
    done. One whose score means something for a user gives `for_user`, one for a page `for_page`, or both.
    """

    name: ClassVar[str]
    """The name of its module"""
    label: ClassVar[str]
    """What people read in tables and reviews"""
    columns: ClassVar[tuple[str, ...]] = ()
    """The ranker columns that `features` gives"""
    time_columns: ClassVar[tuple[str, ...]] = ()
    """Those of them that mean nothing on an ordinal clock: they are 0 there"""
    shapes: ClassVar[Mapping[str, str]] = {}
    """Field → the shape that `load` must find, such as `float N`: see `features.core.bundle_files`"""
    is_general: ClassVar[bool] = True
    """Whether surfaces without a `retrievers` list ask it; one that answers a question of its own, such as
    what is new, is asked where it is named"""
    is_baseline: ClassVar[bool] = True
    """Whether the evaluation replays it alone, if it is general; not one that only completes others"""
    num_candidates: ClassVar[int] = 200
    """How many items it proposes at most; `retrievers.num_candidates` overrides it"""

    @classmethod
    @abstractmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """Fit on events before `interactions.as_of`. Deterministic."""

    def for_user(self, user: UserContext) -> ScoredItems:
        """Items for a user, from their stored history alone; none for a user of whom nothing is known."""
        return ScoredItems.none()

    def for_page(self, items: IntArray) -> ScoredItems:
        """Items for a page that shows `items` (or a cart, or a session)."""
        return ScoredItems.none()

    def deeper(
        self, user: UserContext, found: ScoredItems, *, allowed: NDArray[np.bool_], count: int
    ) -> ScoredItems:
        """What `for_user` would give where only the items that `allowed` (N,) marks existed: for filters that
        leave little of `found`, which is what it gave. Default: that itself, which is all there is."""
        return found

    def alone(self, user: UserContext, found: ScoredItems, *, count: int) -> IntArray:
        """The list of this retriever evaluated alone, best first; `found` is what `for_user` gave."""
        return found.best(count)

    def features(self, items: IntArray, retrieval: Retrieval) -> Mapping[str, Column]:
        """Its `columns` of candidates (C,)."""
        return {}

    @abstractmethod
    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """Item → why this retriever would show it: a statement that is true of the history."""

    def grown(self, num_items: int, *, new: IntArray) -> Self:
        """For a catalogue of so many items, of which it knows nothing of the `new` ones: they came after it
        was fitted. Default: longer arrays."""
        return replace(self, **grown(vars(self), self.shapes, num_items=num_items))  # type: ignore[type-var]

    def follow(self, item: int, fields: Mapping[str, Any]) -> bool:
        """Take up what the live catalogue says of an item from now on (column → value), in place. Returns
        whether `for_user` gives anything else now. Default: what it knows is not of the catalogue."""
        return False

    def described(self, new: DescribedItems) -> Self:
        """With what is known of items without events, for which it has room. Default: it needs events."""
        return self

    def save(self, folder: Path) -> None:
        """Write one file a field."""
        from scipy import sparse  # not above: a machine that only trains the encoder may lack it

        folder.mkdir(parents=True, exist_ok=True)
        for one in saved_fields(type(self)):
            value = getattr(self, one.name)
            if sparse.issparse(value):
                sparse.save_npz(folder / f"{one.name}.npz", value, compressed=False)
            else:
                np.save(folder / f"{one.name}.npy", value)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the files of `save`. Arrays are memory-mapped, so that replicas on one machine share them.

        Raises ArtefactError.
        """
        from scipy import sparse

        found: dict[str, Any] = {}
        for one in saved_fields(cls):
            path = folder / f"{one.name}.npz"
            if path.is_file():
                with reading(path), path.open("rb") as file:
                    found[one.name] = sparse.load_npz(file)
            else:
                found[one.name] = read_array(folder / f"{one.name}.npy")
        return cls(**found)

    def require_shapes(self, folder: Path, *, num_items: int) -> None:
        """Raise ArtefactError where a file of `folder` holds something else than its name says."""
        require_shapes(folder, vars(self), self.shapes, sizes={"N": num_items})


def saved_fields(retriever: type[Retriever]) -> list[Field[Any]]:
    """The fields that have a file."""
    return [one for one in fields(retriever) if not one.metadata.get("is_live")]  # type: ignore[arg-type]
