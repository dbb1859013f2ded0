"""WooCommerce's orders, as two plugins export them."""

from __future__ import annotations

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

MakeConfig = Callable[..., Config]

ONE_ROW_PER_ITEM = """\
order_id,order_number,order_date,status,shipping_total,order_total,order_currency,customer_id,billing_email,\
billing_country,item_id,item_product_id,item_name,item_sku,item_quantity,item_subtotal,item_total,item_refunded,\
item_refunded_qty,item_meta
501,501,2024-05-01 12:00:00,completed,5,42,EUR,7,Ann@Example.com,AT,1,90,Shirt,SH,2,37.00,37.00,0.00,0,size=M
501,501,2024-05-01 12:00:00,completed,5,42,EUR,7,Ann@Example.com,AT,2,91,Mug,,1,10.00,9.00,0.00,0,
502,502,2024-05-02 12:00:00,processing,0,30.00,EUR,0,bob@example.com,DE,3,91,Mug,,3,30.00,30.00,10.00,-1,
502,502,2024-05-02 12:00:00,processing,0,30.00,EUR,0,bob@example.com,DE,4,90,Shirt,SH,1,18.50,18.50,18.50,-1,
503,503,2024-05-03 12:00:00,cancelled,0,10.00,EUR,0,bob@example.com,DE,5,91,Mug,,1,10.00,10.00,0.00,0,
504,504,2024-05-04 12:00:00,shipped,0,10.00,EUR,0,bob@example.com,DE,6,91,Mug,,1,10.00,10.00,0.00,0,
505,505,2024-05-05 12:00:00,completed,0,10.00,EUR,0,,DE,7,91,Mug,,1,10.00,10.00,0.00,0,
"""
ADVANCED = """\
"Order Number","Order Status","Order Date","First Name (Billing)","Country Code (Billing)","Email (Billing)",\
"Order Total Amount",SKU,"Item #","Item Name","Quantity (- Refund)","Item Cost","Coupon Code"
501,Completed,"2024-05-01 12:00",Ann,AT,Ann@Example.com,"47,00",SH,1,Shirt,2,"18,50",WELCOME
,,,,,,,,2,Mug,1,9,
502,Processing,"2024-05-02 12:00",Bob,DE,bob@example.com,"20,00",,1,Mug,2,10,
,,,,,,,SH,2,Shirt,0,"18,50",
503,Cancelled,"2024-05-03 12:00",Bob,DE,bob@example.com,"10,00",,1,Mug,1,10,
504,On hold,"2024-05-04 12:00",Bob,DE,bob@example.com,"10,00",,1,Mug,1,10,
"""


@pytest.fixture
def prepare_shop(tmp_path: Path, make_config: MakeConfig, now: datetime) -> Callable[..., Report]:
    def run(orders: str, *overrides: str) -> Report:
        path = tmp_path / "orders.csv"
        path.write_text(orders, encoding="utf-8")
        return prepare(make_config(path, *overrides, reader="woocommerce"), now=now)

    return run


def events_in(workspace: Path) -> list[tuple[object, ...]]:
    columns = ("event_type", "user_id", "item_id", "quantity", "price", "transaction_id", "line", "country")
    events = Tables.open(workspace / "tables").events.collect()
    return events.select(columns).cast({"quantity": pl.Int64}).rows()


def test_one_row_per_item(prepare_shop: Callable[..., Report], workspace: Path) -> None:
    report = prepare_shop(ONE_ROW_PER_ITEM)
    assert events_in(workspace) == [
        ("purchase", "ann@example.com", "SH", 2, 18.5, "501", 0, "AT"),
        ("purchase", "ann@example.com", "91", 1, 9.0, "501", 1, "AT"),
        ("purchase", "bob@example.com", "91", 2, 10.0, "502", 0, "DE"),
    ]
    assert report.dropped == {
        "event type 'cancelled', which is ignored": 1,
        "line that was refunded in full": 1,
        "order without an e-mail address": 1,
    }
    assert report.rejected == {
        "events: event_type 'shipped' is not known: map it in data.event_types to one of ours or ignore": 1
    }
    tables = Tables.open(workspace / "tables")
    assert tables.events.collect()["timestamp"][0] == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert tables.events.collect()["currency"].unique().to_list() == ["EUR"]


def test_advanced_order_export_with_a_decimal_comma_and_orders_on_their_first_row_alone(
    prepare_shop: Callable[..., Report], workspace: Path
) -> None:
    report = prepare_shop(ADVANCED, "data.decimal=','")
    assert events_in(workspace) == [
        ("purchase", "ann@example.com", "SH", 2, 18.5, "501", 0, "AT"),
        ("purchase", "ann@example.com", "Mug", 1, 9.0, "501", 1, "AT"),
        ("purchase", "bob@example.com", "Mug", 2, 10.0, "502", 0, "DE"),
        ("purchase", "bob@example.com", "Mug", 1, 10.0, "504", 0, "DE"),
    ]
    assert report.rejected == {}


def test_a_shops_own_status_and_a_catalogue_beside_the_orders(
    prepare_shop: Callable[..., Report], workspace: Path, tmp_path: Path
) -> None:
    products = tmp_path / "wc-product-export.csv"
    products.write_text(
        "ID,SKU,Name,In stock?,Regular price,Categories\n"
        "90,SH,Shirt,1,18.5,Clothing > Shirts\n91,91,Mug,0,10,Kitchen\n",
        encoding="utf-8",
    )
    report = prepare_shop(
        ONE_ROW_PER_ITEM,
        "data.event_types={shipped: purchase}",
        f"data.items={products}",
        "data.item_columns={id: SKU, title: Name, availability: 'In stock?', price: Regular price, "
        "product_type: Categories}",
        "data.availability={1: in_stock, 0: out_of_stock}",
    )
    assert report.num_events == 4
    assert report.events_without_catalogue == 0
    items = Tables.open(workspace / "tables").items.select("id", "title", "availability").collect()
    assert items.rows() == [("SH", "Shirt", "in_stock"), ("91", "Mug", "out_of_stock")]


def test_an_export_of_whole_orders_is_an_error(prepare_shop: Callable[..., Report]) -> None:
    with pytest.raises(DataError, match=r"no column 'item_name' or 'Item Name'"):
        prepare_shop("order_id,order_date,status,billing_email,line_items\n1,2024-05-01,completed,a@b.c,x\n")
