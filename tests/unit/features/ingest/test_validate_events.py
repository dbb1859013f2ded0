from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import DataError
from configs.schema import Config
from features.core import columns as c
from features.core.ids import who_expr, who_key
from features.core.timestamps import parse_timestamps
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare

PrepareCsv = Callable[..., Report]
MakeConfig = Callable[..., Config]

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


def events_in(workspace: Path) -> pl.DataFrame:
    return Tables.open(workspace / "tables").events.collect()


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T12:00:00Z",
        "2024-01-31T12:00:00.000000Z",
        "2024-01-31T13:00:00+01:00",
        "2024-01-31 13:00:00 +0100",
        "2024-01-31 14:00:00+02",
        "2024-01-31T12:00Z",
        "2024-01-31 12:00:00",
        "2024-01-31  12:00",
        "2024-01-31 12:00:00 UTC",
        "1706702400",
        "1706702400000",
        "1706702400.0",
        "1706702400000000",
        "1706702400000000000",
    ],
)
def test_a_time_is_read_in_the_forms_that_shops_write(text: str) -> None:
    other = "2020-02-29"  # a column may hold several forms
    assert parse_timestamps(pl.Series([text, other])).to_list() == [NOON, datetime(2020, 2, 29, tzinfo=UTC)]


@pytest.mark.parametrize("text", ["31/01/2024", "noon", "2024-13-01", "nan", "inf"])
def test_what_is_no_time_is_null(text: str) -> None:
    assert parse_timestamps(pl.Series([text])).to_list() == [None]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([NOON]),
        pl.Series([NOON.replace(tzinfo=None)]).cast(pl.Datetime("ns")),
        pl.Series([NOON]).dt.convert_time_zone("Asia/Tokyo"),
        pl.Series([1706702400]),
        pl.Series([1706702400000.0]),
    ],
)
def test_typed_times(values: pl.Series) -> None:
    parsed = parse_timestamps(values)
    assert parsed.dtype == pl.Datetime("us", "UTC")
    assert parsed.to_list() == [NOON]


def test_dates_begin_at_midnight() -> None:
    assert parse_timestamps(pl.Series([date(2024, 1, 31)])).to_list() == [NOON.replace(hour=0)]
    assert parse_timestamps(pl.Series(["20240131"])).to_list() == [NOON.replace(hour=0)]


@pytest.mark.parametrize(
    ("alias", "name"), [*c.EVENT_TYPE_ALIASES.items(), *((name, name) for name in c.EVENT_TYPES)]
)
def test_other_names_of_event_types_are_understood_in_any_case(
    prepare_csv: PrepareCsv, workspace: Path, alias: str, name: str
) -> None:
    rows = (
        f"{alias.upper()},2024-05-01,ann,tea\n{alias.title()},2024-05-02,ann,tea\n"
        + "purchase,2024-05-03,ann,tea\n" * 2
    )
    prepare_csv("event_type,timestamp,user_id,item_id\n" + rows)
    assert events_in(workspace)["event_type"].to_list()[:2] == [name, name]


def test_an_event_sent_twice_counts_once_and_one_without_an_id_as_often_as_it_comes(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    report = prepare_csv(
        "event_id,line,event_type,timestamp,user_id,item_id\n"
        "e1,0,purchase,2024-05-01,ann,tea\n"
        "e1,1,purchase,2024-05-01,ann,jam\n"
        "e1,0,purchase,2024-05-01,ann,tea\n"
        ",,purchase,2024-05-01,ann,tea\n"
        ",,purchase,2024-05-01,ann,tea\n"
    )
    assert report.dropped == {"duplicate event": 1}
    ids = events_in(workspace).select("event_id", "line").rows()
    assert ids[:2] == [("e1", 0), ("e1", 1)]
    assert [line for _, line in ids[2:]] == [0, 0]
    assert len({name for name, _ in ids}) == 3


def test_without_a_column_of_lines_the_items_of_an_event_are_its_lines(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    report = prepare_csv(
        "event_id,event_type,timestamp,user_id,item_id\n"
        "e1,purchase,2024-05-01,ann,tea\ne1,purchase,2024-05-01,ann,jam\ne1,purchase,2024-05-01,ann,tea\n"
    )
    assert report.dropped == {"duplicate event": 1}
    assert events_in(workspace).select("event_id", "line", "item_id").rows() == [
        ("e1", 0, "tea"),
        ("e1", 1, "jam"),
    ]


def test_who_did_not_consent_is_in_no_table_not_even_among_the_refused(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id,consent,age\nann,yes,30\nbob,FALSE,40\ncid,,50\n", encoding="utf-8")
    report = prepare_csv(
        "event_type,timestamp,user_id,item_id,price\n"
        "purchase,2024-05-01,ann,tea,1\npurchase,2024-05-01,ann,jam,1\n"
        "purchase,2024-05-01,bob,tea,1\npurchase,2024-05-01,bob,tea,-1\npurchase,2024-05-01,cid,tea,1\n",
        f"data.users={users}",
    )
    assert report.dropped == {"user without consent": 3}
    assert report.rows["events"] == 5
    tables = Tables.open(workspace / "tables")
    assert tables.users.collect()["user_id"].to_list() == ["ann"]
    assert tables.events.collect()["user_id"].unique().to_list() == ["ann"]
    assert tables.rejected.collect().is_empty()


def test_only_a_clear_yes_is_consent_and_users_who_are_not_listed_are_kept(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    rows = ("ann,1.0", "bob,0.0", "cid,maybe", "dan,nein", "eve,yes", "eve,maybe", "fay,?", "fay,yes")
    users.write_text("user_id,consent\n" + "\n".join(rows) + "\n", encoding="utf-8")
    names = ("ann", "bob", "cid", "dan", "eve", "fay", "guest")
    events = "".join(f"purchase,2024-05-01,{name},{item}\n" for name in names for item in ("tea", "jam"))
    report = prepare_csv("event_type,timestamp,user_id,item_id\n" + events, f"data.users={users}")
    assert report.dropped["user without consent"] == 8
    tables = Tables.open(workspace / "tables")
    assert tables.events.collect()["user_id"].unique().sort().to_list() == ["ann", "fay", "guest"]
    assert tables.users.collect()["user_id"].to_list() == ["ann", "fay"]
    assert tables.rejected.collect()["line"].to_list() == [4, 5, 7, 8]


def test_consent_as_pandas_writes_it(
    tmp_path: Path, workspace: Path, make_config: MakeConfig, now: datetime
) -> None:
    pl.DataFrame({"user_id": [1, 2, 3], "consent": [1.0, 0.0, float("nan")]}).write_parquet(
        tmp_path / "users.parquet"
    )
    days = [datetime(2024, 5, day) for day in range(1, 7)]
    pl.DataFrame({"timestamp": days, "user_id": [1, 2, 3] * 2, "item_id": ["tea"] * 6}).write_parquet(
        tmp_path / "a.parquet"
    )
    overrides = ["data.event_type=purchase", f"data.users={tmp_path / 'users.parquet'}"]
    report = prepare(make_config(tmp_path / "a.parquet", *overrides, reader="parquet"), now=now)
    assert report.refused == {}
    assert events_in(workspace)["user_id"].to_list() == ["1", "1"]


def test_someone_without_consent_changes_nothing_in_how_the_others_are_read(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id;consent\nbob;no\n", encoding="utf-8")
    german = ["data.decimal=','", "data.timestamp_format='%d.%m.%Y'"]
    rows = "purchase;01.05.2024;ann;tea;2,50\npurchase;02.05.2024;ann;tea;2,50\npurchase;02.05.2024;bob;tea;1,50\n"
    report = prepare_csv(
        "event_type;timestamp;user_id;item_id;price\n" + rows, *german, f"data.users={users}"
    )
    assert report.refused == {}
    assert events_in(workspace).select("user_id", "price").rows() == [("ann", 2.5), ("ann", 2.5)]


def test_a_blank_line_is_line_0(prepare_csv: PrepareCsv, workspace: Path) -> None:
    header = "event_id,line,event_type,timestamp,user_id,item_id\n"
    rows = "e1,,purchase,2024-05-01,ann,tea\ne1,1,purchase,2024-05-01,ann,jam\ne1,0,purchase,2024-05-01,ann,tea\n"
    report = prepare_csv(header + rows)
    assert report.dropped == {"duplicate event": 1}
    assert events_in(workspace).select("line", "item_id").rows() == [(0, "tea"), (1, "jam")]
    prepare_csv(header + rows.replace(",1,", ",,").replace(",0,", ",,"))
    assert events_in(workspace).select("line", "item_id").rows() == [(0, "tea"), (1, "jam")]


def test_sessions_are_made_from_pauses_where_there_are_none(prepare_csv: PrepareCsv, workspace: Path) -> None:
    prepare_csv(
        "event_type,timestamp,user_id,visitor_id,session_id,item_id\n"
        "view_item,2024-05-01 10:00,ann,,,tea\n"
        "view_item,2024-05-01 10:10,,ann,,tea\n"
        "view_item,2024-05-01 10:30,ann,,,jam\n"
        "view_item,2024-05-01 10:40,ann,,mine,jam\n"
        "view_item,2024-05-01 11:00:01,ann,,,jam\n"
    )
    sessions = events_in(workspace)["session_id"].to_list()
    day = int(datetime(2024, 5, 1, tzinfo=UTC).timestamp())
    at = [day + 3600 * 10, day + 3600 * 10 + 600, day + 3600 * 11 + 1]
    assert sessions == [f"ann@{at[0]}", f"visitor:ann@{at[1]}", f"ann@{at[0]}", "mine", f"ann@{at[2]}"]


CURRENCIES = (
    "event_type,timestamp,user_id,item_id,price,currency\n"
    "purchase,2024-05-01,ann,tea,10,EUR\npurchase,2024-05-02,ann,tea,10,usd\npurchase,2024-05-03,ann,tea,10,\n"
)


def test_prices_are_turned_into_the_shops_currency(prepare_csv: PrepareCsv, workspace: Path) -> None:
    report = prepare_csv(CURRENCIES, "prepare.exchange_rates={USD: 0.5}")
    assert report.currency == "EUR"
    assert events_in(workspace).select("price", "currency").rows() == [
        (10.0, "EUR"),
        (5.0, "EUR"),
        (10.0, "EUR"),
    ]


def test_a_currency_without_a_rate_is_refused(prepare_csv: PrepareCsv) -> None:
    report = prepare_csv(CURRENCIES, "prepare.currency=EUR")
    assert report.refused == {"events: no exchange rate for the currency": 1}


def test_two_currencies_and_no_word_on_which_is_the_shops(prepare_csv: PrepareCsv) -> None:
    with pytest.raises(DataError, match=r"2 currencies \((EUR, USD|USD, EUR)\).*prepare\.currency"):
        prepare_csv(CURRENCIES)


def test_catalogue_rows_keep_the_last_of_an_id_and_refuse_bad_ones(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    items = tmp_path / "items.csv"
    items.write_text(
        "id,title,price,availability\ntea,Tea,1,In Stock\njam,Jam,-1,in_stock\n"
        ",Nobody,1,\nnut,Nut,1,maybe\ntea,Green tea,2,preorder\n",
        encoding="utf-8",
    )
    report = prepare_csv(
        "event_type,timestamp,user_id,item_id\n" + "purchase,2024-05-01,ann,tea\n" * 2, f"data.items={items}"
    )
    tables = Tables.open(workspace / "tables")
    assert tables.items.collect().select("id", "title", "price", "availability").rows() == [
        ("tea", "Green tea", 2.0, "preorder")
    ]
    assert tables.rejected.collect().select("table", "line").rows() == [
        ("items", 3),
        ("items", 4),
        ("items", 5),
    ]
    assert report.dropped == {"earlier row of an item id": 1}


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
        ("price", [[1.0], [2.0]], r"'price' should hold numbers.*List"),
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
    with pytest.raises(DataError, match=r"not one of 2 lines is a JSON object"):
        prepare(make_config(tmp_path / "a.jsonl", reader="jsonl"), now=now)


def test_the_key_of_a_person_is_the_same_for_one_event_and_for_a_column() -> None:
    people = [("ann", None), ("ann", "v1"), (None, "v1"), (None, None)]
    frame = pl.DataFrame(people, schema={"user_id": pl.String, "visitor_id": pl.String}, orient="row")
    expected = [who_key(user_id=user, visitor_id=visitor) for user, visitor in people]
    assert (
        frame.select(who_expr().alias("who"))["who"].to_list()
        == expected
        == ["ann", "ann", "visitor:v1", None]
    )
