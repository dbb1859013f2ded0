"""Raw items and users → valid tables, and the rejected rows with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.data import PrepareConfig
from features.core import columns as c
from features.core.forgotten import Forgotten
from features.core.ids import ROUNDED, are_rounded
from features.ingest.casting import as_ids, as_prices, as_text
from features.ingest.currency import CONTRADICTION, shop_currency, to_shop_currency, with_price_currencies
from features.ingest.lost_rows import LostRows, find_lost_rows, with_legible_prices
from features.ingest.value_names import availabilities, unknown_value_rules
from features.readers.raw_table import FILE, ROW, RawTable, is_unnamed, no_rejected, rejected_rows

ITEM_TEXT: Final = (
    c.TITLE,
    c.PRODUCT_TYPE,
    c.BRAND,
    c.CURRENCY,
    c.AVAILABILITY,
    "link",
    "image_link",
    c.IMAGE_PATH,
    c.ITEM_GROUP_ID,
    "description",
    "color",
    "size",
    "material",
    "gender",
    "age_group",
    "availability_date",
    "expiration_date",
    *(f"custom_label_{number}" for number in range(5)),
    "attributes",
)
_REQUIRED_TEXT: Final = (c.TITLE, c.PRODUCT_TYPE, c.BRAND, c.AVAILABILITY, "link", "image_link")
"""Columns that the items table always has, null where the file lacks them."""
CONSENT_WORDS: Final = dict.fromkeys(("true", "yes", "1", "1.0", "t", "y"), True) | dict.fromkeys(
    ("false", "no", "0", "0.0", "f", "n", "", "nan"), False
)
"""Text in the consent column → consent. pandas writes 1.0, 0.0 and nan for a column of 1 and 0 with gaps."""
_NO_RATES: Final = PrepareConfig()
_NOT_AN_ATTRIBUTE: Final = (c.USER_ID, "consent", "attributes", "created_at", FILE, ROW)


@dataclass(frozen=True)
class ValidCatalogue:
    """A validated items or users table."""

    frame: pl.DataFrame
    rejected: pl.DataFrame
    num_rows: int
    duplicates: int = 0
    """Earlier rows of an id that a later row replaces."""
    lost: LostRows | None = None
    """Ids and prices that are lost with the rejected rows."""
    unused_columns: tuple[str, ...] = ()
    no_consent: pl.Series | None = None
    """Of users: the ids without a clear consent. They are in no table."""


def validate_items(
    raw: RawTable | None, *, prepare: PrepareConfig = _NO_RATES, currency: str | None = None
) -> ValidCatalogue:
    """Items by id; the last row of an id counts. Title, product_type, brand, price, availability and links
    always exist.

    Prices are converted to the shop's `currency`: that of the events, or the only one of the catalogue when
    events have none.
    """
    if raw is None:
        schema = {c.ID: pl.String} | dict.fromkeys(_REQUIRED_TEXT, pl.String) | {c.PRICE: pl.Float64}
        return ValidCatalogue(frame=pl.DataFrame(schema=schema), rejected=no_rejected(), num_rows=0)
    known = {*ITEM_TEXT, *c.ITEM_PRICES, c.ID}
    raw.check_unambiguous(known)
    _require(raw, c.ID, setting="item_columns")
    found = raw.frame.columns
    frame = pl.DataFrame([as_ids(raw, c.ID)])
    for name in ITEM_TEXT:
        if name == c.AVAILABILITY:
            frame = frame.with_columns(availabilities(raw))
        elif name in found:
            frame = frame.with_columns((as_ids if name == c.ITEM_GROUP_ID else as_text)(raw, name))
        elif name in _REQUIRED_TEXT:
            frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    for name in c.ITEM_PRICES:
        if name in found or name == c.PRICE:
            frame = frame.with_columns(as_prices(raw, name))
    prices = [name for name in c.ITEM_PRICES if name in frame.columns]
    frame = _with_currency(frame, prices)
    has_currency = c.CURRENCY in frame.columns
    if has_currency:
        currency = currency or shop_currency(frame, prepare, table="items")
    rules = {
        **id_rules(c.ID),
        **{f"{name} is not a number": pl.col(f"_bad_{name}") for name in prices},
        **{f"{name} is negative": pl.col(name) < 0 for name in prices},
        **{f"{name} is above {c.MAX_PRICE:g}": pl.col(name) > c.MAX_PRICE for name in prices},
        **_currency_rule(frame, currency, prepare),
        **unknown_value_rules(
            frame["_unknown_availability"],
            setting="data.availability" if raw.availability is not None else None,
            choices=c.AVAILABILITIES,
        ),
    }
    valid = _finish(raw, frame, rules, key=c.ID, known=known)
    if not has_currency:
        return valid
    return replace(
        valid, frame=to_shop_currency(valid.frame, currency, prepare.exchange_rates, prices=prices)
    )


def _with_currency(frame: pl.DataFrame, prices: Sequence[str]) -> pl.DataFrame:
    """The currency of each row, from its column and its prices; no column where neither names one."""
    own = pl.col(c.CURRENCY) if c.CURRENCY in frame.columns else pl.lit(None, dtype=pl.String)
    frame = with_price_currencies(
        frame.with_columns(own.str.strip_chars().str.to_uppercase().alias(c.CURRENCY)), prices
    )
    return frame.drop(c.CURRENCY) if frame[c.CURRENCY].is_null().all() else frame


def _currency_rule(frame: pl.DataFrame, currency: str | None, prepare: PrepareConfig) -> dict[str, pl.Expr]:
    if c.CURRENCY not in frame.columns or currency is None:
        return {}
    return {
        CONTRADICTION: pl.col("_bad_currency"),
        "no exchange rate for the currency": ~pl.col(c.CURRENCY).is_in([currency, *prepare.exchange_rates]),
    }


def validate_users(raw: RawTable | None, *, forgotten: Forgotten | None = None) -> ValidCatalogue:
    """Users by user_id with their attributes as one JSON object; every column without a meaning becomes an
    attribute.

    With a consent column only a clear yes is consent: neither a no, nor a blank, nor an unknown word.
    """
    if raw is None:
        schema = {c.USER_ID: pl.String, "attributes": pl.String, "created_at": pl.String}
        return ValidCatalogue(frame=pl.DataFrame(schema=schema), rejected=no_rejected(), num_rows=0)
    raw.check_unambiguous(_NOT_AN_ATTRIBUTE)
    _require(raw, c.USER_ID, setting="user_columns")
    found = raw.frame.columns
    frame = pl.DataFrame([as_ids(raw, c.USER_ID)])
    other = [name for name in found if name not in _NOT_AN_ATTRIBUTE]
    extra = [name for name in other if not is_unnamed(name)]
    if "attributes" in found:
        frame = frame.with_columns(as_text(raw, "attributes"))
    elif extra:
        frame = frame.with_columns(
            raw.frame.select(pl.struct(extra).struct.json_encode().alias("attributes"))
        )
    else:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("attributes"))
    created = (
        raw.frame["created_at"].cast(pl.String) if "created_at" in found else pl.lit(None, dtype=pl.String)
    )
    frame = frame.with_columns(created.alias("created_at"), *_consent(raw))
    rules = id_rules(c.USER_ID) | {"consent is neither true nor false": pl.col("_bad_consent")}
    valid = _finish(raw, frame, rules, key=c.USER_ID)
    last = frame.drop_nulls(c.USER_ID).unique(c.USER_ID, keep="last", maintain_order=True)
    no_consent = last.filter(~pl.col("_consent"))[c.USER_ID]
    return replace(
        valid,
        frame=_without_forgotten(valid.frame, forgotten)
        .filter(~pl.col(c.USER_ID).is_in(no_consent.implode()))
        .drop("_consent"),
        unused_columns=tuple(name for name in other if "attributes" in found or is_unnamed(name)),
        no_consent=no_consent,
    )


def _without_forgotten(frame: pl.DataFrame, forgotten: Forgotten | None) -> pl.DataFrame:
    return frame if forgotten is None else frame.filter(forgotten.times(frame[c.USER_ID]).is_null())


def _consent(raw: RawTable) -> list[pl.Series]:
    length = len(raw.frame)
    if "consent" not in raw.frame.columns:
        return [
            pl.repeat(value=True, n=length, eager=True).alias("_consent"),
            pl.repeat(False, length, eager=True).alias("_bad_consent"),
        ]
    text = raw.frame["consent"].cast(pl.String).str.strip_chars().str.to_lowercase()
    given = text.replace_strict(CONSENT_WORDS, default=None, return_dtype=pl.Boolean)
    return [
        given.fill_null(value=False).alias("_consent"),
        (given.is_null() & text.is_not_null()).alias("_bad_consent"),
    ]


def _require(raw: RawTable, column: str, *, setting: str) -> None:
    if column not in raw.frame.columns:
        raise DataError(
            f"{raw.where}: no column {column!r}. {raw.columns_found} Name yours "
            f"in the configuration: data.{setting}: {{{column}: <your column>}}."
        )


def id_rules(column: str) -> dict[str, pl.Expr]:
    """What makes a row of this column of ids one to refuse."""
    return {
        f"{column} is missing": pl.col(column).is_null(),
        f"{column} {ROUNDED}": are_rounded(pl.col(column)),
        f"{column} is a list or an object": pl.any_horizontal(
            pl.col(column).str.starts_with(start) for start in c.NESTED_STARTS
        ),
        f"{column} is longer than {c.MAX_ID_BYTES} bytes": pl.col(column).str.len_bytes() > c.MAX_ID_BYTES,
    }


def _finish(
    raw: RawTable, frame: pl.DataFrame, rules: dict[str, pl.Expr], *, key: str, known: set[str] | None = None
) -> ValidCatalogue:
    reason = pl.coalesce(
        [pl.when(broken.fill_null(value=False)).then(pl.lit(words)) for words, broken in rules.items()]
    )
    reasons = frame.select(reason.alias("reason")).to_series()
    good = frame.filter(reasons.is_null()).select(pl.exclude(r"^_(?:bad|unknown)_.*$"))
    bad = reasons.is_not_null()
    refused = with_legible_prices(frame.filter(bad), replace(raw, frame=raw.frame.filter(bad)))
    unique = good.unique(key, keep="last", maintain_order=True)
    unused = [
        raw.name_in_file(name)
        for name in raw.frame.columns
        if known and name not in known and name not in (FILE, ROW)
    ]
    return ValidCatalogue(
        frame=unique,
        rejected=pl.concat([raw.rejected, rejected_rows(raw, reasons)]),
        num_rows=raw.num_rows,
        duplicates=len(good) - len(unique),
        lost=find_lost_rows(good, refused, item=key),
        unused_columns=tuple(unused),
    )
