"""Training batches that treat a history as a set: a random part of each user's items is the query, the rest
are its targets. The split is drawn anew each epoch.

No target is part of its own query, so the model cannot learn to copy. Source: the corrupted input of
denoising auto-encoders (Liang et al. 2018, arXiv:1802.05814), with the removed items as the only targets.

Shape suffixes: B users, L positions, P pairs of a user and a target.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from features.histories import TimeArray, latest_event_of_each_item
from training.encoder.batches import Batch, Events, TrainingBatches, grouped_by_length

QUERY_SHARE: Final = (0.5, 0.95)
"""Range of the share of a set that is the query. High, since at a split point the query is the whole set."""


class SetBatches(TrainingBatches):
    """Without user features, because most of them depend on time, which a set ignores."""

    def __init__(self, events: Events, *, max_length: int, batch_tokens: int, seed: int) -> None:
        super().__init__(events, max_length=max_length, batch_tokens=batch_tokens, seed=seed)
        self._distinct_E, self._weights_E, self._lengths = _sets(events)
        self._blocks = np.cumsum(self._lengths) - self._lengths

    def num_batches(self) -> int:
        """Number of batches of the current epoch."""
        return len(self._drawn(np.random.default_rng((self._seed, self._epoch)))[0])

    def __iter__(self) -> Iterator[Batch]:
        batches, sizes, order_E = self._drawn(np.random.default_rng((self._seed, self._epoch)))
        for users in batches[self._first :]:
            yield self._set_batch(users, sizes[users], order_E)

    def _drawn(
        self, generator: np.random.Generator
    ) -> tuple[list[NDArray[np.intp]], TimeArray, NDArray[np.intp]]:
        """(users of each batch, size of each query, all sets one after the other, each shuffled)."""
        lengths = self._lengths
        sizes = np.rint(generator.uniform(*QUERY_SHARE, len(lengths)) * lengths).astype(np.int64)
        sizes = np.minimum(np.clip(sizes, 1, lengths - 1), self._max_length)
        owners = np.repeat(np.arange(len(lengths)), lengths)
        order_E = self._distinct_E[np.lexsort((generator.random(len(owners)), owners))]
        return grouped_by_length(sizes, self.batch_tokens, generator), sizes, order_E

    def _set_batch(self, users: NDArray[np.intp], sizes_B: TimeArray, order_E: NDArray[np.intp]) -> Batch:
        events, lengths_B = self._events.events, self._lengths[users]
        starts_B = self._blocks[users]
        width = int(sizes_B.max())
        valid_BL = np.arange(width) < sizes_B[:, None]
        query_BL = order_E[np.where(valid_BL, starts_B[:, None] + np.arange(width), 0)]
        num_left_B = lengths_B - sizes_B
        row_P = np.repeat(np.arange(len(users)), num_left_B)
        place_P = np.arange(len(row_P)) - np.repeat(np.cumsum(num_left_B) - num_left_B, num_left_B)
        target_P = order_E[(starts_B + sizes_B)[row_P] + place_P]
        weight_P = self._weights_E[target_P]
        row_P, target_P, weight_P = row_P[weight_P > 0], target_P[weight_P > 0], weight_P[weight_P > 0]
        total_B = np.bincount(row_P, weights=weight_P, minlength=len(users))
        return Batch(
            items_BL=torch.from_numpy(np.where(valid_BL, events.items[query_BL], 0).astype(np.int64)),
            event_types_BL=torch.from_numpy(
                np.where(valid_BL, events.event_types[query_BL], 0).astype(np.int64)
            ),
            ages_BL=torch.zeros(valid_BL.shape),
            lengths_B=torch.from_numpy(sizes_B),
            states_S=torch.from_numpy(np.arange(len(users)) * width + sizes_B - 1),
            pair_state_P=torch.from_numpy(row_P),
            targets_P=torch.from_numpy(events.items[target_P].astype(np.int64)),
            pair_weight_P=torch.from_numpy((weight_P / total_B[row_P]).astype(np.float32)),
            num_tokens=int(sizes_B.sum()),
        )


def _sets(events: Events) -> tuple[NDArray[np.intp], NDArray[np.float32], TimeArray]:
    """(the event of each item of each user with at least two, the weight of those events (E,) as targets,
    number of items of each such user).

    The event is the latest, as in serving. Its weight is the highest of all events of the user and the item.
    """
    owners = np.repeat(np.arange(len(events.lengths)), events.lengths)
    blocks = np.cumsum(events.lengths) - events.lengths
    places = np.repeat(events.starts - blocks, events.lengths) + np.arange(len(owners))
    items = events.events.items[places]
    kept = latest_event_of_each_item(items, owners)
    set_of = np.unique(owners * (int(items.max(initial=0)) + 1) + items, return_inverse=True)[1]
    best = np.zeros(len(kept), np.float32)
    np.maximum.at(best, set_of, events.weights[places])
    weights = events.weights.copy()
    weights[places[kept]] = best[set_of[kept]]
    lengths = np.bincount(owners[kept], minlength=len(events.lengths))
    return places[kept[lengths[owners[kept]] > 1]], weights, lengths[lengths > 1]
