"""The one currency of a shop: how it is determined, and how prices are converted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.data import PrepareConfig
from features.core import columns as c

CONTRADICTION: Final = "price and currency are of different currencies"
"""Why a row is rejected whose price (15.00 USD) names another currency than its other prices or its column
`currency`."""


def with_price_currencies(rows: pl.DataFrame, prices: Sequence[str] = (c.PRICE,)) -> pl.DataFrame:
    """Fill `currency` from the codes in `prices`, the columns `_currency_<price>` of `as_prices`.

    Adds `_bad_currency`: true where two of them differ.
    """
    names = [f"_currency_{price}" for price in prices]
    codes = [pl.col(name) for name in (c.CURRENCY, *names)]
    differ = pl.any_horizontal((code != pl.coalesce(codes)).fill_null(value=False) for code in codes)
    return rows.with_columns(pl.coalesce(codes).alias(c.CURRENCY), differ.alias("_bad_currency")).drop(names)


def shop_currency(rows: pl.DataFrame, prepare: PrepareConfig, *, table: str = "events") -> str | None:
    """The configured currency, or the only currency in the rows that has no exchange rate; None when no row
    names one.

    Raises DataError when two or more come into question.
    """
    if prepare.currency:
        return prepare.currency
    counts = rows[c.CURRENCY].drop_nulls().value_counts(sort=True)
    named = [name for name in counts[c.CURRENCY].to_list() if name not in prepare.exchange_rates]
    if len(named) > 1:
        raise DataError(
            f"The {table} have {len(named)} currencies ({', '.join(named[:10])}), and a shop has one. Set "
            "prepare.currency to it, and prepare.exchange_rates for the others: "
            f"prepare.currency={named[0]} prepare.exchange_rates.{named[1]}=0.9"
        )
    return named[0] if named else None


def to_shop_currency(
    rows: pl.DataFrame,
    currency: str | None,
    rates: Mapping[str, float],
    *,
    prices: Sequence[str] = (c.PRICE,),
) -> pl.DataFrame:
    """Convert the columns `prices` to the shop's currency. Rows without a currency count as in it."""
    if not rates:
        return rows.with_columns(pl.lit(currency, dtype=pl.String).alias(c.CURRENCY))
    own = {currency: 1.0} if currency else {}
    rate = pl.col(c.CURRENCY).replace_strict(dict(rates) | own, default=1.0, return_dtype=pl.Float64)
    return rows.with_columns(
        *(pl.col(name) * rate for name in prices),
        pl.lit(currency, dtype=pl.String).alias(c.CURRENCY),
    )
