"""MLflow's database is made by whichever command comes first, while others wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OPEN = """
import sys
from configs.load import load_config
from training.tracking.client import mlflow_client

client = mlflow_client(load_config(workspace=sys.argv[1]))
print(len(client.search_experiments()))
"""


def test_two_commands_may_be_the_first_at_the_same_time(tmp_path: Path) -> None:
    """Such as a server that follows the alias, and the first export."""
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(tmp_path / "shop")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for command in commands:
        said, errors = command.communicate(timeout=120)
        assert (command.returncode, said.strip()) == (0, b"1"), errors.decode()[-2000:]
