from __future__ import annotations

from pathlib import Path

import pytest

from configs.exceptions import ArtefactError
from features.core.artefact import write_manifest
from serving.recommend.served_bundle import (
    ChampionPointer,
    champion_bundle,
    next_pointer,
    read_pointer,
    replace_pointer,
    write_pointer,
)


def make_bundle(folder: Path) -> str:
    """Returns its version."""
    folder.mkdir(parents=True)
    (folder / "a.npy").write_bytes(b"a")
    return write_manifest(folder, kind="bundle", made_from="test", contents={})


def test_a_moved_workspace_has_its_champion(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    version = make_bundle(tmp_path / "old" / "bundles" / "a")
    pointer = ChampionPointer(run="a", version=version, bundle=tmp_path / "old" / "bundles" / "a")
    write_pointer(tmp_path / "old", pointer)
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_pointer(tmp_path / "new") == ChampionPointer(
        run="a", version=version, bundle=tmp_path / "new" / "bundles" / "a"
    )
    assert champion_bundle(tmp_path / "new") == tmp_path / "new" / "bundles" / "a"


@pytest.mark.parametrize("text", ["", "[]", '{"run": "a"}'])
def test_a_broken_pointer_says_which_command_writes_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "champion.json").write_text(text)
    with pytest.raises(ArtefactError, match=r"champion\.json: cannot be read .*`shopkeeper export`"):
        read_pointer(tmp_path)


def test_a_workspace_without_a_champion(tmp_path: Path) -> None:
    assert read_pointer(tmp_path) is None
    with pytest.raises(ArtefactError, match="no champion here yet"):
        champion_bundle(tmp_path)


def test_another_bundle_than_the_one_made_champion_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "bundles" / "a"
    version = make_bundle(bundle)
    write_pointer(tmp_path, ChampionPointer(run="a", version="another", bundle=bundle))
    with pytest.raises(
        ArtefactError,
        match=rf"is version {version}, and .*champion\.json names version another\. .*promote --run a",
    ):
        champion_bundle(tmp_path)


def test_the_last_three_champions_are_remembered_and_each_once(tmp_path: Path) -> None:
    pointer = None
    for run in ("a", "b", "c", "b", "d", "e", "e"):
        pointer = next_pointer(pointer, run=run, version="1", bundle=tmp_path / "bundles" / run)
        write_pointer(tmp_path, pointer)
        assert read_pointer(tmp_path) == pointer
    assert pointer is not None
    assert pointer.former == ("d", "b", "c")
    assert pointer.previous == "d"


def test_where_the_alias_was_is_remembered_until_it_is_moved(tmp_path: Path) -> None:
    first = next_pointer(None, run="a", version="1", bundle=tmp_path / "bundles" / "a", alias="1")
    second = next_pointer(first, run="b", version="2", bundle=tmp_path / "bundles" / "b")
    assert second.alias == "1"
    assert next_pointer(second, run="c", version="3", bundle=tmp_path / "c", alias="2").alias == "2"


def test_a_pointer_that_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    a, b, c = (
        ChampionPointer(run=name, version="1", bundle=tmp_path / "bundles" / name) for name in ("a", "b", "c")
    )
    assert replace_pointer(tmp_path, a, instead_of=None)
    assert replace_pointer(tmp_path, b, instead_of=a)
    assert not replace_pointer(tmp_path, c, instead_of=a)
    assert read_pointer(tmp_path) == b
