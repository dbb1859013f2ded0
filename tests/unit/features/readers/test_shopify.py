"""Shopify's exports of orders and of products."""

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

ORDERS = """\
Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Total,Discount Code,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,Lineitem sku,Billing Name,\
Billing Country,Notes,Cancelled at,Refunded Amount,Vendor,Id,Source,Phone
#1001,Ann@Example.com,paid,2024-05-01 12:00:10 +0200,fulfilled,EUR,47.00,WELCOME,2024-05-01 12:00:00 +0200,2,\
Shirt - Red / M,18.50,,SH-R-M,Ann A,AT,"Leave it
at the door",,0.00,Loom,5001,web,'+4366000
#1001,Ann@Example.com,,,,,,,2024-05-01 12:00:00 +0200,1,Mug,10.00,,,,,,,,Clay,,,
#1002,bob@example.com,refunded,2024-05-02 10:00:00 +0200,,EUR,10.00,,2024-05-02 10:00:00 +0200,1,\
Mug,10.00,,,Bob,DE,,2024-05-03 09:00:00 +0200,10.00,Clay,5002,web,
#1003,bob@example.com,refunded,2024-05-04 10:00:00 +0200,,EUR,10.00,,2024-05-04 10:00:00 +0200,1,\
Mug,10.00,,,Bob,DE,,,10.00,Clay,5003,web,
#1004,ann@example.com,voided,,,EUR,10.00,,2024-05-05 10:00:00 +0200,1,\
Mug,10.00,,,Ann A,AT,,2024-05-05 11:00:00 +0200,0.00,Clay,5004,web,
#1005,,paid,2024-05-06 10:00:00 +0200,,EUR,10.00,,2024-05-06 10:00:00 +0200,1,\
Mug,10.00,,,,,,,0.00,Clay,5005,pos,
#1006,ann@example.com,partially_refunded,2024-05-07 10:00:00 +0200,,EUR,18.50,,2024-05-07 10:00:00 +0200,1,\
Shirt - Red / M,18.50,,SH-R-M,Ann A,AT,,,5.00,Loom,5006,web,
"""

PRODUCTS = """\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,\
Option2 Value,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,\
Variant Price,Variant Compare At Price,Image Src,Image Position,Variant Image,Cost per item,Status
shirt,Shirt,"<p>Soft,<br>red</p>",Loom,Apparel & Accessories > Clothing,Shirts,,TRUE,Color,Red,Size,M,SH-R-M,\
shopify,3,deny,18.50,25.00,https://cdn/1.jpg,1,https://cdn/red.jpg,7.20,active
shirt,,,,,,,,,Blue,,L,SH-B-L,shopify,0,deny,19.50,,https://cdn/2.jpg,2,,,
shirt,,,,,,,,,,,,,,,,,,https://cdn/3.jpg,3,,,
mug,Mug,,Clay,,Kitchen,,TRUE,Title,Default Title,,,,,,continue,10.00,,,,,,active
vase,Vase,,Clay,,Kitchen,,FALSE,Title,Default Title,,,VA,,,deny,30.00,,,,,,draft
"""
NEW_NAMES = {
    "Handle": "URL handle",
    "Body (HTML)": "Description",
    "Product Category": "Product category",
    "Published": "Published on online store",
    "Option1 Value": "Option1 value",
    "Option2 Value": "Option2 value",
    "Variant SKU": "SKU",
    "Variant Inventory Tracker": "Inventory tracker",
    "Variant Inventory Qty": "Inventory quantity",
    "Variant Inventory Policy": "Continue selling when out of stock",
    "Variant Price": "Price",
    "Image Src": "Product image URL",
    "Variant Image": "Variant image URL",
}


@pytest.fixture
def prepare_shop(tmp_path: Path, make_config: MakeConfig, now: datetime) -> Callable[..., Report]:
    def run(orders: str = ORDERS, products: str | None = None, *overrides: str) -> Report:
        path = tmp_path / "orders_export_1.csv"
        path.write_text(orders, encoding="utf-8")
        more = list(overrides)
        if products is not None:
            (tmp_path / "products_export.csv").write_text(products, encoding="utf-8")
            more.append(f"data.items={tmp_path / 'products_export.csv'}")
        return prepare(make_config(path, *more, reader="shopify"), now=now)

    return run


def test_later_lines_of_an_order_have_its_customer_time_and_status(
    prepare_shop: Callable[..., Report], workspace: Path
) -> None:
    prepare_shop()
    events = Tables.open(workspace / "tables").events.collect()
    columns = ("event_type", "user_id", "item_id", "quantity", "price", "currency", "transaction_id", "line")
    assert events.select(columns).cast({"quantity": pl.Int64}).rows() == [
        ("purchase", "ann@example.com", "SH-R-M", 2, 18.5, "EUR", "#1001", 0),
        ("purchase", "ann@example.com", "Mug", 1, 10.0, "EUR", "#1001", 1),
        ("purchase", "bob@example.com", "Mug", 1, 10.0, "EUR", "#1002", 0),
        ("refund", "bob@example.com", "Mug", 1, 10.0, "EUR", "#1002", 0),
        ("purchase", "ann@example.com", "SH-R-M", 1, 18.5, "EUR", "#1006", 0),
    ]
    assert events["timestamp"].to_list()[:4] == [
        datetime(2024, 5, 1, 10, tzinfo=UTC),
        datetime(2024, 5, 1, 10, tzinfo=UTC),
        datetime(2024, 5, 2, 8, tzinfo=UTC),
        datetime(2024, 5, 3, 7, tzinfo=UTC),
    ]
    assert events.row(1, named=True)["country"] == "AT"


def test_what_is_left_out_is_counted(prepare_shop: Callable[..., Report]) -> None:
    report = prepare_shop()
    assert report.dropped == {
        "event type 'refunded', which is ignored": 1,
        "event type 'voided', which is ignored": 1,
        "order without an e-mail address": 1,
    }
    assert report.rejected == {}
    assert report.remarks == [
        "1 orders were refunded in part; the export does not name the items: all count as bought"
    ]
    assert (
        "event type 'refunded', which is ignored"
        not in prepare_shop(ORDERS, None, "data.event_types={refunded: purchase}").dropped
    )


def test_an_order_that_two_exports_hold_counts_once(
    tmp_path: Path, make_config: MakeConfig, now: datetime
) -> None:
    (tmp_path / "orders_export_1.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "orders_export_2.csv").write_text(ORDERS, encoding="utf-8")
    report = prepare(make_config(tmp_path / "orders_export_*.csv", reader="shopify"), now=now)
    assert (report.num_events, report.dropped["duplicate event"]) == (5, 5)


@pytest.mark.parametrize("names", [{}, NEW_NAMES])
def test_a_variant_is_an_item_with_the_id_of_its_order_lines(
    prepare_shop: Callable[..., Report], workspace: Path, names: dict[str, str]
) -> None:
    header, _, rows = PRODUCTS.partition("\n")
    products = ",".join(names.get(name, name) for name in header.split(",")) + "\n" + rows
    report = prepare_shop(ORDERS, products)
    columns = ("id", "item_group_id", "title", "brand", "product_type", "price", "availability", "image_link")
    clothes = "Apparel & Accessories > Clothing > Shirts"
    assert Tables.open(workspace / "tables").items.select(columns).collect().rows() == [
        ("SH-R-M", "shirt", "Shirt - Red / M", "Loom", clothes, 18.5, "in_stock", "https://cdn/red.jpg"),
        ("SH-B-L", "shirt", "Shirt - Blue / L", "Loom", clothes, 19.5, "out_of_stock", "https://cdn/1.jpg"),
        ("Mug", "mug", "Mug", "Clay", "Kitchen", 10.0, "in_stock", None),
        ("VA", "vase", "Vase", "Clay", "Kitchen", 30.0, "out_of_stock", None),
    ]
    items = Tables.open(workspace / "tables").items.collect()
    assert items.select("description", "cost_of_goods_sold").row(0) == ("Soft, red", 7.2)
    assert report.events_without_catalogue == 0
    assert report.rows["items"] == 5
    assert report.rejected == {}


def test_without_products_the_orders_name_the_items(
    prepare_shop: Callable[..., Report], workspace: Path
) -> None:
    prepare_shop()
    tables = Tables.open(workspace / "tables")
    assert tables.items.select("id", "title", "brand", "price").collect().rows() == [
        ("SH-R-M", "Shirt - Red / M", "Loom", 18.5),
        ("Mug", "Mug", "Clay", 10.0),
    ]
    assert tables.manifest["items_from_events"] == ["id", "price"]


def test_another_file_is_an_error_that_names_the_column(prepare_shop: Callable[..., Report]) -> None:
    with pytest.raises(DataError, match=r"no column 'Lineitem quantity' with the quantity"):
        prepare_shop("Name,Email,Financial Status,Created at\n#1,a@b.c,paid,2024-05-01\n")
    with pytest.raises(DataError, match=r"no column 'Handle' or 'URL handle' with the handle"):
        prepare_shop(ORDERS, "id,Title\n1,Mug\n")
