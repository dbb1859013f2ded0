"""UCI Online Retail (data set 352): a year of invoices of a British gift shop, with prices, countries and
cancellations.

Published as a spreadsheet; read here as parquet or CSV. The other column names of Online Retail II (data set
502) are known too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.data import DataConfig
from features.core.columns import ID
from features.core.ids import clean_ids
from features.readers.csv_rows import read_csv_rows
from features.readers.field_rows import named_columns, one_file, with_numbers
from features.readers.published_counts import Counts, compare_with_published
from features.readers.raw_table import FILE, ROW, RawTable, RawTables, no_rejected

_COLUMNS: Final = {
    "transaction_id": ("InvoiceNo", "Invoice"),
    "item_id": ("StockCode",),
    "description": ("Description",),
    "quantity": ("Quantity",),
    "timestamp": ("InvoiceDate",),
    "price": ("UnitPrice", "Price"),
    "user_id": ("CustomerID", "Customer ID"),
    "country": ("Country",),
}
_EVENT_COLUMNS: Final = (
    pl.col("transaction_id").alias("event_id"),
    *(
        "line",
        "event_type",
        "timestamp",
        "user_id",
        "item_id",
        "price",
        "quantity",
        "transaction_id",
        "country",
        FILE,
        ROW,
    ),
    pl.lit("GBP").alias("currency"),
)
_PRODUCT: Final = r"^(?:\d{5}|SP\d{4}|DCGS|GIFT_|PADS)"
"""How product codes begin. The other codes are postage (POST, DOT, C2), manual entries (M), discounts
(D), samples (S), fees (BANK CHARGES, AMAZONFEE, CRUK) and corrections (B)."""
_AMERICAN: Final = "%m/%d/%Y %H:%M"
"""Time format of the UCI's own CSV: 12/1/2010 8:26"""


def read_online_retail(data: DataConfig) -> RawTables:
    """Invoices as purchases and cancellations (numbers that begin with C) as refunds, both with a positive
    quantity.

    Dropped and counted: rows without a customer (a quarter), rows that are not a product, and rows without a
    price or a quantity (gifts and stock corrections). Equal rows of an invoice are kept, because the till
    recorded both. Codes are converted to upper case: 15056bl and 15056BL are one product. Local times are
    read as UTC.
    """
    path = one_file(data.events, reader=data.reader, table="events")
    rows, rejected = _read(path)
    remark = compare_with_published(data.reader, path, _counts(rows, num_rows=len(rows) + len(rejected)))
    rows = _tidy(rows)
    drop_reasons = rows.select(_drop_reason()).to_series()
    kept = rows.filter(drop_reasons.is_null())
    counts = drop_reasons.drop_nulls().value_counts(sort=True, name="count")
    times = rows["timestamp"]
    is_american = times.dtype == pl.String and times.str.contains("/", literal=True).any()
    events = RawTable(
        name="events",
        where=str(path),
        frame=kept.select(_EVENT_COLUMNS),
        rejected=rejected,
        names_in_file={our: names[0] for our, names in _COLUMNS.items()},
        timestamp_format=_AMERICAN if is_american else None,
        negative_quantity="refund",
        dropped=dict(counts.iter_rows()),
    )
    return RawTables(events=events, items=_items(path, rows), users=_users(path, kept), remarks=(remark,))


def _read(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows with our column names and numbers cast; rejected rows)"""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        try:
            found = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path}: cannot be read as parquet ({error}).") from None
        row = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)
        found, rejected = found.with_columns(pl.lit(path.name).alias(FILE), row), no_rejected()
    else:
        found, rejected = read_csv_rows(path, "events")
    rows = named_columns(found, path, _COLUMNS, optional=frozenset({"country", "description"}))
    for name in ("country", "description"):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    rows, no_numbers = with_numbers(rows, "events", {"quantity": pl.Int64, "price": pl.Float64})
    return rows, pl.concat([rejected, no_numbers])


def _tidy(rows: pl.DataFrame) -> pl.DataFrame:
    """Ids as text (spreadsheets write customer 17850 as 17850.0), event type, and line within the invoice."""
    invoice = pl.col("transaction_id").cast(pl.String).str.strip_chars()
    rows = rows.with_columns(
        invoice,
        pl.col("item_id").cast(pl.String).str.strip_chars().str.to_uppercase(),
        clean_ids(rows["user_id"].cast(pl.String)),
    )
    cancelled = pl.col("transaction_id").str.starts_with("C").fill_null(value=False)
    return rows.with_columns(
        pl.when(cancelled).then(pl.lit("refund")).otherwise(pl.lit("purchase")).alias("event_type"),
        pl.int_range(pl.len(), dtype=pl.Int64).over("transaction_id").alias("line"),
    )


def _drop_reason() -> pl.Expr:
    """Why a row is dropped, or null. A row without a product code is not: the validation rejects it."""
    reasons = {
        "no customer": pl.col("user_id").is_null(),
        "no product (postage, fees, discounts, manual entries)": ~pl.col("item_id").str.contains(_PRODUCT),
        "no price (gifts and corrections)": pl.col("price") <= 0,
        "no quantity sold (stock corrections)": (pl.col("quantity") == 0)
        | ((pl.col("quantity") < 0) & (pl.col("event_type") == "purchase")),
    }
    return pl.coalesce(
        [pl.when(holds.fill_null(value=False)).then(pl.lit(words)) for words, holds in reasons.items()]
    ).alias("reason")


def _counts(rows: pl.DataFrame, *, num_rows: int) -> Counts:
    return Counts(num_rows, users=rows["user_id"].drop_nulls().n_unique(), items=rows["item_id"].n_unique())


def _items(path: Path, rows: pl.DataFrame) -> RawTable:
    """Every product that was sold, with its most frequent description and its median price."""
    sold = rows.filter(pl.col("item_id").str.contains(_PRODUCT), pl.col("price") > 0, pl.col("quantity") > 0)
    text = pl.col("description").str.strip_chars().replace("", None)
    texts = (
        sold.select("item_id", text)
        .drop_nulls()
        .group_by("item_id", "description", maintain_order=True)
        .len()
    )
    titles = texts.sort("len", descending=True, maintain_order=True).unique(
        "item_id", keep="first", maintain_order=True
    )
    frame = (
        sold.group_by("item_id", maintain_order=True)
        .agg(pl.col("price").median().round(2), pl.col(FILE, ROW).first())
        .join(titles, on="item_id", how="left", maintain_order="left")
        .select(
            pl.col("item_id").alias("id"),
            pl.col("description").alias("title"),
            "price",
            pl.lit("GBP").alias("currency"),
            FILE,
            ROW,
        )
    )
    return RawTable(name="items", where=str(path), frame=frame, rejected=no_rejected(), from_events=(ID,))


def _users(path: Path, rows: pl.DataFrame) -> RawTable:
    """The country of a customer's last row."""
    last = rows.group_by("user_id", maintain_order=True).agg(pl.col("country", FILE, ROW).last())
    return RawTable(name="users", where=str(path), frame=last, rejected=no_rejected())
