"""What sells more lately than its own past would let expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from features.core.membership import is_in
from features.histories import IntArray
from features.interactions import Interactions
from features.profiles.rise import rise
from features.retriever import Reason, Retrieval, Retriever, ScoredItems, UserContext, Wording

PAST: Final = 8
"""The half-life of an item's own past, in half-lives of what it has lately"""

PRIOR: Final = 5.0
"""Expected events that speak for no change, see `rise`"""


@dataclass(frozen=True)
class Trending(Retriever):
    """The items that rise, those that rise most first, the same for everybody; nothing on an ordinal clock.

    An item's rise is its own, so the best of one category are that category's trending items.
    """

    name: ClassVar[str] = "trending"
    label: ClassVar[str] = "trending"
    is_general: ClassVar[bool] = False
    shapes: ClassVar[Mapping[str, str]] = {"rise": "float N"}

    rise: NDArray[np.float32]
    """(N,) how many times what its own past would give it an item sells, 0 where it does not rise"""

    @classmethod
    def fit(cls, interactions: Interactions, config: Config) -> Self:
        """See `Retriever.fit`."""
        if not interactions.has_times:
            return cls(rise=np.zeros(interactions.num_items, np.float32))
        days = config.retrievers.trending_days
        found = rise(interactions, days=days, past_days=PAST * days, prior=PRIOR).mean
        return cls(rise=np.where(found > 1, found, 0).astype(np.float32))

    def for_user(self, user: UserContext) -> ScoredItems:
        """See `Retriever.for_user`; for a user of whom nothing is known, too."""
        return self._found

    def reasons(self, items: IntArray, retrieval: Retrieval, wording: Wording) -> Mapping[int, Reason]:
        """The same for all that rises."""
        reason = Reason("trending", "Trending now" if wording.is_recent else "Was trending", priority=7)
        return dict.fromkeys(items[is_in(items, retrieval.proposed)].tolist(), reason)

    @cached_property
    def _found(self) -> ScoredItems:
        items = np.flatnonzero(self.rise).astype(np.int32)
        return ScoredItems(items=items, scores=np.asarray(self.rise)[items])
