"""Vectors of items from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shop

from configs.exceptions import ConfigError, DataError
from features.dataset import Dataset
from features.ingest.item_vectors import read_item_vectors
from features.prepare import prepare

NAN = float("nan")


def npy(folder: Path, vectors: list[list[float]], ids: list[str]) -> Path:
    np.save(folder / "vectors.npy", np.array(vectors, np.float32))
    (folder / "vectors.txt").write_text("\n".join(ids), encoding="utf-8")
    return folder / "vectors.npy"


def test_both_kinds_of_file_give_the_same_vectors_of_length_one(tmp_path: Path) -> None:
    vectors = [[3.0, 4.0], [0.0, 0.0], [NAN, 1.0], [0.0, 2.0], [1.0, 0.0]]
    ids = ["tea", "zero", "none", "12.0", "tea"]
    pl.DataFrame({"id": ids, "vector": vectors}).write_parquet(tmp_path / "vectors.parquet")
    for path in (npy(tmp_path, vectors, ids), tmp_path / "vectors.parquet"):
        found = read_item_vectors(path)
        asked = pl.Series(["12", "zero", "tea", "new", "none"])
        expected = [[0, 1], [0, 0], [1, 0], [0, 0], [0, 0]]  # the last row of an id counts
        np.testing.assert_allclose(found.by_row(asked), expected)
        assert found.remark(asked.slice(1)) == (
            "1 of 4 items have a vector; 1 ids of vectors are not in the catalogue"
        )


def test_a_file_that_holds_no_vectors_is_refused(tmp_path: Path) -> None:
    path = npy(tmp_path, [[1.0, 2.0], [3.0, 4.0]], ["a"])
    with pytest.raises(DataError, match=r"has 2 rows, and vectors\.txt 1 ids"):
        read_item_vectors(path)
    path.with_suffix(".txt").unlink()
    with pytest.raises(DataError, match=r"vectors\.txt: no such file"):
        read_item_vectors(path)
    np.save(path, np.ones(3))
    path.with_suffix(".txt").write_text("a\nb\nc")
    with pytest.raises(DataError, match=r"holds float64 of the shape \(3,\)"):
        read_item_vectors(path)
    path.write_bytes(b"not numpy")
    with pytest.raises(DataError, match="cannot be read"):
        read_item_vectors(path)
    (tmp_path / "vectors.csv").touch()
    with pytest.raises(DataError, match=r"data\.item_vectors is a \.npy file"):
        read_item_vectors(tmp_path / "vectors.csv")
    with pytest.raises(DataError, match="no such file"):
        read_item_vectors(tmp_path / "absent.npy")


def test_a_parquet_file_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "vectors.parquet"
    pl.DataFrame({"sku": ["a"], "vector": [[1.0]]}).write_parquet(path)
    with pytest.raises(DataError, match=r"no column 'id'\. The columns found are: sku, vector"):
        read_item_vectors(path)
    pl.DataFrame({"id": ["a"], "vector": ["1,2"]}).write_parquet(path)
    with pytest.raises(DataError, match="'vector' String"):
        read_item_vectors(path)
    pl.DataFrame({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}).write_parquet(path)
    with pytest.raises(DataError, match="vectors of 1 and of 2 numbers"):
        read_item_vectors(path)


def test_prepare_puts_them_beside_the_items_and_reports_them(tmp_path: Path) -> None:
    ids = [*shop.ITEM_IDS[:5], "unknown"]
    path = npy(tmp_path, np.eye(6)[:, :4].tolist(), ids)  # the last two rows are zeros
    raw = shop.write_shop(tmp_path / "raw", num_users=30)
    config = shop.make_config(raw, tmp_path / "workspace", f"data.item_vectors={path}")
    report = prepare(config, now=shop.NOW)
    assert f"4 of {len(shop.ITEM_IDS)} items have a vector" in report.remarks
    dataset = Dataset.open(config.workspace / "dataset")
    rows = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
    for place, item in enumerate(shop.ITEM_IDS[:4]):
        np.testing.assert_array_equal(dataset.given_vectors[rows.index(item)], np.eye(4)[place])
    assert np.count_nonzero(dataset.given_vectors) == 4


def test_vectors_from_two_places_are_refused() -> None:
    raw = Path("raw")
    with pytest.raises(ConfigError, match="both give vectors"):
        shop.make_config(raw, raw, "data.item_vectors=a.npy", "data.text_model=some-model")
