"""Groups of people by one thing that is known of them, and what each group had lately.

A group is an attribute with its value, or a column of events with its value. Shapes: E events, U users, N
items, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.core.columns import MICROSECONDS_PER_DAY
from features.core.user_hash import user_hash
from features.histories import IntArray
from features.interactions import Interactions


@dataclass(frozen=True)
class Groups:
    """Groups by one attribute, or one column."""

    keys: NDArray[np.uint64]
    """(G,) see `attribute_keys` and `context_keys`"""
    num_people: NDArray[np.float32]
    """(G,) with an event in the window"""
    had: sparse.csr_array
    """(G, N) how many of them had an item, by weight"""


def attribute_keys(attributes: IntArray) -> list[int]:
    """The groups of a user with these codes (A,)."""
    known = np.flatnonzero(attributes).tolist()
    return [_attribute_key(place, int(attributes[place])) for place in known]


def context_keys(context: Mapping[str, str]) -> list[int]:
    """The groups of a request with these columns of events."""
    return [_context_key(name, value) for name, value in context.items()]


def _attribute_key(place: int, code: int) -> int:
    return user_hash(f"attribute {place} {code}")


def _context_key(name: str, value: str) -> int:
    return user_hash(f"context {name} {value.strip().lower()}")


@dataclass(frozen=True)
class WindowEvents:
    """Everyone's target events of the recent window (E)."""

    users: IntArray
    items: IntArray
    weights: NDArray[np.float32]
    is_late: NDArray[np.bool_]
    """Of all events of the interactions: those that are in it"""
    num_items: int

    @classmethod
    def of(cls, interactions: Interactions, *, days: float | None) -> WindowEvents:
        """Of the last `days`; None: all."""
        times = interactions.events.times
        late = np.ones(len(times), bool)
        if days is not None:
            late = times >= interactions.as_of - days * MICROSECONDS_PER_DAY
        return cls(
            interactions.users[late],
            interactions.events.items[late],
            interactions.weights[late],
            late,
            interactions.num_items,
        )

    def had(self, codes: IntArray) -> tuple[NDArray[np.float32], sparse.csr_array]:
        """((G,), (G, N)) people, and how many had an item, of each code (E,) from 0; below 0 is nobody's.

        A person with an item counts once, with the largest weight of their events with it: nobody makes
        a group's taste alone.
        """
        known = codes >= 0
        code, users, items = codes[known].astype(np.int64), self.users[known], self.items[known]
        num_codes = int(codes.max(initial=-1)) + 1
        order = np.lexsort((items, users, code))
        code, users, items, weights = code[order], users[order], items[order], self.weights[known][order]
        is_new_person = (np.diff(code, prepend=-1) != 0) | (np.diff(users, prepend=-1) != 0)
        starts = np.flatnonzero(is_new_person | (np.diff(items, prepend=-1) != 0))
        most = np.maximum.reduceat(weights, starts) if len(starts) else weights
        people = np.bincount(code[is_new_person], minlength=num_codes).astype(np.float32)
        entries = (most, (code[starts], items[starts]))
        return people, sparse.csr_array(entries, shape=(num_codes, self.num_items), dtype=np.float32)


def all_groups(interactions: Interactions, window: WindowEvents) -> Iterator[Groups]:
    """The groups by each attribute of users, then by each column that says where events came from."""
    attributes = interactions.user_attributes()
    for place in range(attributes.shape[1]):
        people, had = window.had(attributes[window.users, place] - 1)
        keys = [_attribute_key(place, code + 1) for code in range(len(people))]
        yield Groups(np.array(keys, np.uint64), people, had)
    contexts = interactions.contexts()
    if contexts is None:
        return
    rows = contexts.codes[window.is_late].astype(np.int64) - 1
    for name in contexts.table.columns:
        values = contexts.table[name].str.strip_chars().str.to_lowercase()
        codes = values.rank("dense").cast(int).fill_null(0).to_numpy() - 1  # by value
        people, had = window.had(np.where(rows >= 0, codes[rows], -1))
        names = dict(zip(codes.tolist(), contexts.table[name].to_list(), strict=True))
        keys = [_context_key(name, names[code]) for code in range(len(people))]
        yield Groups(np.array(keys, np.uint64), people, had)
