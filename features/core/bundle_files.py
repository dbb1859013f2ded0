"""Reads the files of a bundle: whatever is wrong with one is one ArtefactError with its name and the remedy.

A sha256 tells that a file was changed; it says nothing of a file that was written wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from configs.exceptions import ArtefactError

_PAGE: Final = 4096
_KINDS: Final = {"bool": "b", "item": "i", "code": "i", "time": "i8", "hash": "u8", "float": "f"}
"""Name of a kind of number → that of NumPy, with its bytes where they matter"""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what any library says of a file that it cannot read into an ArtefactError."""
    try:
        yield
    except ArtefactError:
        raise
    except Exception as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from None


def damaged(path: Path, what: str) -> ArtefactError:
    """The error for a file with other content than its name says."""
    what = " ".join(what.split())[:300].rstrip(".")
    return ArtefactError(
        f"{path}: cannot be used ({what}). Make the bundle anew with `shopkeeper export`, or go back to an "
        "earlier one with `shopkeeper promote`."
    )


def read_array(path: Path) -> NDArray[Any]:
    """Map an `.npy` file, so that replicas on one machine share it.

    Every page is touched once: else a server pays for that at its first requests, each of which reads a
    thousand rows anywhere. Nobody writes to it: mode "c" keeps it of the same type as a fitted array, for
    which functions are compiled.
    """
    with reading(path):
        array = np.asarray(np.lib.format.open_memmap(path, mode="c"))
        array.reshape(-1).view(np.uint8)[::_PAGE].max(initial=0)
        return array


def require_shapes(
    folder: Path, values: Mapping[str, Any], shapes: Mapping[str, str], *, sizes: Mapping[str, int]
) -> None:
    """Raise ArtefactError where an array, or a sparse matrix, is another than its shape says.

    A shape is the kind of number and the axes: `{"items": "item N K", "scores": "float N K"}`. `sizes` gives
    the length of some axes; any other axis is as long in one array as in the next. An `item` is the index of
    one, of which there are `sizes["N"]`, or -1.
    """
    known = dict(sizes)
    for name, shape in shapes.items():
        kind, *axes = shape.split()
        value = values[name]
        suffix = ".npy" if isinstance(value, np.ndarray) else ".npz"
        path = folder / f"{name}{suffix}"
        found = f"{value.dtype} {tuple(value.shape)}"
        if not value.dtype.str[1:].startswith(_KINDS[kind]) or value.ndim != len(axes):
            raise damaged(path, f"it is {found} where {shape} is needed")
        for axis, size in zip(axes, value.shape, strict=True):
            if known.setdefault(axis, size) != size:
                raise damaged(path, f"it is {found} where {shape} is needed and {axis} is {known[axis]}")
        if kind == "item" and value.size and not (value.min() >= -1 and value.max() < known["N"]):
            raise damaged(
                path, f"it has {value.min()} to {value.max()} as items, of which there are {known['N']}"
            )
        if not isinstance(value, np.ndarray):
            with reading(path):
                value.check_format(full_check=True)
