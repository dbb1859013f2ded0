"""A folder of an older version is refused with the command that makes it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.exceptions import ArtefactError
from features.core.artefact import SCHEMA_VERSION, read_manifest, write_manifest, writing
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
