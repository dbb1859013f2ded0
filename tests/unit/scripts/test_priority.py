"""A training steps back behind a server on the same machine; the server and short commands do not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from scripts.priority import TRAINING_NICENESS

COMMAND = """
import atexit, os, sys
atexit.register(lambda: print("niceness", os.nice(0)))
from scripts.cli import main
main()
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "nice"), reason="there is no niceness here")


def niceness(*arguments: str, before: int = 0) -> int:
    """Of a command at its end, started with a niceness."""
    lower = [] if before == 0 else ["nice", "-n", str(before)]
    done = subprocess.run(
        [*lower, sys.executable, "-c", COMMAND, *arguments, "-s", "nosuchthing=1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nosuchthing" in done.stderr, "an unknown setting ends the command early"
    return int(done.stdout.split("niceness")[1])


@pytest.mark.skipif(os.name != "posix" or os.nice(0) != 0, reason="the tests were started with nice")
def test_training_steps_back_and_serving_does_not() -> None:
    assert niceness("train") == TRAINING_NICENESS
    assert niceness("refresh") == TRAINING_NICENESS
    assert niceness("serve") == 0


def test_a_niceness_that_the_user_chose_is_kept() -> None:
    chosen = os.nice(0) + 3
    assert niceness("train", before=3) == chosen
