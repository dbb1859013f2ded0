from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.exceptions import ArtefactError, DataError
from configs.settings.data import DataConfig, PrepareConfig
from features.core import columns as c
from features.core.ids import user_key
from features.dataset import Dataset
from features.ingest.build_dataset import build_dataset
from features.ingest.report import Report
from features.ingest.tables import write_tables
from features.ingest.validate_catalogue import validate_items, validate_users
from features.ingest.validate_events import validate_events
from features.readers.raw_table import FILE, ROW, RawTable, no_rejected

PrepareCsv = Callable[..., Report]

START = datetime(2024, 1, 1, tzinfo=UTC)
Event = dict[str, object]


def without_orders_sent_again(events: list[Event]) -> list[Event]:
    """An item of a transaction at one time only: at another it is the same order once more, which is left out
    when files are read."""
    first: dict[tuple[object, ...], object] = {}
    kept = []
    for event in events:
        who = user_key(user_id=event[c.USER_ID], visitor_id=event[c.VISITOR_ID])  # type: ignore[arg-type]
        row = (event[c.EVENT_TYPE], who, event[c.ITEM_ID], event[c.TRANSACTION_ID])
        is_first = (
            event[c.TRANSACTION_ID] is None or first.setdefault(row, event["minute"]) == event["minute"]
        )
        kept += [event] if is_first else []
    return kept


events_strategy = (
    st.lists(
        st.fixed_dictionaries(
            {
                c.EVENT_TYPE: st.sampled_from(
                    ["purchase", "view_item", "refund", "page_view", "view_item_list"]
                ),
                "minute": st.integers(0, 5),
                c.USER_ID: st.sampled_from(["ann", "bob", None]),
                c.VISITOR_ID: st.sampled_from(["ann", "v2"]),
                c.ITEM_ID: st.sampled_from(["tea", "jam", "nut", "ale"]),
                c.PRICE: st.sampled_from([None, 1.0, 2.5]),
                c.TRANSACTION_ID: st.sampled_from([None, None, "t1", "t2"]),
            }
        ),
        min_size=1,
        max_size=25,
    )
    .map(without_orders_sent_again)
    .filter(lambda events: any(event[c.EVENT_TYPE] in c.ITEM_EVENT_TYPES for event in events))
)


def raw_events(events: list[Event]) -> RawTable:
    rows = [
        {name: value for name, value in event.items() if name != "minute"}
        | {c.TIMESTAMP: START + timedelta(minutes=int(str(event["minute"]))), FILE: "e", ROW: n}
        for n, event in enumerate(events)
    ]
    schema = dict.fromkeys((c.USER_ID, c.TRANSACTION_ID), pl.String) | {c.PRICE: pl.Float64}
    frame = pl.DataFrame(rows, schema_overrides=schema)
    return RawTable(name="events", where="events", frame=frame, rejected=no_rejected())


def write(folder: Path, events: list[Event]) -> None:
    valid = validate_events(
        raw_events(events), data=DataConfig(), prepare=PrepareConfig(), now=START + timedelta(days=1)
    )
    assert len(valid.events) == len(events)
    write_tables(
        folder,
        events=valid.events,
        items=validate_items(None).frame,
        users=validate_users(None).frame,
        rejected=valid.rejected,
        report={},
        clock="real",
        currency=None,
        made_from="test",
    )


def reference(events: list[Event]) -> dict[str, list[tuple[str, str, int, float | None, int]]]:
    """Who → their (type, item, minute, price, basket), in order: the plain way."""
    mine = [
        dict(event, n=n)
        for n, event in enumerate(sorted(events, key=lambda event: int(str(event["minute"]))))
    ]
    mine = [event for event in mine if event[c.EVENT_TYPE] in c.ITEM_EVENT_TYPES]
    baskets: dict[object, Event] = {}
    for event in mine:
        event["user"] = user_key(user_id=event[c.USER_ID], visitor_id=event[c.VISITOR_ID])  # type: ignore[arg-type]
        transaction = event[c.TRANSACTION_ID]
        key = (event["user"], event[c.EVENT_TYPE], transaction) if transaction else event["n"]
        first = baskets.setdefault(key, event)
        event["basket"], event["at"] = first["n"], first["minute"]
    firsts: dict[str, tuple[int, str]] = {}
    for event in mine:
        item = str(event[c.ITEM_ID])
        firsts[item] = min(firsts.get(item, (99, "")), (int(str(event["at"])), item))
    order = sorted(firsts, key=lambda item: firsts[item])
    mine.sort(key=lambda event: (event["at"], event["basket"], order.index(str(event[c.ITEM_ID]))))
    histories: dict[str, list[tuple[str, str, int, float | None, int]]] = {}
    for event in mine:
        row = (event[c.EVENT_TYPE], event[c.ITEM_ID], event["at"], event[c.PRICE], event["basket"])
        histories.setdefault(str(event["user"]), []).append(row)  # type: ignore[arg-type]
    return histories


@settings(max_examples=60, deadline=None)
@given(events=events_strategy)
def test_a_dataset_holds_what_a_plain_loop_would_put_there(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    write(folder / "tables", events)
    dataset = build_dataset(folder / "tables", folder / "dataset")
    items = pl.read_parquet(folder / "dataset" / "items.parquet")["id"].to_list()
    users = pl.read_parquet(folder / "dataset" / "users.parquet")["user_id"].to_list()
    expected = reference(events)
    assert sorted(users) == sorted(expected)
    assert sorted(items) == sorted({item for rows in expected.values() for _, item, *_ in rows})
    firsts = [dataset.history(user).times[0] for user in range(dataset.num_users)]
    assert list(zip(firsts, users, strict=True)) == sorted(zip(firsts, users, strict=True))
    for index, user in enumerate(users):
        history, rows = dataset.history(index), expected[user]
        assert [c.EVENT_TYPES[kind] for kind in history.event_types] == [kind for kind, *_ in rows]
        assert [items[item] for item in history.items] == [item for _, item, *_ in rows]
        microseconds = [int((START + timedelta(minutes=at)).timestamp() * 1e6) for _, _, at, _, _ in rows]
        assert history.times.tolist() == microseconds
        prices = [np.nan if price is None else price for *_, price, _ in rows]
        np.testing.assert_array_equal(history.prices, np.array(prices, np.float32))
        same = [[one[-1] == other[-1] for other in rows] for one in rows]
        assert (history.baskets[:, None] == history.baskets[None, :]).tolist() == same
    assert len(np.unique(dataset.baskets)) == dataset.baskets[-1] + 1


def test_baskets_share_the_earliest_time_and_a_refund_keeps_its_own(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    prepare_csv(
        "event_type,timestamp,user_id,item_id,transaction_id\npurchase,2024-05-01 "
        "10:05,ann,tea,t1\npurchase,2024-05-01 10:00,ann,jam,t1\npurchase,2024-05-01 "
        "10:02,bob,jam,t1\nrefund,2024-05-09 10:00,ann,tea,t1\n"
    )
    dataset = Dataset.open(workspace / "dataset")
    ann = dataset.history(0)
    minutes = (ann.times - ann.times[0]) / 60e6
    assert minutes.tolist() == [0, 0, 8 * 24 * 60]
    assert ann.baskets.tolist() == [0, 0, 1]
    assert dataset.history(1).baskets.tolist() == [2]


def test_catalogue_rows_stand_at_their_item_and_gaps_are_null(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    items = tmp_path / "items.csv"
    items.write_text(
        "sku,title,product_type,price\njam,Jam,Food > Spread,3\nold,Old,Food,1\ntea,Tea,Drink,\n",
        encoding="utf-8",
    )
    prepare_csv(
        "event_type,timestamp,user_id,item_id,price\n"
        "purchase,2024-05-01,ann,tea,2\n"
        "purchase,2024-05-02,ann,tea,4\n"
        "purchase,2024-05-02,ann,jam,9\n"
        "view_item,2024-05-03,ann,nut,\n",
        f"data.items={items}",
        "data.item_columns.id=sku",
    )
    catalogue = pl.read_parquet(workspace / "dataset" / "items.parquet")
    assert catalogue.select("id", "title", "price", "brand").rows() == [
        ("tea", "Tea", 3.0, None),
        ("jam", "Jam", 3.0, None),
        ("nut", None, None, None),
        ("old", "Old", 1.0, None),
    ]
    dataset = Dataset.open(workspace / "dataset")
    assert dataset.categories.tolist() == [0, 2, -1, 1]
    assert dataset.num_items == 4  # the old one, which nobody touched, comes last


def test_a_person_is_known_by_user_id_and_else_as_a_visitor(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id,region\nann,north\nunseen,south\n", encoding="utf-8")
    prepare_csv(
        "event_type,timestamp,user_id,visitor_id,item_id\n"
        "purchase,2024-05-01,ann,v1,tea\n"
        "view_item,2024-05-02,,ann,tea\n"
        "purchase,2024-05-03,ann,,jam\n",
        f"data.users={users}",
    )
    frame = pl.read_parquet(workspace / "dataset" / "users.parquet")
    assert frame.select("user_id", "attributes").rows() == [
        ("ann", '{"region":"north"}'),
        ("visitor:ann", None),
    ]


def test_an_ordinal_clock_counts_rows_from_0(prepare_csv: PrepareCsv, workspace: Path) -> None:
    prepare_csv(
        "user_id,item_id\nann,tea\nbob,tea\nann,jam\n",
        "data.clock=ordinal",
        "data.event_type=view_item",
        "split.kind=leave_one_out",
    )
    dataset = Dataset.open(workspace / "dataset")
    assert not dataset.has_times
    assert dataset.times.tolist() == [0, 2, 1]


def test_tables_that_are_not_there_or_hold_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no tables here"):
        build_dataset(tmp_path / "tables", tmp_path / "dataset")
    event = {
        c.EVENT_TYPE: "page_view",
        "minute": 0,
        c.USER_ID: "ann",
        c.VISITOR_ID: None,
        c.ITEM_ID: "x",
        c.PRICE: None,
    }
    write(tmp_path / "tables", [event | {c.TRANSACTION_ID: None}])
    with pytest.raises(DataError, match="no event with an item"):
        build_dataset(tmp_path / "tables", tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()
