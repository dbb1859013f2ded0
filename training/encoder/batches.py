"""Histories as training batches: split into pieces, shuffled within baskets and grouped by length, so that
there is little padding.

A basket is a set. The hidden state after one basket predicts the items of the next. No item of the next
basket is in the history that predicts it, because hidden states are taken only at the ends of baskets.

A piece of a long history is `max_length` inputs and the event after them: the state at the last position
answers everyone with a long history, so it must be trained too.

Shape suffixes: B histories, L positions, S states that predict, P pairs of a state and a target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.settings.event_types import EventType
from features.dataset import Dataset
from features.histories import History, TimeArray, ages_in_days
from features.splits import SplitPoint
from features.target_weights import counting_event_types, target_weights
from models.encoder import UserTensors
from training.encoder.user_table import UserTable


@dataclass(frozen=True)
class Batch:
    """The input of one training step."""

    items_BL: Tensor
    """Item indices, padded with 0 at the end."""
    event_types_BL: Tensor
    ages_BL: Tensor
    lengths_B: Tensor
    states_S: Tensor
    """Positions of the predicting hidden states in the flattened (B · L)."""
    pair_state_P: Tensor
    """The index among the S states of each pair's state."""
    targets_P: Tensor
    pair_weight_P: Tensor
    """The weight of each pair in the loss, above 0."""
    user: UserTensors | None = None
    """For models that read the user: features (B, L, ...) as of the event after each position."""
    num_tokens: int = 0
    """Positions without padding."""

    def to(self, device: torch.device) -> Batch:
        """A copy on the device."""
        tensors = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        user = UserTensors(self.user.numbers.to(device), self.user.codes.to(device)) if self.user else None
        return Batch(**tensors, user=user, num_tokens=self.num_tokens)


@dataclass(frozen=True)
class Events:
    """The events of all users before a split point, flat, sorted by user and time."""

    events: History
    starts: TimeArray
    """(U,) index of each user's first event."""
    lengths: TimeArray
    """(U,) number of events of each user."""
    weights: NDArray[np.float32]
    """(E,) weight of each event as a target: 0 if it is not one, or was refunded before the split point."""
    rows: TimeArray
    """(E,) index of each event in the dataset."""

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
    """Iterates over one epoch. An epoch depends only on its number and the seed, not on earlier epochs."""

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
        """Choose the epoch to iterate over, and its first batch: not 0 when training is resumed inside an
        epoch."""
        self._epoch, self._first = epoch, first

    def num_batches(self) -> int:
        """Number of batches of the current epoch. Varies slightly, because histories are split at random."""
        return len(self._plan(np.random.default_rng((self._seed, self._epoch)))[0])

    def __iter__(self) -> Iterator[Batch]:
        generator = np.random.default_rng((self._seed, self._epoch))
        batches, starts, lengths = self._plan(generator)
        shuffled = _shuffled_within_baskets(self._events.events.baskets, generator)
        for rows in batches[self._first :]:
            yield self._batch(starts[rows], lengths[rows], shuffled)

    def _plan(self, generator: np.random.Generator) -> tuple[list[NDArray[np.intp]], TimeArray, TimeArray]:
        """Split every history into pieces, from a random offset, and group pieces of similar length.

        Returns the pieces of each batch, the index of each piece's first event, and its number of inputs.
        """
        starts, lengths = _pieces(self._events.starts, self._events.lengths, self._max_length, generator)
        return grouped_by_length(lengths, self.batch_tokens, generator), starts, lengths

    def _batch(self, starts: TimeArray, lengths: TimeArray, shuffled: NDArray[np.intp]) -> Batch:
        width = int(lengths.max())
        # one column more than inputs, for the last target: (B, L + 1)
        offsets = np.arange(width + 1)
        valid = offsets <= lengths[:, None]
        position = np.minimum(starts[:, None] + offsets, len(shuffled) - 1)
        event, events = shuffled[position], self._events.events
        baskets = np.where(valid, events.baskets[position], -1)
        weights = np.where(valid, self._events.weights[event], 0)
        state, pair_state_P, target = next_basket_pairs(baskets, weights > 0)
        target_events_P = event.ravel()[target]
        event_BL, is_input_BL = event[:, :-1], offsets[:-1] < lengths[:, None]
        ages_BL = ages_in_days(events.times[event_BL], as_of=events.times[starts + lengths][:, None])
        return Batch(
            items_BL=torch.from_numpy(np.where(is_input_BL, events.items[event_BL], 0).astype(np.int64)),
            event_types_BL=torch.from_numpy(
                np.where(is_input_BL, events.event_types[event_BL], 0).astype(np.int64)
            ),
            ages_BL=torch.from_numpy(np.where(is_input_BL, ages_BL, 0).astype(np.float32)),
            lengths_B=torch.from_numpy(lengths.astype(np.int64)),
            states_S=torch.from_numpy(state - state // (width + 1)),  # (B, L + 1) -> (B, L)
            pair_state_P=torch.from_numpy(pair_state_P),
            targets_P=torch.from_numpy(events.items[target_events_P].astype(np.int64)),
            pair_weight_P=torch.from_numpy(self._events.weights[target_events_P]),
            user=self._user(event[:, 1:]),
            num_tokens=int(lengths.sum()),
        )

    def _user(self, next_BL: NDArray[np.intp]) -> UserTensors | None:
        """User features as of the event after each position, which the hidden state there predicts."""
        if self._user_table is None:
            return None
        numbers_BLF, codes_BLA = self._user_table.at(self._events.rows[next_BL])
        return UserTensors(torch.from_numpy(numbers_BLF), torch.from_numpy(codes_BLA))


def grouped_by_length(
    lengths: TimeArray, batch_tokens: int, generator: np.random.Generator
) -> list[NDArray[np.intp]]:
    """The rows of each batch: of similar length, as many as `batch_tokens` positions with padding hold."""
    order = np.lexsort((generator.random(len(lengths)), lengths))
    batches, first = [], 0
    while first < len(order):
        # lengths ascend, so the last row sets the width: the most rows with rows * width <= batch_tokens
        widths = lengths[order[first : first + batch_tokens]]
        areas = widths * np.arange(1, len(widths) + 1)
        count = max(1, int(np.searchsorted(areas, batch_tokens, side="right")))
        batches.append(order[first : first + count])
        first += count
    generator.shuffle(batches)
    return batches


def next_basket_pairs(
    baskets_BL: TimeArray, is_target_BL: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Pair the last position of each basket with every target in the next basket of the same row.

    Returns the flat positions of the states (S), the index of each pair's state (P), and the flat position of
    each pair's target (P).

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
    """Split long histories into pieces of at most `max_length` inputs, each with the event after them, which
    is the first input of the next piece. The random offset of the first piece varies how much history
    precedes a target.

    Returns the index of each piece's first event, and its number of inputs.
    """
    num_targets = lengths - 1
    is_long = num_targets > max_length
    shift = np.where(is_long, generator.integers(0, max_length, len(lengths)), 0)
    num_pieces = -(-(num_targets + shift) // max_length)
    owner = np.repeat(np.arange(len(lengths)), num_pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(num_pieces) - num_pieces, num_pieces)
    begin = np.maximum(number * max_length - shift[owner], 0)
    end = np.minimum((number + 1) * max_length - shift[owner], num_targets[owner])
    return starts[owner] + begin, end - begin


def _shuffled_within_baskets(baskets: TimeArray, generator: np.random.Generator) -> NDArray[np.intp]:
    """A random order of all events that keeps the order of baskets (a basket's events are adjacent)."""
    runs = np.cumsum(np.concatenate([[0], baskets[1:] != baskets[:-1]]))
    return np.lexsort((generator.random(len(baskets)), runs))
