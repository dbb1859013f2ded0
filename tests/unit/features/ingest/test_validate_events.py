"""Raw events and catalogue rows: aliases, duplicates, consent, sessions and currencies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import DataError
from configs.schema import Config
from features.core import columns as c
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare

PrepareCsv = Callable[..., Report]
MakeConfig = Callable[..., Config]

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


def events_in(workspace: Path) -> pl.DataFrame:
    return Tables.open(workspace / "tables").events.collect()


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
        "e1,purchase,2024-05-01,ann,tea\n"
        "e1,purchase,2024-05-01,ann,jam\n"
        "e1,purchase,2024-05-01,ann,tea\n"
    )
    assert report.dropped == {"duplicate event": 1}
    assert events_in(workspace).select("event_id", "line", "item_id").rows() == [
        ("e1", 0, "tea"),
        ("e1", 0, "jam"),
    ]


def test_who_did_not_consent_is_in_no_table_not_even_among_the_rejected(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id,consent,age\nann,yes,30\nbob,FALSE,40\ncid,,50\n", encoding="utf-8")
    report = prepare_csv(
        "event_type,timestamp,user_id,item_id,price\n"
        "purchase,2024-05-01,ann,tea,1\n"
        "purchase,2024-05-01,ann,jam,1\n"
        "purchase,2024-05-01,bob,tea,1\n"
        "purchase,2024-05-01,bob,tea,-1\n"
        "purchase,2024-05-01,cid,tea,1\n",
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
    assert report.rejected == {}
    assert events_in(workspace)["user_id"].to_list() == ["1", "1"]


def test_someone_without_consent_changes_nothing_in_how_the_others_are_read(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id;consent\nbob;no\n", encoding="utf-8")
    german = ["data.decimal=','", "data.timestamp_format='%d.%m.%Y'"]
    rows = [
        f"purchase;{row}\n"
        for row in ("01.05.2024;ann;tea;2,50", "02.05.2024;ann;tea;2,50", "02.05.2024;bob;tea;1,50")
    ]
    report = prepare_csv(
        "event_type;timestamp;user_id;item_id;price\n" + "".join(rows), *german, f"data.users={users}"
    )
    assert report.rejected == {}
    assert events_in(workspace).select("user_id", "price").rows() == [("ann", 2.5), ("ann", 2.5)]


def test_a_blank_line_is_line_0(prepare_csv: PrepareCsv, workspace: Path) -> None:
    header = "event_id,line,event_type,timestamp,user_id,item_id\n"
    rows = "".join(
        f"e1,{line},purchase,2024-05-01,ann,{item}\n"
        for line, item in (("", "tea"), ("1", "jam"), ("0", "tea"))
    )
    report = prepare_csv(header + rows)
    assert report.dropped == {"duplicate event": 1}
    assert events_in(workspace).select("line", "item_id").rows() == [(0, "tea"), (1, "jam")]


def test_one_line_says_nothing_about_the_other_orders(prepare_csv: PrepareCsv, workspace: Path) -> None:
    report = prepare_csv(
        "event_id,line,event_type,timestamp,user_id,item_id\n"
        "e1,,purchase,2024-05-01,ann,tea\n"
        "e1,,purchase,2024-05-01,ann,jam\n"
        "e2,1,purchase,2024-05-02,ann,tea\n"
        "e2,2,purchase,2024-05-02,ann,tea\n"
    )
    assert report.dropped == {}
    assert [len(group) for _, group in events_in(workspace).group_by("event_id")] == [2, 2]


def test_a_refund_under_the_order_number_is_no_duplicate_of_the_purchase(prepare_csv: PrepareCsv) -> None:
    report = prepare_csv(
        "event_id,event_type,timestamp,user_id,item_id\n"
        "17,purchase,2024-05-01,ann,tea\n"
        "17,refund,2024-05-03,ann,tea\n"
    )
    assert report.event_types == {"purchase": 1, "refund": 1}


ORDER = "2024-05-01 10:00,ann,tea,t1\n2024-05-01 10:00,ann,tea,t1\n2024-05-01 10:00,ann,jam,t1\n"


def test_an_order_sent_again_is_no_second_purchase(prepare_csv: PrepareCsv, workspace: Path) -> None:
    """A reloaded page sends it later. Two lines of an item come at one time, and are two."""
    header = "timestamp,user_id,item_id,transaction_id\n"
    others = "2024-05-01 11:00,bob,tea,t1\n2024-05-01 11:00,ann,tea,t2\n2024-05-01 12:00,ann,tea,\n"
    report = prepare_csv(
        header + ORDER.replace("10:00", "10:05") + ORDER + others, "data.event_type=purchase"
    )
    assert report.dropped == {"order sent again": 3}
    kept = events_in(workspace).filter(user_id="ann", transaction_id="t1")
    assert kept["item_id"].to_list() == ["tea", "tea", "jam"]
    assert kept["timestamp"].dt.minute().to_list() == [0, 0, 0]
    assert kept["event_id"].n_unique() == 3
    assert report.num_events == 6


def test_without_times_the_lines_of_an_order_are_all_kept(prepare_csv: PrepareCsv) -> None:
    rows = "user_id,item_id,transaction_id\nann,tea,t1\nann,tea,t1\nann,jam,t1\n"
    ordinal = ["data.clock=ordinal", "split.kind=leave_one_out"]
    assert prepare_csv(rows, "data.event_type=purchase", *ordinal).num_events == 3


def keys_in(workspace: Path) -> set[tuple[object, ...]]:
    return set(events_in(workspace).select("event_id", "event_type", "item_id", "line").rows())


def test_keys_do_not_depend_on_the_order_of_the_rows(prepare_csv: PrepareCsv, workspace: Path) -> None:
    header = "event_id,line,event_type,timestamp,user_id,visitor_id,session_id,item_id,transaction_id\n"
    rows = [
        f"{event_id},{line},{event_type},2024-05-0{day},ann,{visitor},{session},{item},{transaction}\n"
        for event_id, line, event_type, day, visitor, session, item, transaction in (
            ("e1", "", "purchase", 1, "", "", "tea", ""),
            ("e1", "", "purchase", 1, "", "", "jam", ""),
            ("", "", "purchase", 2, "", "", "tea", "t1"),
            ("", 3, "purchase", 2, "", "", "tea", "t1"),
            ("", "", "view_item", 3, "", "s1", "tea", ""),
            ("", 2, "view_item", 3, "v1", "", "tea", ""),
            ("", "", "refund", 4, "", "", "tea", "t1"),
        )
    ]
    prepare_csv(header + "".join(rows))
    keys = keys_in(workspace)
    assert len(keys) == len(rows)
    newer = "e1,,purchase,2024-05-01,ann,,,ale,\n"
    prepare_csv(header + newer + "".join(reversed(rows)))
    assert keys_in(workspace) == keys | {("e1", "purchase", "ale", 0)}


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
    "purchase,2024-05-01,ann,tea,10,EUR\n"
    "purchase,2024-05-02,ann,tea,10,usd\n"
    "purchase,2024-05-03,ann,tea,10,\n"
)


def test_prices_are_turned_into_the_shops_currency(prepare_csv: PrepareCsv, workspace: Path) -> None:
    report = prepare_csv(CURRENCIES, "prepare.exchange_rates={USD: 0.5}")
    assert report.currency == "EUR"
    assert events_in(workspace).select("price", "currency").rows() == [
        (10.0, "EUR"),
        (5.0, "EUR"),
        (10.0, "EUR"),
    ]


def test_a_currency_without_a_rate_is_rejected(prepare_csv: PrepareCsv) -> None:
    report = prepare_csv(CURRENCIES, "prepare.currency=EUR")
    assert report.rejected == {"events: no exchange rate for the currency": 1}


def test_two_currencies_and_no_word_on_which_is_the_shops(prepare_csv: PrepareCsv) -> None:
    with pytest.raises(DataError, match=r"2 currencies \((EUR, USD|USD, EUR)\).*prepare\.currency"):
        prepare_csv(CURRENCIES)


def test_catalogue_rows_keep_the_last_of_an_id_and_refuse_bad_ones(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    items = tmp_path / "items.csv"
    items.write_text(
        "id,title,price,availability\ntea,Tea,1,In "
        "Stock\njam,Jam,-1,in_stock\n,Nobody,1,\nnut,Nut,1,maybe\ntea,Green tea,2,preorder\n",
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


def test_goods_by_weight_and_prices_of_a_thousand_and_more_keep_their_rows(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    report = prepare_csv(
        "event_type,timestamp,user_id,item_id,quantity,price\n"
        'purchase,2024-05-01,ann,sofa,12.00,"1,249.00"\n'
        "purchase,2024-05-02,ann,bananas,0.735,2.2\n"
    )
    assert report.rejected == {}
    assert events_in(workspace).select("quantity", "price").rows() == [(12.0, 1249.0), (0.735, 2.2)]


def test_prices_as_a_merchant_feed_writes_them(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    items = tmp_path / "feed.tsv"
    items.write_text(
        "id\tprice\tsale_price\tavailability\n"
        "tea\t15.00 USD\t12.50 USD\tin stock\n"
        "jam\t1,249.00 USD\t\tin stock\n",
        encoding="utf-8",
    )
    report = prepare_csv(
        "event_type,timestamp,user_id,item_id,price,currency\n"
        "purchase,2024-05-01,ann,tea,15.00 USD,\n"
        "purchase,2024-05-02,ann,tea,14.00  USD,usd\n"
        "purchase,2024-05-03,ann,tea,13.00,USD\n"
        "purchase,2024-05-04,ann,tea,12.00 USD,EUR\n"
        "purchase,2024-05-05,ann,tea,12.00 $,\n",
        f"data.items={items}",
        "prepare.exchange_rates={EUR: 2}",
    )
    assert report.rejected == {
        "events: price and currency are of different currencies": 1,
        "events: price is not a number": 1,
    }
    assert events_in(workspace).select("price", "currency").rows() == [
        (15.0, "USD"),
        (14.0, "USD"),
        (13.0, "USD"),
    ]
    listed = Tables.open(workspace / "tables").items.collect()
    assert listed.select("id", "price", "sale_price", "currency").rows() == [
        ("tea", 15.0, 12.5, "USD"),
        ("jam", 1249.0, None, "USD"),
    ]


def test_prices_that_name_two_currencies_are_converted_or_an_error(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    items = tmp_path / "items.csv"
    items.write_text("id,price,sale_price\ntea,10 EUR,\njam,10 USD,\nnut,10 EUR,9 USD\n", encoding="utf-8")
    rows = "event_type,timestamp,user_id,item_id\n" + "purchase,2024-05-01,ann,tea\n" * 2
    with pytest.raises(DataError, match=r"items have 2 currencies"):
        prepare_csv(rows, f"data.items={items}")
    report = prepare_csv(rows, f"data.items={items}", "prepare.exchange_rates={USD: 0.5}")
    assert report.rejected == {"items: price and currency are of different currencies": 1}
    listed = Tables.open(workspace / "tables").items.collect()
    assert listed.select("id", "price", "currency").rows() == [("tea", 10.0, "EUR"), ("jam", 5.0, "EUR")]
