"""The published files themselves, in the folder that SHOPKEEPER_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from configs.settings.data import DataConfig
from features.prepare import read_raw
from features.readers.published_counts import Counts, compare_with_published
from features.readers.raw_table import RawTables

DATA = os.environ.get("SHOPKEEPER_DATA", "")


def read(reader: str, name: str, **settings: str) -> RawTables:
    path = Path(DATA) / name
    if not DATA or not path.is_file():
        pytest.skip(f"needs {name} in the folder that the environment variable SHOPKEEPER_DATA names")
    return read_raw(DataConfig.model_validate({"reader": reader, "events": path, **settings}))


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        ("online_retail", "online-retail/online_retail.parquet"),
        ("amazon_reviews", "amazon-beauty/interactions.csv"),
        ("session_text", "amazon-beauty/Beauty.txt"),
        ("session_text", "ml-1m/ml-1m.txt"),
        ("session_text", "gowalla/train.txt"),
        ("session_text", "gowalla/test.txt"),
    ],
)
def test_a_published_file_has_the_published_counts_and_not_one_broken_line(reader: str, name: str) -> None:
    raw = read(reader, name)
    assert "as published: " in raw.remarks[-1]
    assert raw.events.rejected.is_empty()


def test_online_retail_leaves_out_who_is_unknown_and_what_is_no_product() -> None:
    raw = read("online_retail", "online-retail/online_retail.parquet")
    assert raw.events.dropped["no customer"] == 135_080
    assert raw.events.num_rows == 541_909
    assert dict(raw.events.frame["event_type"].value_counts().iter_rows()) == {
        "purchase": 396_340,
        "refund": 8_539,
    }


def test_a_sample_of_taobao_is_told_from_the_whole() -> None:
    raw = read("taobao", "taobao/UserBehavior.csv")
    assert "no published file known here" in raw.remarks[-1]
    assert raw.items is not None
    assert raw.items.frame["product_type"].null_count() == 0


def test_the_closest_published_file_is_named_with_both_counts() -> None:
    path = Path("ratings.dat")
    assert compare_with_published("movielens", path, Counts(1_000_209, users=6_040, items=3_706)) == (
        "ratings.dat is MovieLens 1M as published: 1,000,209 rows, 6,040 users"
    )
    assert compare_with_published("movielens", path, Counts(1_000_208, users=6_040, items=3_706)) == (
        "ratings.dat is not a known published file: it has 1,000,208 rows, 6,040 users, 3,706 items; "
        "the closest, MovieLens 1M, has 1,000,209 rows, 6,040 users"
    )
