"""Google Analytics 4's export to BigQuery: nested items, event parameters and automatic events."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from configs.exceptions import DataError
from configs.schema import Config
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare

MakeConfig = Callable[..., Config]
START = datetime(2024, 5, 1, tzinfo=UTC)


def event(name: str, second: int, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A row as the export writes it: whole numbers in JSON are text there."""
    return {
        "event_date": "20240501",
        "event_timestamp": str(int(START.timestamp() * 1e6) + second * 1_000_000),
        "event_name": name,
        "event_params": [
            {"key": "page_title", "value": {"string_value": "Shop"}},
            {"key": "ga_session_id", "value": {"int_value": "17"}},
            {"key": "currency", "value": {"string_value": "EUR"}},
            {"key": "source", "value": {"string_value": "newsletter"}},
            {"key": "medium", "value": {"string_value": "(not set)"}},
        ],
        "user_pseudo_id": "24.17",
        "platform": "WEB",
        "device": {"category": "mobile", "language": "en"},
        "geo": {"country": "Austria", "city": "Graz"},
        "items": list(items),
    } | fields


def item(name: str, **fields: Any) -> dict[str, Any]:
    return {"item_id": name, "item_name": name.title(), "item_brand": "(not set)", "price": 2.5} | fields


TEA = item("tea", item_category="Drinks", item_category2="Tea", quantity="2", item_brand="Leaf")
JAM = item("jam", item_category="Food", item_category2="(not set)", price=4, quantity="1")
ORDER = {"transaction_id": "R1", "purchase_revenue": 9.0}
EVENTS = [
    event("session_start", 0),
    event("page_view", 1),
    event("scroll", 2),
    event("view_item", 3, TEA),
    event("view_item_list", 4, TEA, JAM),
    event("purchase", 5, TEA, JAM, ecommerce=ORDER, user_id="ann"),
    event("purchase", 9, TEA, JAM, ecommerce=ORDER, user_id="ann"),
    event("view_search_results", 10, event_params=[{"key": "search_term", "value": {"string_value": "tea"}}]),
    event("view_item", 11, TEA, user_pseudo_id=None),
    event("newsletter", 12),
    event("view_item", 13, item("(not set)")),
]


@pytest.fixture
def prepare_ga4(tmp_path: Path, make_config: MakeConfig, now: datetime) -> Callable[..., Report]:
    def run(events: list[dict[str, Any]], *overrides: str) -> Report:
        path = tmp_path / "events-000000000000"
        path.write_text("".join(json.dumps(row) + "\n" for row in events), encoding="utf-8")
        return prepare(make_config(path, *overrides, reader="ga4"), now=now)

    return run


def test_an_event_is_a_row_for_each_of_its_items(prepare_ga4: Callable[..., Report], workspace: Path) -> None:
    prepare_ga4(EVENTS)
    events = Tables.open(workspace / "tables").events.collect()
    columns = (
        "event_type",
        "user_id",
        "visitor_id",
        "item_id",
        "quantity",
        "price",
        "transaction_id",
        "line",
    )
    assert events.select(columns).cast({"quantity": pl.Int64}).rows() == [
        ("page_view", None, "24.17", None, None, None, None, 0),
        ("view_item", None, "24.17", "tea", 2, 2.5, None, 0),
        ("view_item_list", None, "24.17", "tea", 2, 2.5, None, 0),
        ("view_item_list", None, "24.17", "jam", 1, 4.0, None, 0),
        ("purchase", "ann", "24.17", "tea", 2, 2.5, "R1", 0),
        ("purchase", "ann", "24.17", "jam", 1, 4.0, "R1", 1),
        ("search", None, "24.17", None, None, None, None, 0),
    ]
    first = events.row(0, named=True)
    assert first["timestamp"] == START.replace(second=1)
    assert [first[name] for name in ("session_id", "currency", "channel", "device", "country")] == [
        "24.17.17",
        "EUR",
        "web",
        "mobile",
        "Austria",
    ]
    assert events["search_term"].to_list()[-1] == "tea"
    assert (first["source"], first["medium"]) == ("newsletter", None)


def test_automatic_events_and_repeated_purchases_are_counted_and_the_shops_own_are_named(
    prepare_ga4: Callable[..., Report],
) -> None:
    report = prepare_ga4(EVENTS)
    assert report.dropped == {
        "event type 'session_start', which is ignored": 1,
        "event type 'scroll', which is ignored": 1,
        "no user_id and no user_pseudo_id (cookies refused)": 1,
        "duplicate event": 2,
    }
    remedy = "map it in data.event_types to one of ours or ignore"
    assert report.rejected == {
        f"events: event_type 'newsletter' is not known: {remedy}": 1,
        "events: item_id is missing": 1,
    }
    assert prepare_ga4(EVENTS, "data.event_types={newsletter: contact}").event_types["contact"] == 1


def test_the_items_are_the_catalogue_where_there_is_no_other(
    prepare_ga4: Callable[..., Report], workspace: Path, tmp_path: Path
) -> None:
    prepare_ga4(EVENTS)
    tables = Tables.open(workspace / "tables")
    columns = ("id", "title", "brand", "product_type", "price", "currency")
    assert tables.items.select(columns).collect().rows() == [
        ("tea", "Tea", "Leaf", "Drinks > Tea", 2.5, "EUR"),
        ("jam", "Jam", None, "Food", 4.0, "EUR"),
    ]
    assert tables.manifest["items_from_events"] == ["id", "price"]
    (tmp_path / "items.csv").write_text("sku,title\ntea,Green tea\n", encoding="utf-8")
    prepare_ga4(EVENTS, f"data.items={tmp_path / 'items.csv'}", "data.item_columns={id: sku}")
    tables = Tables.open(workspace / "tables")
    assert tables.items.collect()["title"].to_list() == ["Green tea"]
    assert tables.manifest["items_from_events"] == []


def test_parquet_files_say_the_same(
    prepare_ga4: Callable[..., Report],
    workspace: Path,
    tmp_path: Path,
    make_config: MakeConfig,
    now: datetime,
) -> None:
    prepare_ga4(EVENTS)
    expected = Tables.open(workspace / "tables").events.collect()
    text = tmp_path / "events-000000000000"
    typed = pl.read_ndjson(text, infer_schema_length=None).with_columns(
        pl.col("event_timestamp").cast(pl.Int64)
    )
    typed.head(5).write_parquet(tmp_path / "a.parquet")
    typed.tail(-5).write_parquet(tmp_path / "b.parquet")
    prepare(make_config(tmp_path / "*.parquet", reader="ga4"), now=now)
    assert Tables.open(workspace / "tables").events.collect().equals(expected)


def test_what_is_no_export_is_an_error_that_says_so(
    prepare_ga4: Callable[..., Report], tmp_path: Path, make_config: MakeConfig, now: datetime
) -> None:
    with pytest.raises(DataError, match=r"no column 'items'.*columns found are: event_name.*table events_\*"):
        prepare_ga4([{"event_name": "purchase", "event_timestamp": "1", "user_pseudo_id": "a"}])
    with pytest.raises(DataError, match=r"nested columns are not those of Google Analytics' export"):
        prepare_ga4([event("purchase", 0) | {"items": "tea"}])
    with pytest.raises(DataError, match=r"needs the path of the events: set data\.events"):
        prepare(make_config(tmp_path, "data.events=null", reader="ga4"), now=now)
