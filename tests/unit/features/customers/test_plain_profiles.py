"""Profiles of a random shop against a plain count, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from customer_shop import customers, tables
from odd_shop import START, bought

CATEGORIES = ("Dairy", "Bread", "Fruit")
TYPES = ("purchase", "purchase", "purchase", "refund", "view_item")
Events = list[dict[str, Any]]


def random_rows(seed: int) -> Events:
    """400 events of 20 people; some have no order number, no device, no quantity."""
    generator = np.random.default_rng(seed)

    def one_of(*values: object) -> Any:
        return values[int(generator.integers(len(values)))]

    rows: Events = []
    for number in range(400):
        user, day = (
            int(generator.integers(20)),
            int(generator.integers(50)) + round(float(generator.random()), 3),
        )
        row = bought(
            f"u{user}", f"i{one_of(*range(9))}", day=day, price=one_of(1, 2.5, 4), event_id=f"e{number}"
        )
        rows.append(
            {
                **row,
                "day": day,
                "event_type": one_of(*TYPES),
                "quantity": one_of("", 2, 3),
                "transaction_id": one_of("", f"o{user}-{int(day)}"),
                "session_id": f"s{user}-{day}",
                "device": one_of("", "phone", "tablet"),
                "channel": one_of("app", "web"),
            }
        )
    return rows


def most(values: list[Any]) -> Any:
    """The most frequent one; of several the lowest."""
    counts = Counter(value for value in values if value != "")
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


def plain(rows: Events) -> Mapping[str, object]:
    """What a profile says of one person's rows."""
    purchases = [row for row in rows if row["event_type"] == "purchase"]
    worth = dict.fromkeys(TYPES, 0.0)
    for row in rows:
        worth[row["event_type"]] += row["price"] * (row["quantity"] or 1)
    orders: dict[str, Events] = {}
    for row in purchases:
        orders.setdefault(row["transaction_id"] or row["session_id"], []).append(row)
    return {
        "orders": len(orders),
        "order_days": len({(START + timedelta(days=row["day"])).date() for row in purchases}),
        "lines": len(purchases),
        "products": len({row["item_id"] for row in purchases}),
        "units": sum(row["quantity"] or 1 for row in purchases),
        "visits": len({row["session_id"] for row in rows}),
        "views": sum(row["event_type"] == "view_item" for row in rows),
        "spent": pytest.approx(worth["purchase"] - worth["refund"]),
        "refunded": pytest.approx(worth["refund"]),
        "channel": most([row["channel"] for row in purchases]),
        "device": most([row["device"] for row in rows]),
        "favourite_category": most([CATEGORIES[int(row["item_id"][1:]) % 3] for row in purchases]),
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_a_profile_is_what_a_plain_count_of_the_rows_says(tmp_path: Path, seed: int) -> None:
    rows = random_rows(seed)
    items = [{"id": f"i{number}", "product_type": CATEGORIES[number % 3]} for number in range(9)]
    written = [{name: value for name, value in row.items() if name != "day"} for row in rows]
    found = customers(tables(tmp_path, written, items=items)).profiles
    for row in found.iter_rows(named=True):
        expected = plain([one for one in rows if one["user_id"] == row["user_id"]])
        assert {name: row[name] for name in expected} == expected, row["user_id"]
    assert len(found) == 20
    assert found.select(pl.col("spent").sum()).item() > 0
