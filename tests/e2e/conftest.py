"""The README's worked example, gone through once for all tests of the command line."""

from __future__ import annotations

import pytest
from worked_example import Example, write_example


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """Prepared, trained and exported by three commands. Tests add runs and leave its champion."""
    example = write_example(tmp_path_factory.mktemp("example"))
    for command in ("prepare", "train", "export"):
        done = example.must(command)
        (example.folder / f"{command}.out").write_text(done.stdout)
        (example.folder / f"{command}.err").write_text(done.stderr)
    return example
