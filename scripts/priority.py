"""The priority of long work: a server on the same machine goes first."""

from __future__ import annotations

import os
from typing import Final

TRAINING_NICENESS: Final = 10
"""A tenth of the share of a process at 0 where both want a core, and all of the core where nobody else does
(Linux's weights: 110 and 1,024)."""


def let_servers_go_first() -> None:
    """Lower this process's priority, and that of the processes it starts, unless `nice` did so already."""
    if hasattr(os, "nice") and os.nice(0) == 0:
        os.nice(TRAINING_NICENESS)
