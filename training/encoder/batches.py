"""Histories as training batches: cut into pieces, shuffled within baskets, grouped by length, with little
padding.

A basket is a set. The state after one basket has the items of the next for targets; nothing of the next
basket stands in the history that predicts it, since states are taken at the ends of baskets only.

Shape suffixes: B histories, L positions, S states that predict, P pairs of a state and a target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.schema import EventType
from features.dataset import Dataset
from features.histories import History, TimeArray, ages_in_days
from features.splits import SplitPoint
from features.target_weights import counting_event_types, target_weights
from models.encoder import UserTensors
from training.encoder.user_table import UserTable


@dataclass(frozen=True)
class Batch:
    """One training step's input."""

    items_BL: Tensor
    """Item indices; padding is 0 and stands at the end."""
    kinds_BL: Tensor
    ages_BL: Tensor
    lengths_B: Tensor
    states_S: Tensor
    """Positions of the predicting states in the flattened (B · L)."""
    pair_state_P: Tensor
    """Which of the S states each pair belongs to."""
    targets_P: Tensor
    pair_weight_P: Tensor
    """What each pair's target counts, above 0."""
    user: UserTensors | None = None
    """For models that read the user: as of the event after each position (B, L, ...)"""

    num_tokens: int = 0
    """History positions that are no padding"""

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        tensors = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        user = UserTensors(self.user.numbers.to(device), self.user.codes.to(device)) if self.user else None
        return Batch(**tensors, user=user, num_tokens=self.num_tokens)


@dataclass(frozen=True)
class Events:
    """Every user's inputs before a split point, flat, in the order of users and time."""

    events: History
    starts: TimeArray
    """(U,) where each user's events begin"""
    lengths: TimeArray
    """(U,)"""
    weights: NDArray[np.float32]
    """(E,) what each counts as a target; 0 for one that is none, or that was taken back before the split
    point"""
    rows: TimeArray
    """(E,) place of each among the dataset's events"""

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """(E,)"""
        return self.weights > 0

    @classmethod
    def before(
        cls,
        dataset: Dataset,
        point: SplitPoint,
        *,
        input_event_types: NDArray[np.int8],
        targets: Mapping[EventType, float],
    ) -> Events:
        """The events of `input_event_types` before the split point, of users with at least two."""
        event_types = np.union1d(input_event_types, counting_event_types(targets))
        wanted = point.past(dataset) & np.isin(dataset.event_types, event_types)
        users, events = dataset.events_where(wanted)
        rows, weights = np.flatnonzero(wanted), target_weights(users, events, targets)
        is_input = np.isin(events.event_types, input_event_types)
        if not is_input.all():
            users, events, rows, weights = (
                users[is_input],
                events.take(is_input),
                rows[is_input],
                weights[is_input],
            )
        lengths = np.bincount(users, minlength=dataset.num_users)
        starts = np.cumsum(lengths) - lengths
        return cls(
            events=events,
            starts=starts[lengths > 1],
            lengths=lengths[lengths > 1],
            weights=weights,
            rows=rows,
        )


class TrainingBatches:
    """Iterates over one epoch. Epoch e of seed s is always the same, whatever ran before."""

    def __init__(
        self,
        events: Events,
        *,
        max_length: int,
        batch_tokens: int,
        seed: int,
        user_table: UserTable | None = None,
    ) -> None:
        self._events, self._max_length, self.batch_tokens, self._seed = events, max_length, batch_tokens, seed
        self._epoch = self._first = 0
        self._user_table = user_table

    def set_epoch(self, epoch: int, *, first: int = 0) -> None:
        """Choose the epoch whose batches come next, and the batch to begin with: where a killed training
        stood."""
        self._epoch, self._first = epoch, first

    def num_batches(self) -> int:
        """Batches of the present epoch; another epoch may have one more or less, since histories are cut
        elsewhere."""
        return len(self._plan(np.random.default_rng((self._seed, self._epoch)))[0])

    def __iter__(self) -> Iterator[Batch]:
        generator = np.random.default_rng((self._seed, self._epoch))
        batches, starts, lengths = self._plan(generator)
        shuffled = _shuffled_within_baskets(self._events.events.baskets, generator)
        for rows in batches[self._first :]:
            yield self._batch(starts[rows], lengths[rows], shuffled)

    def _plan(self, generator: np.random.Generator) -> tuple[list[NDArray[np.intp]], TimeArray, TimeArray]:
        """Cut every history into pieces, the first cut at a random place, and group pieces of like length."""
        starts, lengths = _pieces(self._events.starts, self._events.lengths, self._max_length, generator)
        order = np.lexsort((generator.random(len(lengths)), lengths))
        batches, first = [], 0
        while first < len(order):
            # lengths ascend, so a batch is as wide as its last row: take rows while rows x width stays in
            # bounds
            last = first + max(1, self.batch_tokens // int(lengths[order[first]]))
            while (
                last - first > 1
                and (last - first) * int(lengths[order[min(last, len(order)) - 1]]) > self.batch_tokens
            ):
                last = first + max(1, self.batch_tokens // int(lengths[order[min(last, len(order)) - 1]]))
            batches.append(order[first:last])
            first = last
        generator.shuffle(batches)
        return batches, starts, lengths

    def _batch(self, starts: TimeArray, lengths: TimeArray, shuffled: NDArray[np.intp]) -> Batch:
        width = int(lengths.max())
        offsets_L = np.arange(width)
        valid_BL = offsets_L < lengths[:, None]
        position_BL = np.minimum(starts[:, None] + offsets_L, len(shuffled) - 1)
        event_BL = shuffled[position_BL]
        events = self._events.events
        baskets_BL = np.where(valid_BL, events.baskets[position_BL], -1)
        weights_BL = np.where(valid_BL, self._events.weights[event_BL], 0)
        states_S, pair_state_P, targets_at_P = next_basket_pairs(baskets_BL, weights_BL > 0)
        items_BL = np.where(valid_BL, events.items[event_BL], 0)
        last_times_B = events.times[starts + lengths - 1]
        ages_BL = np.where(valid_BL, ages_in_days(events.times[event_BL], as_of=last_times_B[:, None]), 0)
        return Batch(
            items_BL=torch.from_numpy(items_BL.astype(np.int64)),
            kinds_BL=torch.from_numpy(np.where(valid_BL, events.event_types[event_BL], 0).astype(np.int64)),
            ages_BL=torch.from_numpy(ages_BL.astype(np.float32)),
            lengths_B=torch.from_numpy(lengths.astype(np.int64)),
            states_S=torch.from_numpy(states_S),
            pair_state_P=torch.from_numpy(pair_state_P),
            targets_P=torch.from_numpy(items_BL.ravel()[targets_at_P].astype(np.int64)),
            pair_weight_P=torch.from_numpy(weights_BL.ravel()[targets_at_P].astype(np.float32)),
            user=self._user(event_BL),
            num_tokens=int(lengths.sum()),
        )

    def _user(self, event_BL: NDArray[np.intp]) -> UserTensors | None:
        """The user as of the event after each position, which is what the state there foresees."""
        if self._user_table is None:
            return None
        next_BL = np.concatenate([event_BL[:, 1:], event_BL[:, -1:]], axis=1)
        numbers_BLF, codes_BLA = self._user_table.at(self._events.rows[next_BL])
        return UserTensors(torch.from_numpy(numbers_BLF), torch.from_numpy(codes_BLA))


def next_basket_pairs(
    baskets_BL: TimeArray, is_target_BL: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Pair the last position of each basket with every target of the basket that follows it in the same row.

    Returns flat positions of the states (S), the state of each pair (P), and the flat position of each pair's
    target (P).

    >>> next_basket_pairs(np.array([[7, 7, 8, 8, -1]]), np.array([[True, True, True, True, False]]))
    (array([1]), array([0, 0]), array([2, 3]))
    """
    width = baskets_BL.shape[1]
    begins_BL = np.zeros(baskets_BL.shape, bool)
    begins_BL[:, 1:] = baskets_BL[:, 1:] != baskets_BL[:, :-1]
    column_BL = np.broadcast_to(np.arange(width), baskets_BL.shape)
    basket_start_BL = np.maximum.accumulate(np.where(begins_BL, column_BL, 0), axis=1)
    targets = np.flatnonzero(is_target_BL.ravel() & (basket_start_BL.ravel() > 0))
    before = targets - (column_BL.ravel()[targets] - basket_start_BL.ravel()[targets]) - 1
    states, pair_state = np.unique(before, return_inverse=True)
    return states, pair_state, targets


def _pieces(
    starts: TimeArray, lengths: TimeArray, max_length: int, generator: np.random.Generator
) -> tuple[TimeArray, TimeArray]:
    """Cut long histories into pieces of at most `max_length`; a random first cut varies how much past a
    target has."""
    is_long = lengths > max_length
    shift = np.where(is_long, generator.integers(0, max_length, len(lengths)), 0)
    num_pieces = -(-(lengths + shift) // max_length)
    owner = np.repeat(np.arange(len(lengths)), num_pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(num_pieces) - num_pieces, num_pieces)
    begin = np.maximum(number * max_length - shift[owner], 0)
    end = np.minimum((number + 1) * max_length - shift[owner], lengths[owner])
    useful = end - begin > 1
    return (starts[owner] + begin)[useful], (end - begin)[useful]


def _shuffled_within_baskets(baskets: TimeArray, generator: np.random.Generator) -> NDArray[np.intp]:
    """An order of all events that moves them only within their own basket (baskets stand together in the flat
    order)."""
    runs = np.cumsum(np.concatenate([[0], baskets[1:] != baskets[:-1]]))
    return np.lexsort((generator.random(len(baskets)), runs))
