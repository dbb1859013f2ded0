"""When items came into the shop. Shapes: N items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from features.core.columns import MICROSECONDS_PER_DAY
from features.interactions import Interactions
from features.profiles.item_popularity import first_seen

if TYPE_CHECKING:
    import polars as pl

AVAILABILITY_DATE: Final = "availability_date"


def arrival_ages(interactions: Interactions, *, days: float) -> NDArray[np.float32]:
    """(N,) days from each item's arrival to the split point; infinite for what is no new arrival: it came
    more than `days` before, comes later, or nobody can say.

    An item came at its `availability_date`, and without one at its first target event; the first `days` of
    the events tell nothing of that, since all that was there already has its first event then. One that
    nobody had yet, without a date, is as old as a new arrival can be. On an ordinal clock nothing is new.
    """
    num_items, as_of = interactions.num_items, interactions.as_of
    ages = np.full(num_items, np.inf, np.float32)
    events = interactions.events
    if not interactions.has_times or not len(events):
        return ages
    seen = first_seen(events, num_items=num_items, as_of=as_of)
    age = (as_of - seen) / MICROSECONDS_PER_DAY
    is_telling = (seen - events.times.min()) / MICROSECONDS_PER_DAY > days
    ages = np.where(is_telling, age, np.inf)
    ages[seen == as_of] = days
    dates = _availability_days(interactions.catalogue(), as_of=as_of)
    if dates is not None:
        ages = np.where(np.isnan(dates), ages, dates)
    return np.where((ages >= 0) & (ages <= days), ages, np.inf).astype(np.float32)


def _availability_days(catalogue: pl.DataFrame, *, as_of: int) -> NDArray[np.float64] | None:
    """(N,) days since each item's availability date, NaN without one that can be read; None without the
    column."""
    if AVAILABILITY_DATE not in catalogue.columns:
        return None
    dates = iso_times(catalogue[AVAILABILITY_DATE]).cast(float)
    return ((as_of - dates) / MICROSECONDS_PER_DAY).fill_null(np.nan).to_numpy()


def iso_times(texts: pl.Series) -> pl.Series:
    """Microseconds since 1970 UTC of texts that begin with a date (ISO 8601: `2026-11-27`, or with a time and
    an offset, as in a Merchant feed); null for others. A time without an offset is UTC."""
    import polars as pl  # not above: a machine that only trains the encoder may lack it

    text = texts.cast(pl.String).str.strip_chars()
    whole = text.str.replace(" ", "T", literal=True)
    zoned = whole.str.to_datetime("%+", time_unit="us", strict=False).dt.epoch("us")
    plain = text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.epoch("us")
    return zoned.fill_null(plain)
