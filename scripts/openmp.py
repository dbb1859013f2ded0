"""How threads of OpenMP wait for one another, which is settled before numpy or torch is loaded."""

from __future__ import annotations

import os
from typing import Final

_SETTINGS: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""A user who sets one of them has decided."""


def let_waiting_threads_sleep() -> None:
    """Set `OMP_WAIT_POLICY` for this process and those that it starts, unless the user has decided.

    By default a thread that waits spins on its core, and on a machine with other work it spins while the
    thread that it waits for has no core (docs/decisions/0012-waiting-threads-sleep.md).
    """
    if not any(name in os.environ for name in _SETTINGS):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
