from __future__ import annotations

from pathlib import Path

import pytest

from configs.exceptions import ArtefactError
from serving.recommend.served_bundle import ChampionPointer, champion_bundle, read_pointer, write_pointer


def test_a_moved_workspace_has_its_champion(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    bundle = tmp_path / "old" / "bundles" / "a"
    write_pointer(tmp_path / "old", ChampionPointer(run="a", version="1", bundle=bundle))
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_pointer(tmp_path / "new") == ChampionPointer(
        run="a", version="1", bundle=tmp_path / "new" / "bundles" / "a"
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
