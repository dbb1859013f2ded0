"""A shop's own parquet and JSON lines files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import DataError
from configs.schema import Config
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare

PrepareCsv = Callable[..., Report]
MakeConfig = Callable[..., Config]

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


def events_in(workspace: Path) -> pl.DataFrame:
    return Tables.open(workspace / "tables").events.collect()


def test_parquet_with_pandas_habits_and_a_glob(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    frame = pl.DataFrame(
        {
            "event_type": ["purchase", "purchase"],
            "timestamp": [datetime(2024, 5, 1), datetime(2024, 5, 2)],
            "customer": [7.0, float("nan")],
            "visitor_id": [None, "v1"],
            "item_id": [12, 13],
            "price": [1.5, float("nan")],
            "attributes": [{"gift": True}, {"gift": False}],
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_parquet(tmp_path / "b.parquet")
    prepare(
        make_config(tmp_path / "?.parquet", "data.event_columns.user_id=customer", reader="parquet"), now=now
    )
    found = events_in(workspace).select("user_id", "visitor_id", "item_id", "price", "attributes").rows()
    assert found[:2] == [("7", None, "12", 1.5, '{"gift":true}')] * 2
    assert found[3] == (None, "v1", "13", None, '{"gift":false}')
    assert events_in(workspace)["event_id"].n_unique() == 4


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("user_id", [True, False], r"'user_id' should hold text or whole numbers.*Boolean"),
        ("timestamp", [True, False], r"'timestamp' should hold times.*Boolean"),
        ("price", [[1.0], [2.0]], r"'price' should hold numbers.*a list or an object"),
    ],
)
def test_parquet_columns_of_the_wrong_type(
    tmp_path: Path, make_config: MakeConfig, now: datetime, column: str, values: list[object], message: str
) -> None:
    good = {
        "event_type": ["purchase"] * 2,
        "timestamp": [NOON] * 2,
        "user_id": ["ann"] * 2,
        "item_id": ["tea"] * 2,
    }
    pl.DataFrame(good | {column: values}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        prepare(make_config(tmp_path / "a.parquet", reader="parquet"), now=now)


def test_a_file_that_is_no_parquet(tmp_path: Path, make_config: MakeConfig, now: datetime) -> None:
    (tmp_path / "a.parquet").write_text("event_type,timestamp\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as parquet"):
        prepare(make_config(tmp_path / "a.parquet", reader="parquet"), now=now)


def test_json_lines(tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"event_type": "purchase", "timestamp": 1714557600, "user_id": 7, "item_id": "tea", "price": 1.5}\n'
        "\n"
        '{"event_type": "purchase", "timestamp"\n'
        "[1]\n"
        '{"event_type": "view_item", "timestamp": "2024-05-02", "user_id": "7", "item_id": "jam", '
        '"attributes": {"a": [1]}}\n',
        encoding="utf-8",
    )
    prepare(make_config(tmp_path / "a.jsonl", reader="jsonl"), now=now)
    rows = events_in(workspace).select("user_id", "item_id", "price", "attributes").rows()
    assert rows == [("7", "tea", 1.5, None), ("7", "jam", None, '{"a": [1]}')]
    rejected = Tables.open(workspace / "tables").rejected.collect()
    assert rejected.select("line", "reason").rows() == [(3, "not a JSON object"), (4, "not a JSON object")]


def test_a_csv_given_as_json_lines(tmp_path: Path, make_config: MakeConfig, now: datetime) -> None:
    (tmp_path / "a.jsonl").write_text("event_type,timestamp\npurchase,2024-01-01\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"none of 2 lines is a JSON object"):
        prepare(make_config(tmp_path / "a.jsonl", reader="jsonl"), now=now)


def test_json_lines_in_another_encoding(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    line = '{"event_type": "purchase", "timestamp": 1714557600, "user_id": "Änne", "item_id": "tea"}\n'
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((line * 2).encode("utf-16")))
    prepare(make_config(tmp_path / "a.jsonl.gz", "data.encoding=utf-16", reader="jsonl"), now=now)
    assert events_in(workspace)["user_id"].to_list() == ["Änne"] * 2


def test_a_line_of_json_with_half_an_emoji_is_kept(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    line = '{"event_type": "purchase", "timestamp": 1714557600, "user_id": "ann", "item_id": "tea", '
    searched = (r'"search_term": "tea \ud83d"}', r'"attributes": {"note": "\ude00"}}')
    deep = '{"a": ' + "[" * 100_000 + "\n"
    (tmp_path / "a.jsonl").write_text(deep + "\n".join(line + end for end in searched), encoding="utf-8")
    report = prepare(make_config(tmp_path / "a.jsonl", reader="jsonl"), now=now)
    assert report.rejected == {"events: not a JSON object": 1}
    found = events_in(workspace).select("search_term", "attributes").rows()
    assert found == [("tea \ufffd", None), (None, '{"note": "\ufffd"}')]


def test_floats_beside_whole_numbers_in_several_files_stay_the_ids_they_are(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    """One file has a gap, so pandas made floats of its ids: as one column all would be rounded floats."""
    rows = {"timestamp": [NOON] * 3, "item_id": ["tea"] * 3}
    big = [2**53 + 1, 2**53 + 3, 2**53 + 5]
    pl.DataFrame(rows | {"user_id": big}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame(rows | {"user_id": [7.0, 8.0, None]}).write_parquet(tmp_path / "b.parquet")
    pl.DataFrame(rows | {"user_id": ["7", "8.0", "ann"]}).write_parquet(tmp_path / "c.parquet")
    config = make_config(tmp_path / "?.parquet", "data.event_type=purchase", reader="parquet")
    report = prepare(config, now=now)
    assert report.rejected == {"events: no user_id and no visitor_id": 1}
    assert events_in(workspace)["user_id"].unique().sort().to_list() == ["7", "8", *map(str, big), "ann"]

    pl.DataFrame(rows | {"user_id": [float(2**53 + 2), 1.0, None]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: column 'user_id'.*Save the ids as text"):
        prepare(config, now=now)


def test_the_bare_word_nan_in_json_lines_is_a_missing_value(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"timestamp": "2024-05-01", "user_id": "ann", "item_id": "tea", "price": NaN}\n'
        '{"timestamp": "2024-05-02", "user_id": "ann", "item_id": "tea", "attributes": {"x": NaN}}\n'
        '{"timestamp": "2024-05-01", "user_id": NaN, "item_id": "tea", "price": 2}\n'
        '{"timestamp": "2024-05-01", "user_id": "ann", "item_id": "tea", "price": Infinity}\n',
        encoding="utf-8",
    )
    report = prepare(make_config(tmp_path / "a.jsonl", "data.event_type=purchase", reader="jsonl"), now=now)
    assert report.rejected == {
        "events: no user_id and no visitor_id": 1,
        "events: price is not a number": 1,
    }
    assert events_in(workspace).select("user_id", "price", "attributes").rows() == [
        ("ann", None, None),
        ("ann", None, '{"x": null}'),
    ]


def test_a_number_with_a_decimal_zero_is_the_same_id_in_every_table(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    event = '{{"timestamp": "2024-05-0{day}", "user_id": {user}, "item_id": {item}}}\n'
    (tmp_path / "a.jsonl").write_text(
        event.format(day=1, user="12.0", item="4051.0")
        + event.format(day=2, user='" 13 "', item='"4051"')
        + event.format(day=3, user="13", item="4051")
        + event.format(day=4, user="1.2345e+20", item="4051"),
        encoding="utf-8",
    )
    (tmp_path / "users.jsonl").write_text(
        '{"user_id": "12", "consent": "no"}\n{"user_id": 13.0, "consent": "yes", "age": 30}\n',
        encoding="utf-8",
    )
    (tmp_path / "items.jsonl").write_text('{"id": 4051}\n{"id": "1,2345E+11"}\n', encoding="utf-8")
    overrides = [f"data.{table}={tmp_path}/{table}.jsonl" for table in ("items", "users")]
    report = prepare(
        make_config(tmp_path / "a.jsonl", "data.event_type=purchase", *overrides, reader="jsonl"), now=now
    )
    assert report.dropped == {"user without consent": 1}
    assert report.events_without_catalogue == 0
    assert [reason.split(" is a rounded number")[0] for reason in report.rejected] == [
        "events: an id",
        "items: id",
    ]
    assert events_in(workspace).select("user_id", "item_id").rows() == [("13", "4051")] * 2
    assert Tables.open(workspace / "tables").users.collect()["user_id"].to_list() == ["13"]


def test_the_catalogue_and_the_users_may_be_in_another_format_than_the_events(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    (tmp_path / "a.jsonl").write_text(
        2 * '{"event_type": "purchase", "timestamp": "2024-05-01", "user_id": "ann", "item_id": "tea"}\n',
        encoding="utf-8",
    )
    (tmp_path / "feed.TSV").write_text("sku\ttitle\ntea\tGreen tea\n", encoding="utf-8")
    pl.DataFrame({"user_id": ["ann"], "tier": ["gold"]}).write_parquet(tmp_path / "users.parquet")
    prepare(
        make_config(
            tmp_path / "a.jsonl",
            f"data.items={tmp_path / 'feed.TSV'}",
            "data.item_columns.id=sku",
            f"data.users={tmp_path / 'users.parquet'}",
            reader="jsonl",
        ),
        now=now,
    )
    tables = Tables.open(workspace / "tables")
    assert tables.items.collect().select("id", "title").rows() == [("tea", "Green tea")]
    assert tables.users.collect().select("user_id", "attributes").rows() == [("ann", '{"tier":"gold"}')]


def test_a_catalogue_whose_name_says_nothing_is_in_the_format_of_the_events(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    event = {"event_type": "purchase", "timestamp": NOON, "user_id": "ann", "item_id": "tea"}
    pl.DataFrame([event, event]).write_parquet(tmp_path / "events")
    pl.DataFrame({"id": ["tea"], "title": ["Tea"]}).write_parquet(tmp_path / "feed")
    prepare(make_config(tmp_path / "events", f"data.items={tmp_path / 'feed'}", reader="parquet"), now=now)
    assert Tables.open(workspace / "tables").items.collect()["title"].to_list() == ["Tea"]
    (tmp_path / "feed.pq").write_text("id,title\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"feed\.pq: cannot be read as parquet.*name of the file end with \.csv"
    ):
        prepare(
            make_config(tmp_path / "events", f"data.items={tmp_path / 'feed.pq'}", reader="parquet"), now=now
        )


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (
            "jsonl",
            '{"type": "purchase", "at": "2024-05-01", "who": "ann", "items": [{"id": "tea"}]}\n'
            '{"type": "purchase", "at": "2024-05-02", "who": "ann", "items": []}\n',
        ),
        ("csv", 'type,at,who,items\npurchase,2024-05-01,ann,"{""id"": ""tea"", ""price"": 1}"\n'),
        ("csv", 'type,at,who,items\npurchase,2024-05-01,ann,"[4051, 4052]"\n'),
    ],
)
def test_a_column_of_lists_or_objects_is_no_column_of_ids(
    tmp_path: Path, make_config: MakeConfig, now: datetime, reader: str, text: str
) -> None:
    (tmp_path / "a").write_text(text, encoding="utf-8")
    columns = "data.event_columns={event_type: type, timestamp: at, user_id: who, item_id: items}"
    message = r"'items' should hold text or whole numbers, but its type is a list or an object.*reader=ga4"
    with pytest.raises(DataError, match=message):
        prepare(make_config(tmp_path / "a", columns, reader=reader), now=now)


def test_a_word_in_brackets_is_text(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    (tmp_path / "a.csv").write_text(
        "event_type,timestamp,user_id,item_id\n" + "purchase,2024-05-01,ann,[new] {4051}\n" * 2,
        encoding="utf-8",
    )
    prepare(make_config(tmp_path / "a.csv"), now=now)
    assert events_in(workspace)["item_id"].to_list() == ["[new] {4051}"] * 2


def test_a_row_with_a_list_among_plain_ids_is_rejected(
    tmp_path: Path, make_config: MakeConfig, now: datetime
) -> None:
    start = '{"event_type": "purchase", "timestamp": "2024-05-01", "user_id": "ann", "item_id": '
    items = ('"tea"}', '"jam"}', '[{"id": "tea"}]}', '{"id": "tea"}}', '["tea"]}')
    (tmp_path / "a.jsonl").write_text("\n".join(start + item for item in items), encoding="utf-8")
    (tmp_path / "items.jsonl").write_text('{"id": "tea"}\n{"id": {"sku": "tea"}}\n', encoding="utf-8")
    report = prepare(
        make_config(tmp_path / "a.jsonl", f"data.items={tmp_path / 'items.jsonl'}", reader="jsonl"), now=now
    )
    assert report.rejected == {
        "events: an id is a list or an object": 3,
        "items: id is a list or an object": 1,
    }
    assert report.num_items == 2
