"""What tables say of each customer: hand-made shops whose answers are plain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from customer_shop import customers, day, tables
from odd_shop import Row, bought

from configs.exceptions import ConfigError, DataError
from configs.load import load_config
from features.customers.compute import Customers
from features.customers.profile_columns import COLUMNS

ITEMS = [
    {"id": f"i{number}", "product_type": f"Food > {kind} > Sort {number}", "brand": brand}
    for number, (kind, brand) in enumerate([("Dairy", "Alma"), ("Dairy", "Beta"), ("Bread", "Alma")])
]


def ann() -> list[dict[str, object]]:
    """Ann buys on days 0, 10 and 30; on day 0 two lines of one order, on day 30 with a coupon, and brings i1
    back."""
    more = {"channel": "app", "device": "phone", "source": "google"}
    return [
        bought("ann", "i0", day=0, price=2, quantity=3, transaction_id="o1", **more),
        bought("ann", "i1", day=0, price=4, transaction_id="o1", **more),
        bought("ann", "i0", day=10.3, price=2, transaction_id="o2", channel="web", source="mail"),
        bought("ann", "i0", day=30, price=1, transaction_id="o3", coupon="X", **more),
        {**bought("ann", "i1", day=31, price=4), "event_type": "refund"},
        {**bought("ann", "i2", day=31), "event_type": "view_item", "source": "mail"},
        {**bought("looker", "i2", day=31), "event_type": "view_item"},
        bought("ben", "i2", day=40, price=5),
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Customers:
    return customers(
        tables(tmp_path_factory.mktemp("ann"), ann(), items=ITEMS),
        levels={"basic": 0, "silver": 9},
        tags={"app_user": "channel = 'app' and orders >= 3"},
    )


def row(found: Customers, user: str) -> dict[str, Any]:
    return found.profiles.row(found.profiles["user_id"].to_list().index(user), named=True)


def test_a_profile_holds_what_its_columns_say(shop: Customers) -> None:
    assert shop.profiles.columns == [*COLUMNS, "tag_app_user"]
    found = row(shop, "ann")
    expected = {
        "first_order": day(0),
        "last_order": day(30),
        "last_seen": day(31),
        "orders": 3,
        "order_days": 3,
        "lines": 4,
        "units": 6.0,
        "products": 2,
        "categories": 1,
        "views": 1,
        "cycle_days": 15.0,
        "bought": 13.0,
        "refunded": 4.0,
        "spent": 9.0,
        "average_order": 4.3333,
        "refund_share": 0.3077,
        "discount_share": 0.25,
        "favourite_category": "Food > Dairy",
        "favourite_brand": "Alma",
        "favourite_brands": "Alma; Beta",
        "channel": "app",
        "device": "phone",
        "hour": 12,
        "evening_share": 0.3333,
        "points": 9.0,
        "level": "silver",
        "level_at_risk": False,
        "points_to_next": None,
        "tag_app_user": True,
        "life_stage": "active",
        "may_export": True,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["days_since_order"] == pytest.approx(10, abs=1e-3)


def test_whoever_looked_and_never_bought_is_no_buyer(shop: Customers) -> None:
    found = row(shop, "looker")
    assert (found["life_stage"], found["orders"], found["rfm"], found["value_tier"]) == (
        "no order",
        0,
        None,
        None,
    )
    assert found["tag_app_user"] is False
    assert row(shop, "ben")["life_stage"] == "new"


def test_days_and_hours_are_those_of_the_shops_clock(tmp_path: Path) -> None:
    rows = [bought("ann", "i0", day=0.45, price=1), bought("ann", "i0", day=1, price=1)]  # 22:48 UTC
    found = row(customers(tables(tmp_path, rows), time_zone="Asia/Tokyo"), "ann")
    assert (found["order_days"], found["hour"], found["evening_share"]) == (1, 7, 0.5)


def test_a_price_band_is_the_third_of_its_category(tmp_path: Path) -> None:
    items = [{"id": f"i{number}", "product_type": "A" if number < 6 else "B"} for number in range(12)]
    rows = [bought("all", f"i{number}", price=10 * (number % 6) + 1 + number) for number in range(12)]
    rows += [bought("dear", "i5", price=56), bought("dear", "i11", price=62), bought("cheap", "i6", price=7)]
    found = customers(tables(tmp_path, rows, items=items))
    assert [row(found, user)["price_band"] for user in ("dear", "cheap")] == ["high", "low"]
    assert row(found, "dear")["price_level"] == pytest.approx(11 / 12, abs=1e-3)
    assert row(found, "all")["price_level"] == pytest.approx(0.5)


def test_a_condition_may_compare_with_a_day(tmp_path: Path) -> None:
    tags = {"early": "first_order < '2024-01-05' and last_order >= '2024-01-31'", "grouped": '"group" > 0'}
    found = customers(tables(tmp_path, ann(), items=ITEMS), tags=tags)
    assert [row(found, user)["tag_early"] for user in ("ann", "ben", "looker")] == [True, False, False]
    assert not found.profiles["tag_grouped"].any(), "what is missing is not above 0"


def test_nothing_after_the_moment_is_seen(tmp_path: Path) -> None:
    found = customers(tables(tmp_path, ann(), items=ITEMS), as_of=day(20))
    assert row(found, "ann")["orders"] == 2
    assert found.profiles.height == 1
    assert row(found, "ann")["days_since_order"] == pytest.approx(9.7)


def test_a_shop_with_only_refunds_has_customers_without_an_order(tmp_path: Path) -> None:
    rows = [
        {**bought(f"u{number}", item, price=1), "event_type": "refund"}
        for number in range(12)
        for item in ("i0", "i1")
    ]
    found = customers(tables(tmp_path, rows))
    assert set(found.profiles["life_stage"]) == {"no order"}
    assert set(found.profiles["refund_share"]) == {1.0}
    assert set(found.profiles["spent"]) == {-2.0}
    assert (
        found.profiles.select("rfm", "value_tier", "group", "average_order").null_count().row(0) == (12,) * 4
    )
    assert "No purchase" in found.remarks[0]
    assert found.segments.table["name"].to_list() == ["everybody", "no order"]
    assert "life stage: loyal" in found.segments.empty


def test_a_shop_without_prices_has_all_but_money(tmp_path: Path) -> None:
    rows = [bought(f"u{number}", f"i{visit}", day=visit * 5) for number in range(12) for visit in range(3)]
    found = customers(tables(tmp_path, rows), levels={"basic": 0})
    money = ["spent", "value_tier", "points", "level", "monetary_score", "price_band", "average_order"]
    assert found.profiles.select(money).null_count().row(0) == (12,) * len(money)
    assert set(found.profiles["rfm"]) == {"11-"}
    assert "No price" in found.remarks[0]
    assert found.segments.table.row(0, named=True)["revenue"] is None
    assert found.segments.table.filter(found.segments.table["kind"] == "value tier").is_empty()


def test_a_missing_price_is_the_catalogues(tmp_path: Path) -> None:
    rows = [bought("ann", "i0", price=2), bought("ann", "i1", day=1), bought("ann", "i2", day=2)]
    items: list[Row] = [{"id": "i0"}, {"id": "i1", "price": 7}, {"id": "i2"}]
    found = customers(tables(tmp_path, rows, items=items))
    assert row(found, "ann")["spent"] == 9
    assert [remark.split()[0] for remark in found.remarks[:2]] == ["1", "1"]


def test_what_cannot_be_computed_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    found = tables(tmp_path, ann())
    with pytest.raises(DataError, match="no event before 2023"):
        customers(found, as_of=day(-20))
    with pytest.raises(ConfigError, match=r"customers\.tags\.x: 'spend > 2' names the column 'spend'"):
        customers(found, tags={"x": "spend > 2"})
    with pytest.raises(ConfigError, match="lapsed_cycles=2 is not above"):
        customers(found, lapsed_cycles=2)
    with pytest.raises(ConfigError, match=r"customers\.time_zone.*is no time zone"):
        load_config(overrides=["customers.time_zone=Mars"])


def test_data_without_times_has_no_life_stages(tmp_path: Path) -> None:
    rows = [{**bought("ann", "i0"), "timestamp": ""}, {**bought("ann", "i1"), "timestamp": ""}]
    ordinal = tables(tmp_path, rows, "data.clock=ordinal", "split.kind=leave_one_out")
    with pytest.raises(DataError, match="has no times"):
        customers(ordinal)
