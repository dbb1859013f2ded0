"""The README's worked example, gone through once for all tests of the command line."""

from __future__ import annotations

import pytest
from shared import shared_folder
from worked_example import Example, write_example


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """Prepared, trained and exported by three commands. Tests add runs and leave its champion."""
    folder = shared_folder(tmp_path_factory) / "example"
    assert not folder.exists(), (
        "another process trained it: add the test's file to SERVED_EXAMPLE in units.py"
    )
    example = write_example(folder)
    for command in ("prepare", "train", "export"):
        done = example.must(command)
        (example.folder / f"{command}.out").write_text(done.stdout)
        (example.folder / f"{command}.err").write_text(done.stderr)
    return example
