"""Sums of weights by code: the inner loop of every retriever that adds up neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.core.compiled import compiled
from features.histories import IntArray


@compiled
def summed_by_code(codes: IntArray, weights: NDArray[np.float32]) -> tuple[IntArray, NDArray[np.float32]]:
    """Codes (n,) and a weight for each → (distinct codes ascending, summed weights); codes below 0 are left
    out. Sums are in double precision and in the order of the events.

    A hash table with open addressing: a few microseconds for a few thousand codes, whatever their range.
    """
    size = 16
    while size < 2 * len(codes):
        size *= 2
    keys = np.full(size, -1, np.int32)
    sums = np.zeros(size, np.float64)
    total = 0
    for place in range(len(codes)):
        code = codes[place]
        if code < 0:
            continue
        slot = (np.uint32(code) * np.uint32(2654435769)) & np.uint32(size - 1)
        while keys[slot] >= 0 and keys[slot] != code:
            slot = (slot + np.uint32(1)) & np.uint32(size - 1)
        if keys[slot] < 0:
            keys[slot] = code
            total += 1
        sums[slot] += weights[place]
    distinct = np.empty(total, np.int32)
    place = 0
    for slot_number in range(size):
        if keys[slot_number] >= 0:
            distinct[place] = keys[slot_number]
            place += 1
    distinct.sort()
    result = np.empty(total, np.float32)
    for place in range(total):
        code = distinct[place]
        slot = (np.uint32(code) * np.uint32(2654435769)) & np.uint32(size - 1)
        while keys[slot] != code:
            slot = (slot + np.uint32(1)) & np.uint32(size - 1)
        result[place] = sums[slot]
    return distinct, result
