"""UCI Online Retail: cancellations become refunds, and rows that are no sale of a product are dropped."""

from __future__ import annotations

import re
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

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
ROWS = """\
536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850.0,United Kingdom
536365,85123a,WHITE HEART,1,12/1/2010 8:26,2.75,17850.0,United Kingdom
536365,71053,"LANTERN, WHITE",6,12/1/2010 8:26,3.39,17850.0,United Kingdom
C536379,85123A,heart,-6,12/13/2010 9:41,2.55,17850.0,France
536414,22139,,56,12/1/2010 11:52,0,,United Kingdom
536415,POST,POSTAGE,1,12/1/2010 12:52,18,12345,EIRE
C536416,D,Discount,-1,12/1/2010 12:52,27.5,12345,EIRE
536417,m,Manual,1,12/1/2010 12:52,1,12345,EIRE
536418,BANK CHARGES,Bank Charges,1,12/1/2010 12:52,15,12345,EIRE
536419,71053,LANTERN,1,12/1/2010 12:52,0,12345,EIRE
536420,71053,damaged,-3,12/1/2010 12:52,3,12345,EIRE
536421,71053,LANTERN,some,12/1/2010 12:52,3,12345,EIRE
536422,71053,LANTERN,1,12/1/2010 12:52,cheap,12345,EIRE
536423,71053,LANTERN,1,yesterday,3,12345,EIRE
536424,71053,LANTERN
"""


@pytest.fixture
def prepare_retail(tmp_path: Path, make_config: MakeConfig, now: datetime) -> Callable[..., Report]:
    def run(name: str, content: bytes) -> Report:
        path = tmp_path / name
        path.write_bytes(content)
        return prepare(make_config(path, reader="online_retail"), now=now)

    return run


def as_csv(header: str = HEADER) -> bytes:
    return f"{header}\n{ROWS}".encode()


def test_invoices_are_baskets_and_cancellations_are_refunds_with_a_positive_quantity(
    prepare_retail: Callable[..., Report], workspace: Path
) -> None:
    prepare_retail("online.csv", as_csv())
    tables = Tables.open(workspace / "tables")
    columns = (
        "event_id",
        "line",
        "event_type",
        "user_id",
        "item_id",
        "quantity",
        "price",
        "currency",
        "country",
    )
    assert tables.events.select(columns).collect().rows() == [
        ("536365", 0, "purchase", "17850", "85123A", 6, 2.55, "GBP", "United Kingdom"),
        ("536365", 1, "purchase", "17850", "85123A", 1, 2.75, "GBP", "United Kingdom"),
        ("536365", 2, "purchase", "17850", "71053", 6, 3.39, "GBP", "United Kingdom"),
        ("C536379", 0, "refund", "17850", "85123A", 6, 2.55, "GBP", "France"),
    ]
    times = tables.events.select("timestamp", "transaction_id").collect().rows()
    assert times[0] == (datetime(2010, 12, 1, 8, 26, tzinfo=UTC), "536365")
    assert times[3] == (datetime(2010, 12, 13, 9, 41, tzinfo=UTC), "C536379")
    assert tables.users.select("user_id", "attributes").collect().rows() == [
        ("17850", '{"country":"France"}'),
        ("12345", '{"country":"EIRE"}'),
    ]


def test_a_quarter_without_a_customer_is_left_out_on_purpose_and_rubbish_is_rejected(
    prepare_retail: Callable[..., Report], workspace: Path
) -> None:
    report = prepare_retail("online.csv", as_csv())
    assert report.rows["events"] == 15
    assert report.dropped == {
        "no customer": 1,
        "no product (postage, fees, discounts, manual entries)": 4,
        "no price (gifts and corrections)": 1,
        "no quantity sold (stock corrections)": 1,
    }
    rejected = (
        Tables.open(workspace / "tables").rejected.sort("line").select("line", "reason").collect().rows()
    )
    assert rejected == [
        (13, "quantity is not a whole number"),
        (14, "price is not a number"),
        (15, "timestamp is not understood"),
        (16, "too few fields"),
    ]


def test_quantities_as_pandas_writes_them_beside_a_gap(prepare_retail: Callable[..., Report]) -> None:
    sold = re.sub(rb",(-?\d+),(\d+/)", rb",\1.0,\2", as_csv())
    assert sold != as_csv()
    assert prepare_retail("online.csv", sold).num_events == prepare_retail("plain.csv", as_csv()).num_events


def test_rows_left_out_on_purpose_do_not_count_as_rejected(
    tmp_path: Path, make_config: MakeConfig, now: datetime
) -> None:
    path = tmp_path / "online.csv"
    anonymous = "536414,22139,RETROSPOT,56,2010-12-01 11:52:00,1,,United Kingdom\n"
    path.write_text(
        HEADER + "\n" + "".join(ROWS.splitlines(keepends=True)[:2]) + 50 * anonymous, encoding="utf-8"
    )
    report = prepare(make_config(path, "prepare.max_rejected_share=0", reader="online_retail"), now=now)
    assert (report.num_events, report.dropped) == (2, {"no customer": 50})


def test_items_have_their_most_frequent_description_and_median_price(
    prepare_retail: Callable[..., Report], workspace: Path
) -> None:
    prepare_retail("online.csv", as_csv())
    items = (
        Tables.open(workspace / "tables")
        .items.select("id", "title", "price", "currency")
        .sort("id")
        .collect()
    )
    assert items.rows() == [("71053", "LANTERN, WHITE", 3.2, "GBP"), ("85123A", "WHITE HEART", 2.65, "GBP")]


def test_parquet_and_the_columns_of_the_second_edition_say_the_same(
    prepare_retail: Callable[..., Report], workspace: Path, tmp_path: Path
) -> None:
    prepare_retail("online.csv", as_csv())
    first = Tables.open(workspace / "tables").events.collect()
    second = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
    prepare_retail("second.csv", as_csv(second))
    assert Tables.open(workspace / "tables").events.collect().equals(first)
    frame = pl.DataFrame(
        [row.split(",") for row in ROWS.splitlines() if row.count(",") == 7],
        schema=HEADER.split(","),
        orient="row",
    ).head(3)
    typed = frame.with_columns(
        pl.col("Quantity").cast(pl.Int64),
        pl.col("UnitPrice", "CustomerID").cast(pl.Float64),
        pl.col("InvoiceDate").str.to_datetime("%m/%d/%Y %H:%M"),
    )
    typed.write_parquet(tmp_path / "online.parquet")
    prepare_retail("same.parquet", (tmp_path / "online.parquet").read_bytes())
    from_parquet = Tables.open(workspace / "tables").events.collect()
    assert from_parquet["user_id"].to_list() == 3 * ["17850"]
    assert from_parquet["timestamp"].to_list() == [
        datetime(2010, 12, day, hour, minute, tzinfo=UTC)
        for day, hour, minute in ((1, 8, 26), (1, 8, 26), (13, 9, 41))
    ]


def test_a_spreadsheet_and_another_file_are_errors_that_say_what_to_do(
    prepare_retail: Callable[..., Report],
) -> None:
    with pytest.raises(DataError, match=r"spreadsheet.*save the spreadsheet as CSV"):
        prepare_retail("Online Retail.xlsx", b"PK\x03\x04rest")
    with pytest.raises(DataError, match=r"no column 'InvoiceNo' or 'Invoice'.*columns found are: a, b"):
        prepare_retail("other.csv", b"a,b\n1,2\n")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        prepare_retail("broken.parquet", b"PAR1 and no more")
