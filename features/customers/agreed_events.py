"""The events that may be used, unread: of nobody who was erased, or did not agree to be in the tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from configs.exceptions import DataError
from configs.settings.customers import CustomersConfig
from features.core import columns as c
from features.core.forgotten import Forgotten
from features.core.ids import user_key_expr
from features.customers.consent import ANSWER, LiveAttributes, answers_of_users, consenting
from features.customers.profile_columns import USER
from features.ingest.tables import Tables

KEY = "_key"
"""The key of a row's user, see `features.core.ids.user_key`"""


def agreed_events(
    tables: Tables,
    customers: CustomersConfig,
    *,
    before: datetime | None = None,
    forgotten: Forgotten | None = None,
    live: LiveAttributes = (),
) -> pl.LazyFrame:
    """The events of the tables `before` a time, with `KEY`. What users did before they were `forgotten` is
    left out; with `customers.consent.profiles`, so is everybody without a clear yes.

    Raises DataError for tables without times, and ConfigError where nobody has answered at all.
    """
    if tables.manifest["clock"] != "real":
        raise DataError(
            f"{tables.folder}: the data has no times (data.clock=ordinal), and this is made of times."
        )
    events = tables.events if before is None else tables.events.filter(pl.col(c.TIMESTAMP) < before)
    events = events.with_columns(user_key_expr().alias(KEY)).filter(pl.col(KEY).is_not_null())
    if forgotten is not None:
        events = _without_forgotten(events, forgotten)
    if "profiles" in customers.consent:
        attribute = customers.consent["profiles"]
        users = tables.users.collect()
        who = consenting(users, attribute, use="profiles", live=live, forgotten=forgotten)
        events = events.join(who.rename({USER: KEY}).lazy(), on=KEY, how="semi", maintain_order="left")
    return events


def attribute_of_users(
    tables: Tables, attribute: str, *, live: LiveAttributes = (), forgotten: Forgotten | None = None
) -> pl.DataFrame:
    """`KEY` and `value` of everybody who has the attribute; the live server's counts for more. Who is
    `forgotten` has none in the tables any more."""
    users = tables.users.select(USER, "attributes").collect()
    found = answers_of_users(users, attribute, live=live, forgotten=forgotten)
    return found.drop_nulls().rename({USER: KEY, ANSWER: "value"})


def present_columns(events: pl.LazyFrame, names: Sequence[str]) -> list[str]:
    """Those of the columns that the events have, with a value in one row at least."""
    found = [name for name in names if name in events.collect_schema().names()]
    counts = events.select(pl.col(found).count()).collect() if found else pl.DataFrame()
    return [name for name in found if counts[name][0]]


def _without_forgotten(events: pl.LazyFrame, forgotten: Forgotten) -> pl.LazyFrame:
    keys = events.select(KEY).unique().collect()
    until = keys.with_columns(forgotten.times(keys[KEY]).alias("_until")).drop_nulls()
    if until.is_empty():
        return events
    joined = events.join(until.lazy(), on=KEY, how="left", maintain_order="left")
    is_theirs = pl.col(c.TIMESTAMP).dt.epoch("us") < pl.col("_until")
    return joined.filter(~is_theirs.fill_null(value=False)).drop("_until")
