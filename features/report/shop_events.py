"""The events of the tables as small columns: what the report counts. Guests' events are among them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from features.core import columns as c
from features.core.forgotten import Forgotten
from features.core.ids import user_key_expr
from features.ingest.tables import Tables

USER: Final = "user"
PERSON: Final = "person"
TIME: Final = "time"
DAY: Final = "day"
ITEM: Final = "item"
ORDER: Final = "order"
VISIT: Final = "visit"
AMOUNT: Final = "amount"

_EVENT_TYPE: Final = pl.Enum(c.EVENT_TYPES)


def shop_events(
    tables: Tables,
    *,
    time_zone: str,
    forgotten: Forgotten | None = None,
    consenting: Collection[str] | None = None,
) -> pl.DataFrame:
    """One row an event: USER (null for a guest), PERSON (a hash to count people by; null without any id),
    event type, TIME, DAY by the clock of `time_zone`, ITEM, ORDER and VISIT as hashes that are one user's
    own, AMOUNT (price times quantity; negative for a refund; null without a price, in the event and in the
    catalogue).

    What users did before they were `forgotten` is left out. Users outside `consenting` count as guests,
    and yet as one person each.
    """
    local = pl.col(c.TIMESTAMP).dt.convert_time_zone(time_zone)
    day = local.dt.date()
    own_day = day.cast(pl.String)
    paid = pl.coalesce(c.PRICE, "_listed") * pl.col(c.QUANTITY).fill_null(1)
    is_refund = pl.col(c.EVENT_TYPE) == "refund"
    chosen = [
        user_key_expr().cast(pl.Categorical).alias(USER),
        pl.when(user_key_expr().is_not_null()).then(user_key_expr().hash()).alias(PERSON),
        pl.col(c.EVENT_TYPE).cast(_EVENT_TYPE),
        pl.col(c.TIMESTAMP).alias(TIME),
        day.alias(DAY),
        pl.col(c.ITEM_ID).cast(pl.Categorical).alias(ITEM),
        pl.struct(user_key_expr(), pl.coalesce(c.TRANSACTION_ID, c.SESSION_ID, own_day)).hash().alias(ORDER),
        pl.struct(user_key_expr(), pl.coalesce(c.SESSION_ID, own_day)).hash().alias(VISIT),
        pl.when(is_refund).then(-paid).otherwise(paid).alias(AMOUNT),
    ]
    listed = _listed_prices(tables.items)
    events = tables.events.join(listed, on=c.ITEM_ID, how="left").select(chosen)
    found = events.collect(engine="streaming")
    if forgotten is not None:
        found = _without(found, forgotten)
    if consenting is not None:
        agreed = pl.col(USER).cast(pl.String).is_in(list(consenting))
        found = found.with_columns(pl.when(agreed).then(pl.col(USER)))
    return found


def purchases(events: pl.DataFrame) -> pl.DataFrame:
    """The rows that were bought."""
    return events.filter(pl.col(c.EVENT_TYPE) == "purchase")


def num_people(rows: pl.DataFrame, otherwise: str) -> int:
    """Different people. Without an id each value of `otherwise` (an order, a visit) counts as one."""
    alone = rows.filter(pl.col(PERSON).is_null())[otherwise].n_unique()
    return rows[PERSON].drop_nulls().n_unique() + alone


def _listed_prices(items: pl.LazyFrame) -> pl.LazyFrame:
    found = items.collect_schema().names()
    listed = [pl.col(name) for name in (c.SALE_PRICE, c.PRICE) if name in found]
    price = pl.coalesce(listed) if listed else pl.lit(None, pl.Float64)
    return items.select(pl.col(c.ID).alias(c.ITEM_ID), price.alias("_listed"))


def _without(events: pl.DataFrame, forgotten: Forgotten) -> pl.DataFrame:
    users = pl.DataFrame({USER: events[USER].drop_nulls().unique()})
    until = users.with_columns(forgotten.times(users[USER]).alias("_until")).drop_nulls()
    if until.is_empty():
        return events
    kept = events.join(until, on=USER, how="left")
    is_theirs = pl.col(TIME).dt.epoch("us") < pl.col("_until")
    return kept.filter(~is_theirs.fill_null(value=False)).drop("_until")
