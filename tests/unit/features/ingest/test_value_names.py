"""A shop's own names of event types and availabilities, and negative quantities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import ConfigError, DataError
from configs.load import load_config
from features.ingest.report import Report
from features.ingest.tables import Tables

PrepareCsv = Callable[..., Report]

HEADER = "event_type,timestamp,user_id,item_id\n"
PURCHASES = "purchase,2024-05-01,ann,tea\npurchase,2024-05-02,ann,jam\n"
REMEDY = "map it in data.event_types to one of ours or ignore"


def event_types_in(workspace: Path) -> list[str]:
    return Tables.open(workspace / "tables").events.collect()["event_type"].to_list()


def test_the_shops_own_event_types_are_mapped_in_any_case_and_win_over_ours(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    prepare_csv(
        HEADER + "View,2024-05-01,ann,tea\n AddToCart ,2024-05-02,ann,tea\nreview,2024-05-03,ann,tea\n"
        "purchase,2024-05-04,ann,tea\n",
        "data.event_types={view: view_item, addToCart: add_to_cart, review: contact}",
    )
    assert event_types_in(workspace) == ["view_item", "add_to_cart", "contact", "purchase"]


def test_ignored_event_types_are_counted_and_are_no_rejections(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    ignored = "session_start,2024-05-01,ann,\nScroll,never,,\n" * 10
    report = prepare_csv(
        HEADER + ignored + PURCHASES,
        "data.event_types={session_start: ignore, scroll: ignore}",
        "prepare.max_rejected_share=0",
    )
    assert report.rows["events"] == 22
    assert report.rejected == {}
    assert report.dropped == {
        "event type 'session_start', which is ignored": 10,
        "event type 'scroll', which is ignored": 10,
    }
    assert event_types_in(workspace) == ["purchase", "purchase"]


def test_unknown_event_types_are_rejected_by_name_the_rare_ones_together(prepare_csv: PrepareCsv) -> None:
    frequent = [f"type{number}" for number in range(10)]
    rare = ["rare", "other", "x" * 50]
    rows = [f"{name},2024-05-01,ann,tea\n" for name in (*frequent, *frequent, *rare)]
    report = prepare_csv(HEADER + "".join(rows) + PURCHASES)
    quoted = {f"events: event_type '{name}' is not known: {REMEDY}": 2 for name in frequent}
    assert report.rejected == {
        **quoted,
        f"events: event_type is not known (3 further values): {REMEDY}": 3,
    }


def test_too_many_unknown_event_types_stop_with_the_value_and_the_setting(prepare_csv: PrepareCsv) -> None:
    with pytest.raises(DataError, match=r"1 × event_type 'a{40}…' is not known: map it in data\.event_types"):
        prepare_csv(HEADER + "a" * 60 + ",2024-05-01,ann,tea\n" + PURCHASES, "prepare.max_rejected_share=0.1")


def test_the_shops_own_availabilities(prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("id,availability\ntea,YES\njam,0\nnut,In Stock\nfig,maybe\n", encoding="utf-8")
    report = prepare_csv(
        HEADER + PURCHASES, f"data.items={items}", "data.availability={yes: in_stock, 0: out_of_stock}"
    )
    found = Tables.open(workspace / "tables").items.collect().select("id", "availability").rows()
    assert found == [("tea", "in_stock"), ("jam", "out_of_stock"), ("nut", "in_stock")]
    assert report.rejected == {
        "items: availability 'maybe' is not known: map it in data.availability to in_stock or out_of_stock "
        "or preorder or backorder": 1
    }


def test_availability_as_true_and_false_in_parquet(
    prepare_csv: PrepareCsv, workspace: Path, tmp_path: Path
) -> None:
    items = tmp_path / "items.parquet"
    pl.DataFrame({"id": ["tea", "jam"], "availability": [True, False]}).write_parquet(items)
    prepare_csv(
        HEADER + PURCHASES,
        f"data.items={items}",
        "data.availability={true: in_stock, false: out_of_stock}",
    )
    found = Tables.open(workspace / "tables").items.collect()["availability"].to_list()
    assert found == ["in_stock", "out_of_stock"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.event_types={view: look}"], r"data\.event_types\.view: Input should be .*'view_item'"),
        (
            ["data.event_types={View: view_item, view: ignore}"],
            "'view' is mapped to both view_item and ignore",
        ),
        (
            ["data.event_type=purchase", "data.event_types={view: ignore}"],
            "data.event_type=purchase is the type",
        ),
        (["data.reader=taobao", "data.event_types={pv: ignore}"], "taobao does not use data.event_types"),
        (["data.availability={sold: gone}"], r"data\.availability\.sold: Input should be 'in_stock'"),
    ],
)
def test_mappings_that_cannot_be_meant(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=["data.events=e.csv", *overrides])


QUANTITIES = (
    "event_type,timestamp,user_id,item_id,quantity\npurchase,2024-05-01,ann,tea,3\n"
    "purchase,2024-05-02,ann,tea,-2\nrefund,2024-05-03,ann,tea,-1\nadd_to_cart,2024-05-04,ann,tea,-1\n"
)


def test_a_negative_quantity_is_a_refund_where_the_shop_says_so(
    prepare_csv: PrepareCsv, workspace: Path
) -> None:
    report = prepare_csv(QUANTITIES, "data.negative_quantity=refund")
    events = Tables.open(workspace / "tables").events.collect()
    assert events.select("event_type", "quantity").cast({"quantity": pl.Int64}).rows() == [
        ("purchase", 3),
        ("refund", 2),
        ("refund", 1),
    ]
    assert list(report.rejected.values()) == [1]


def test_else_a_negative_quantity_is_rejected_and_the_setting_is_named(prepare_csv: PrepareCsv) -> None:
    (reason,) = prepare_csv(QUANTITIES + "purchase,2024-05-05,ann,tea,1\n").rejected
    assert "data.negative_quantity=refund" in reason
