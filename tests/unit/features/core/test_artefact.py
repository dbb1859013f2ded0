"""A folder of an older version is refused with the command that makes it again; writers do not disturb one
another, and leave nothing behind when they are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from configs.exceptions import ArtefactError
from features.core.artefact import SCHEMA_VERSION, read_manifest, write_manifest, writing, writing_file
from features.dataset import Dataset


@pytest.mark.parametrize("kind", ["tables", "dataset"])
def test_a_folder_of_another_schema_version_names_both_and_the_remedy(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    with writing(folder, kind=kind) as scratch:
        write_manifest(scratch, kind=kind, made_from="", contents={})
    assert read_manifest(folder, kind=kind)["schema_version"] == SCHEMA_VERSION
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 1}), encoding="utf-8")
    with pytest.raises(
        ArtefactError,
        match=rf"has schema version 1, this program reads {SCHEMA_VERSION}\. Make it with `shopkeeper "
        r"prepare`",
    ):
        read_manifest(folder, kind=kind)


def test_a_dataset_whose_event_types_are_under_their_old_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    with writing(folder, kind="dataset") as scratch:
        (scratch / "kind.npy").write_bytes(b"")
        write_manifest(scratch, kind="dataset", made_from="", contents={})
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 1}), encoding="utf-8")
    with pytest.raises(ArtefactError, match="has schema version 1"):
        Dataset.open(folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from features.core.artefact import writing, writing_file
with writing_file(Path("run.json")) as file, writing(Path("tables"), kind="tables") as folder:
    file.write_text("half")
    (folder / "half.parquet").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_of_two_writers_of_a_file_the_last_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with writing_file(path) as first:
        first.write_text("the first")
        with writing_file(path) as second:
            second.write_text("the second")
        assert path.read_text() == "the second"
    assert path.read_text() == "the first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert killed.returncode == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert len(left) == 2
    with writing_file(tmp_path / "run.json") as living:
        living.write_text("living")
        for path in (*left, living):
            os.utime(path, (1, 1))
        with writing_file(tmp_path / "run.json") as other:
            other.write_text("other")
        with writing(tmp_path / "tables", kind="tables") as scratch:
            write_manifest(scratch, kind="tables", made_from="", contents={})
    assert (tmp_path / "run.json").read_text() == "living"
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "tables"}
