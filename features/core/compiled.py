"""Loops over a few hundred numbers, compiled by Numba: for what one request needs, where fifty small NumPy
calls cost more than the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

try:
    import numba
except ModuleNotFoundError:  # a machine that only trains the encoder may lack it
    numba = None  # type: ignore[assignment]

COMPILED: list[Callable[..., Any]] = []
"""Every compiled function that was imported, for whom compiles them ahead"""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile at the first call and keep the machine code beside the module (or in NUMBA_CACHE_DIR).

    Divisions by zero are inf or nan, as in NumPy; other threads may run meanwhile. Sums are in the order of
    the loop, so that a machine's results do not depend on its vector width. Without Numba the function runs
    as it stands.
    """
    if numba is None:
        return function
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        found = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in may be written to: it is compiled by each process
        found = numba.njit(**options)(function)
    COMPILED.append(found)
    return cast("Callable[Parameters, Result]", found)
