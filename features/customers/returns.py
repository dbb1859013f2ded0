"""From the tables of a shop to what comes back, in one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from configs.exceptions import DataError
from configs.schema import Config
from features.core import columns as c
from features.core.forgotten import Forgotten
from features.customers.agreed_events import agreed_events
from features.customers.consent import LiveAttributes
from features.customers.customer_events import customer_events
from features.customers.fits_instead import fits_instead
from features.customers.price_levels import AMOUNT, CATEGORY, item_table, order_lines
from features.customers.refund_matching import RETURNED, matched_lines
from features.customers.refund_rates import category_rates, customer_rates, product_rates
from features.customers.return_warnings import return_warnings
from features.ingest.tables import Tables


@dataclass(frozen=True)
class Returns:
    """What `shopkeeper returns` computes."""

    products: pl.DataFrame
    categories: pl.DataFrame
    customers: pl.DataFrame
    warnings: pl.DataFrame
    """`return_warnings.WARNINGS_SCHEMA`: every product that was tested"""
    instead: pl.DataFrame
    as_of: datetime
    lines: int
    returned_lines: int
    value: float | None
    returned_value: float | None
    remarks: list[str] = field(default_factory=list)


def compute_returns(
    tables: Tables,
    config: Config,
    *,
    as_of: datetime | None = None,
    forgotten: Forgotten | None = None,
    live: LiveAttributes = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Returns:
    """What came back of what was bought `before` a time: by default, of everything.

    Raises DataError where nothing was bought, and ConfigError.
    """
    rules, customers = config.returns, config.customers
    progress("Reading purchases and refunds")
    events = agreed_events(tables, customers, before=as_of, forgotten=forgotten, live=live)
    bought = _bought(tables, events, config)
    num_refunds = int((bought[c.EVENT_TYPE] == "refund").sum())
    if len(bought) == num_refunds:
        raise DataError(f"{tables.folder}: {_no_purchase(num_refunds, as_of)}")
    last: datetime = events.select(pl.col(c.TIMESTAMP).max()).collect().item()
    moment = as_of or last + timedelta(microseconds=1)
    lines, unmatched = matched_lines(bought)
    progress(f"Comparing {len(lines):,} order lines")
    categories = category_rates(lines, level=rules.level)
    products = product_rates(lines, categories, level=rules.level)
    warnings = return_warnings(lines, rules, as_of=moment)
    share = pl.col(RETURNED) / pl.col(c.QUANTITY)
    has_prices = lines[AMOUNT].count() > 0
    value, back = lines.select(pl.col(AMOUNT).sum(), (pl.col(AMOUNT) * share).sum().alias("back")).row(0)
    return Returns(
        products=products,
        categories=categories,
        customers=customer_rates(lines, level=rules.level),
        warnings=warnings,
        instead=fits_instead(lines, products, rules),
        as_of=moment,
        lines=len(lines),
        returned_lines=int((lines[RETURNED] > 0).sum()),
        value=float(value) if has_prices else None,
        returned_value=float(back) if has_prices else None,
        remarks=_remarks(lines, warnings, config, num_refunds=num_refunds, unmatched=unmatched),
    )


def _bought(tables: Tables, events: pl.LazyFrame, config: Config) -> pl.DataFrame:
    """The purchases and refunds of something, with their worth."""
    is_line = pl.col(c.EVENT_TYPE).is_in(["purchase", "refund"]) & pl.col(c.ITEM_ID).is_not_null()
    of_something = pl.col(c.QUANTITY).fill_null(1) > 0
    items = item_table(tables.items.collect(), category_levels=config.customers.category_levels)
    found = customer_events(events.filter(is_line & of_something), time_zone=config.customers.time_zone)
    return order_lines(found, items)


def _no_purchase(num_refunds: int, as_of: datetime | None) -> str:
    when = f" before {as_of.isoformat()}" if as_of else ""
    what = f"no purchase, but {num_refunds:,} refunds" if num_refunds else "neither a purchase nor a refund"
    return (
        f"there is {what}{when}. A rate of refunds is a share of what was bought: prepare with the "
        "purchases, too."
    )


def _remarks(
    lines: pl.DataFrame, warnings: pl.DataFrame, config: Config, *, num_refunds: int, unmatched: int
) -> list[str]:
    found = []
    if not num_refunds:
        found.append("No refund: nothing came back, or the data does not say so (event type refund).")
    if unmatched:
        found.append(
            f"{unmatched:,} of {num_refunds:,} refunds have no purchase of the same product and customer "
            "before them, and count nowhere."
        )
    if not lines[AMOUNT].count():
        found.append("No price, in events or catalogue: rates are known, and no value.")
    if no_category := lines[CATEGORY].null_count():
        found.append(
            f"{no_category:,} of {len(lines):,} order lines are of products without a category, for which "
            "nothing fits instead."
        )
    if warnings.is_empty():
        found.append(
            f"No product has {config.returns.min_lines} order lines in the last "
            f"{config.returns.recent_days:g} days and as many earlier ones to be compared "
            "with (returns.min_lines), so none was tested."
        )
    return found
