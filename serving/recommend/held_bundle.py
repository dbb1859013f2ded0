"""Tells others on this machine which bundle folders are served: a lock that ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class HeldBundle:
    """The bundle folder that this process serves. Any number of processes may hold the same one."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def hold(self, folder: Path) -> None:
        """Hold this folder from now on, and let go of the one before. One that is gone since it was read is
        nothing to hold."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)


def is_held(folder: Path) -> bool:
    """Whether a process of this machine serves the bundle in this folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
