"""Users' attributes as codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import ArtefactError
from features.dataset import Dataset
from features.ingest.report import Report
from features.profiles import user_attributes
from features.profiles.user_attributes import code_attributes

PrepareCsv = Callable[..., Report]


def test_values_are_coded_by_frequency_then_name_and_what_is_absent_is_0() -> None:
    rows = [
        '{"region": "south", "tier": 2, "age": null}',
        '{"region": "north", "tier": 1, "age": "30s"}',
        None,
        '{"region": " north ", "tier": true, "age": ""}',
        '{"region": "east"}',
    ]
    found = code_attributes(pl.Series(rows))
    assert found.values == {
        "region": ["north", "east", "south"],
        "tier": ["1", "2", "true"],
    }  # age has one value: no news
    assert found.codes.tolist() == [[3, 2], [1, 1], [0, 0], [1, 3], [2, 0]]


def test_an_attribute_of_too_many_values_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_attributes, "MAX_VALUES", 3)
    rows = [f'{{"name": "n{n}", "tier": "{n % 3}"}}' for n in range(9)]
    found = code_attributes(pl.Series(rows))
    assert list(found.values) == ["tier"]
    assert found.codes[:, 0].tolist() == [1, 2, 3] * 3


def test_of_very_many_attributes_those_of_most_users_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_attributes, "MAX_ATTRIBUTES", 1)
    rows = ['{"a": 1}', '{"a": 2, "b": 1}', '{"b": 2}', '{"b": 2}']
    assert list(code_attributes(pl.Series(rows)).values) == ["b"]


@pytest.mark.parametrize(
    "rows", [[None, None], ["", "not json"], ["[1, 2]", "3"], ["[" * 100_000, '{"a": 1}'], []]
)
def test_what_is_no_object_says_nothing(rows: list[str | None]) -> None:
    found = code_attributes(pl.Series(rows, dtype=pl.String))
    assert found.codes.shape == (len(rows), 0)
    assert found.values == {}


def test_the_dataset_has_them_in_the_order_of_its_users(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id,region\nbob,north\nann,south\neve,north\n", encoding="utf-8")
    prepare_csv(
        "event_type,timestamp,user_id,item_id\n"
        "purchase,2024-05-01,ann,tea\npurchase,2024-05-01,ann,jam\npurchase,2024-05-02,bob,tea\npurchase,2024-05-03,kim,jam\npurchase,2024-05-04,eve,jam\n",
        f"data.users={users}",
    )
    dataset = Dataset.open(workspace / "dataset")
    assert dataset.manifest["user_attributes"] == {"region": ["north", "south"]}
    assert dataset.user_attributes.tolist() == [[2], [1], [0], [1]]
    assert dataset.user_attribute_sizes == (3,)


def test_a_dataset_of_an_earlier_version_says_what_to_do(shop_dataset: Dataset, tmp_path: Path) -> None:
    old = Path(shutil.copytree(shop_dataset.folder, tmp_path / "old"))
    manifest = json.loads((old / "manifest.json").read_text(encoding="utf-8"))
    del manifest["profile_event_types"], manifest["files"]["user_number.npy"]
    (old / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (old / "user_number.npy").unlink()
    dataset = Dataset.open(old)
    with pytest.raises(ArtefactError, match=r"another version of Shopkeeper.*shopkeeper prepare"):
        _ = dataset.user_numbers
    with pytest.raises(ArtefactError, match=r"profile_event_types.*shopkeeper prepare"):
        _ = dataset.profile_event_types
