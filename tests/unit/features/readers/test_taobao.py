"""Taobao UserBehavior: event types, the published period, and lines that are not events."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from configs.exceptions import DataError
from configs.schema import Config
from features.ingest.tables import Tables
from features.prepare import prepare

MakeConfig = Callable[..., Config]

LINES = """\
1,100,7,pv,1511544070
1,100,7,cart,1511544080
1,101,8,fav,1511544090
2,100,9,buy,1512316799
2,100,9,pv,1512316800
2,102,9,pv,-1234567
2,102,9,pv,1511539199
3,103,9,look,1511544070
4,104,9,pv
5,105,9,pv,1511544070,6
6,106,9,pv,noon
7,,9,pv,1511544070

8,108,9,pv,1511544070
"""


@pytest.fixture
def taobao(tmp_path: Path) -> Path:
    path = tmp_path / "UserBehavior.csv"
    path.write_text(LINES, encoding="utf-8")
    return path


def test_behaviours_become_event_types_and_items_have_their_last_category(
    taobao: Path, make_config: MakeConfig, workspace: Path, now: datetime
) -> None:
    report = prepare(make_config(taobao, reader="taobao"), now=now)
    tables = Tables.open(workspace / "tables")
    events = tables.events.select("user_id", "item_id", "event_type").collect().rows()
    assert sorted(events) == [
        ("1", "100", "add_to_cart"),
        ("1", "100", "view_item"),
        ("1", "101", "add_to_wishlist"),
        ("2", "100", "purchase"),
        ("8", "108", "view_item"),
    ]
    assert dict(tables.items.select("id", "product_type").collect().iter_rows())["100"] == "9"
    assert report.rows["events"] == 13
    assert tables.events.select("timestamp").collect().to_series().max() == datetime.fromisoformat(
        "2017-12-03T15:59:59Z"
    )


def test_times_outside_the_published_period_are_dropped_and_counted_and_rubbish_is_rejected_with_its_line(
    taobao: Path, make_config: MakeConfig, workspace: Path, now: datetime
) -> None:
    report = prepare(make_config(taobao, reader="taobao"), now=now)
    assert report.dropped == {"time outside the published period (25 November to 3 December 2017)": 3}
    rejected = (
        Tables.open(workspace / "tables")
        .rejected.filter(table="events")
        .sort("line")
        .select("line", "reason")
    )
    assert rejected.collect().rows() == [
        (8, "event_type 'look' is not known"),
        (9, "too few fields"),
        (10, "too many fields"),
        (11, "timestamp is not a whole number"),
        (12, "item_id is missing"),
    ]


def test_a_part_of_the_file_is_told_from_the_whole(
    taobao: Path, make_config: MakeConfig, now: datetime
) -> None:
    (remark,) = prepare(make_config(taobao, reader="taobao"), now=now).remarks
    assert "it has 13 rows, 5 users" in remark
    assert "the closest, Taobao UserBehavior, has 100,150,807 rows, 987,994 users, 4,162,024 items" in remark


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"1,2,3,pv,1511544070", mtime=0), r"compressed with gzip: unpack it first \(`gunzip"),
        (b"PK\x03\x04", r"zip archive or a spreadsheet"),
        (b"", r"is empty"),
        (None, r"no such file \(data\.events"),
    ],
)
def test_a_file_that_is_not_there_or_still_packed(
    tmp_path: Path, make_config: MakeConfig, now: datetime, content: bytes | None, message: str
) -> None:
    path = tmp_path / "UserBehavior.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare(make_config(path, reader="taobao"), now=now)
