"""How pytest-xdist hands out the tests: by units, in the order in which they were collected."""

from __future__ import annotations

from units import unit_of
from xdist.scheduler import LoadFileScheduling


class UnitScheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A process gets the next unit when it is nearly done with the one before."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
