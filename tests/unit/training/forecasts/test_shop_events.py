"""From prepared tables to what forecasts read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import polars as pl
from forecast_shop import DAY
from odd_shop import NOW, START, Row, bought, settings

from features.ingest.tables import Tables
from features.prepare import prepare
from training.forecasts.customers import COLUMNS, customers_as_of
from training.forecasts.shop_events import ShopEvents, read_shop_events

ITEMS = [{"id": f"i{number}", "title": "x", "product_type": f"Food > c{number % 3}"} for number in range(6)]


def read(folder: Path, events: Iterable[Row]) -> ShopEvents:
    config = settings(folder, events, "prepare.min_window_users=0", items=ITEMS)
    prepare(config, now=NOW)
    return read_shop_events(Tables.open(config.workspace / "tables"), config.customers)


def looked(user: str, item: str, day: float, kind: str = "view_item") -> dict[str, object]:
    return bought(user, item, day=day) | {"event_type": kind}


def test_lines_say_what_was_known_when_they_were_bought(tmp_path: Path) -> None:
    rows = [
        bought("a", "i0", day=1, price=10, quantity=2),
        bought("b", "i0", day=2, price=9.4),  # 6 % below the highest so far
        bought("b", "i3", day=2.001, price=5),  # another item of the category
        bought("a", "i0", day=3, price=20),
        bought("b", "i0", day=4, price=10),  # half of the highest so far
        bought("b", "nowhere", day=5),
        looked("b", "i0", 6, "refund"),
        looked("a", "i1", 7),
        looked("a", "i1", 7, "add_to_cart"),
        looked("window shopper", "i1", 9),
    ]
    events = read(tmp_path, rows)
    lines = events.lines.join(events.users, on="user").sort("time", "user_id")
    assert lines["user_id"].to_list() == ["a", "b", "b", "a", "b", "b", "b"]
    assert lines["value"].to_list() == [20, 9.4, 5, 20, 10, None, None]
    assert lines["discounted"].to_list() == [False, True, False, False, True, False, False]
    assert lines["new_item"].to_list() == [True, True, True, False, False, True, False]
    assert lines["new_category"].to_list() == [True, True, False, False, False, False, False]
    assert lines["is_refund"].to_list() == [False] * 6 + [True]
    names = lines.join(events.categories, on="category", how="left")["name"].to_list()
    assert names == ["Food > c0"] * 5 + [None, "Food > c0"]
    assert events.users["user_id"].to_list() == ["a", "b"]
    assert events.visits["is_view"].to_list() == [True, False]
    assert events.has_prices
    assert events.span_days == 8 + 1 / DAY


def test_rows_that_are_added_later_change_no_column_of_before(tmp_path: Path) -> None:
    rows = [
        bought(f"u{user}", f"i{(user + visit) % 6}", day=7 * visit + user / 9, price=10 - visit % 3)
        for user in range(12)
        for visit in range(4)
    ]
    rows += [looked(f"u{user}", "i2", 20 + user / 4) for user in range(12)]
    later = [bought(f"u{user}", "i5", day=30 + user / 5, price=99) for user in range(3, 20)]
    later += [looked("u1", "i0", 30, "refund"), looked("u2", "i2", 31), bought("u0", "new", day=30.5)]
    as_of = int((START + timedelta(days=30)).timestamp() * 1_000_000)
    frames = []
    for number, found in enumerate((rows, [*later, *rows])):
        events = read(tmp_path / str(number), found)
        frame = customers_as_of(events, as_of).frame.join(events.users, on="user").sort("user_id")
        frames.append(frame.select("user_id", pl.col(COLUMNS)))
    assert len(frames[0]) == 12
    changed = [name for name in frames[0].columns if not frames[1][name].equals(frames[0][name])]
    assert changed == []
