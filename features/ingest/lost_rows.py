"""What rejected rows take away as a whole: items without a row left, and ranges of prices without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from features.core import columns as c
from features.readers.raw_table import RawTable

NAMED_ITEMS: Final = 5
"""So many of the lost items are named."""
MIN_ROWS_OF_A_PRICE_RANGE: Final = 2
"""One rejected row of a magnitude of its own is a slip, not a kind of price that cannot be read."""


@dataclass(frozen=True)
class LostRows:
    """Items and prices of which a table has rows, every one of them rejected."""

    num_items: int
    items: list[str]
    """The lost items with the most rows, at most `NAMED_ITEMS`."""
    num_rows: int
    """Rows of the lost items."""
    row_share: float
    """Of all rows that name an item."""
    revenue_share: float | None
    """Of the revenue of all purchases; None where no purchase has a price."""
    price_ranges: dict[str, int]
    """Range of prices, each from a power of ten to the next → its rows."""


def find_lost_rows(kept: pl.DataFrame, rejected: pl.DataFrame, *, item: str) -> LostRows | None:
    """Compare the rows kept with those rejected by their column `item` and, where they have one, `price`.

    The revenue is that of purchases, and needs `event_type` and `quantity`. None where nothing is lost.
    """
    kept, rejected = (rows.filter(pl.col(item).is_not_null()) for rows in (kept, rejected))
    lost = rejected.filter(~pl.col(item).is_in(kept[item].unique().implode()))
    counts = lost.group_by(pl.col(item).cast(pl.String)).len().sort("len", item, descending=[True, False])
    prices = _price_ranges(kept, rejected) if c.PRICE in kept.columns else {}
    if lost.is_empty() and not prices:
        return None
    return LostRows(
        num_items=len(counts),
        items=counts[item].head(NAMED_ITEMS).to_list(),
        num_rows=len(lost),
        row_share=len(lost) / (len(kept) + len(rejected)),
        revenue_share=_revenue_share(lost, kept, rejected) if c.EVENT_TYPE in kept.columns else None,
        price_ranges=prices,
    )


def with_legible_prices(frame: pl.DataFrame, raw: RawTable) -> pl.DataFrame:
    """Fill absent prices from the digits in the text of the same rows of `raw`: "$1,249.00" → 1249.

    Good enough to tell how much was lost, not to sell by: cents are cut off.
    """
    if c.PRICE not in raw.frame.columns or raw.frame.schema[c.PRICE] != pl.String:
        return frame
    digits = raw.frame[c.PRICE].str.extract(r"(\d[\d.,\s’']*)").str.replace(r"[.,]\d{0,2}\s*$", "")
    price = digits.str.replace_all(r"\D", "").cast(pl.Float64, strict=False)
    return frame.with_columns(pl.coalesce(c.PRICE, price))


def _price_ranges(kept: pl.DataFrame, rejected: pl.DataFrame) -> dict[str, int]:
    priced = pl.col(c.PRICE) > 0
    power = (pl.col(c.PRICE).log10() + 1e-9).floor().cast(pl.Int32).alias("power")  # log10(1000) is 2.9…
    found = kept.filter(priced).select(power).unique().to_series()
    counts = rejected.filter(priced).select(power).group_by("power").len().sort("power")
    lost = counts.filter(~pl.col("power").is_in(found.implode()), pl.col("len") >= MIN_ROWS_OF_A_PRICE_RANGE)
    return {f"{10.0**low:,g} to {10.0 ** (low + 1):,g}": count for low, count in lost.iter_rows()}


def _revenue_share(lost: pl.DataFrame, kept: pl.DataFrame, rejected: pl.DataFrame) -> float | None:
    all_ = _revenue(kept) + _revenue(rejected)
    return _revenue(lost) / all_ if all_ else None


def _revenue(rows: pl.DataFrame) -> float:
    purchases = rows.filter(pl.col(c.EVENT_TYPE) == "purchase", pl.col(c.PRICE) >= 0)
    return float(purchases.select((pl.col(c.PRICE) * pl.col(c.QUANTITY).fill_null(1)).sum()).item())
