"""Room for items that came after everything was fitted: arrays with one more row, or column, for each.

Shapes are those of `features.core.bundle_files`, such as `float N D`, where N are the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ITEM_AXIS: Final = "N"
_UNKNOWN: Final = {"item": -1, "code": -1}
"""Kind of number -> what stands for nothing, where it is not 0"""


def grown(values: Mapping[str, Any], shapes: Mapping[str, str], *, num_items: int) -> dict[str, Any]:
    """Name -> a copy of each array or sparse matrix with an axis of items, of which there are `num_items`
    now. Of the new ones nothing is known."""
    found = {}
    for name, shape in shapes.items():
        kind, *axes = shape.split()
        if ITEM_AXIS not in axes:
            continue
        value = values[name]
        named = zip(axes, value.shape, strict=True)
        sizes = [num_items if axis == ITEM_AXIS else size for axis, size in named]
        if isinstance(value, np.ndarray):
            found[name] = _grown_array(value, sizes, fill=_UNKNOWN.get(kind, 0))
        else:
            found[name] = _grown_sparse(value, sizes)
    return found


def _grown_array(value: NDArray[Any], sizes: list[int], *, fill: int) -> NDArray[Any]:
    larger = np.full(sizes, fill, value.dtype)
    larger[tuple(slice(size) for size in value.shape)] = value
    return larger


def _grown_sparse(value: Any, sizes: list[int]) -> Any:
    """Of the same format; rows are added in `indptr`, and columns need nothing."""
    rows = 0 if value.format == "csr" else 1
    added = np.full(sizes[rows] - value.shape[rows], value.indptr[-1], value.indptr.dtype)
    indptr = np.concatenate([value.indptr, added])
    return type(value)((value.data, value.indices, indptr), shape=tuple(sizes))
