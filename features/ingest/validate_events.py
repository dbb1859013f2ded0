"""Raw events → valid events, and the rejected rows with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import polars as pl

from configs.exceptions import DataError
from configs.settings.data import DataConfig, PrepareConfig
from features.core import columns as c
from features.core.event_ids import SENT, is_order, with_event_ids
from features.core.forgotten import Forgotten
from features.core.ids import clean_id, user_key_expr
from features.ingest.casting import as_categorical_ids, as_ids
from features.ingest.currency import shop_currency
from features.ingest.lost_rows import LostRows
from features.ingest.rejected_events import sort_out
from features.ingest.session_ids import with_session_ids
from features.ingest.typed_events import OPTIONAL, SCHEMA, typed_events
from features.ingest.value_names import without_ignored
from features.readers.raw_table import FILE, ROW, RawTable


@dataclass(frozen=True)
class ValidEvents:
    """A validated events table."""

    events: pl.DataFrame
    """Valid rows by time. Ids other than event_id are Categorical, event_type is an Enum."""
    rejected: pl.DataFrame
    num_rows: int
    """Rows found in the files."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Valid rows left out on purpose, by reason."""
    lost: LostRows | None = None
    """Items and prices that are lost with the rejected rows."""
    unused_columns: tuple[str, ...] = ()
    currency: str | None = None
    moved_days: int = 0
    """By how many days `data.shift_to_today` moved the times."""
    user_ids: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    """Every user_id of the files once, of those without consent too."""


def validate_events(
    raw: RawTable,
    *,
    data: DataConfig,
    prepare: PrepareConfig,
    now: datetime,
    no_consent: pl.Series | None = None,
    forgotten: Forgotten | None = None,
) -> ValidEvents:
    """Cast, check and complete the events.

    `now` (with a time zone) decides which timestamps lie in the future. `no_consent`: ids of users whose
    events are left out; `forgotten`: who was deleted, and when. Raises DataError when a required column is
    missing or has the wrong type, or when the shop's currency is not clear.
    """
    raw.check_unambiguous({*SCHEMA, *OPTIONAL})
    _require_columns(raw, data)
    user_ids, num_rows = _user_ids(raw), raw.num_rows
    raw, ignored = without_ignored(raw)
    raw, without_consent = _without_no_consent(raw, no_consent)
    raw, nobody = _without_excluded(raw, data.exclude)
    frame = with_event_ids(typed_events(raw, data), has_times=data.clock == "real")
    raw, frame, num_later = _until(raw, frame, data.until)
    moved_days = _days_to_today(frame, now) if data.shift_to_today else 0
    if moved_days:
        frame = frame.with_columns(pl.col(c.TIMESTAMP) + timedelta(days=moved_days))
    raw, frame, num_forgotten = _without_forgotten(raw, frame, forgotten)
    currency = shop_currency(frame, prepare)
    good, rejected, lost = sort_out(
        raw, frame, data=data, now=now, currency=currency, rates=prepare.exchange_rates
    )
    del frame  # frees a copy of all events
    events, duplicates = _deduplicated(good.sort(c.TIMESTAMP, maintain_order=True))
    del good
    if data.clock == "real":
        events = with_session_ids(events, gap_minutes=prepare.session_gap_minutes)
    known = {*SCHEMA, *OPTIONAL, FILE, ROW}
    return ValidEvents(
        events=events.select([*SCHEMA, *(name for name in OPTIONAL if name in events.columns)]),
        rejected=pl.concat([raw.rejected, rejected]),
        num_rows=num_rows,
        dropped={
            **raw.dropped,
            **ignored,
            **duplicates,
            "user without consent": without_consent,
            "user who was deleted": num_forgotten,
            f"after data.until={data.until}": num_later,
            "id in data.exclude, and no other": nobody,
        },
        lost=lost,
        unused_columns=tuple(raw.name_in_file(name) for name in raw.frame.columns if name not in known),
        currency=currency,
        moved_days=moved_days,
        user_ids=user_ids,
    )


def _require_columns(raw: RawTable, data: DataConfig) -> None:
    needed = [c.ITEM_ID]
    if data.clock == "real":
        needed.append(c.TIMESTAMP)
    if data.event_type is None:
        needed.append(c.EVENT_TYPE)
    if c.VISITOR_ID not in raw.frame.columns:
        needed.append(c.USER_ID)
    missing = [name for name in needed if name not in raw.frame.columns]
    if not missing:
        return
    example = ", ".join(f"{name}: <your column>" for name in missing)
    hint = (
        " If all events are of one type, set data.event_type instead (a file of sales: purchase)."
        if c.EVENT_TYPE in missing
        else ""
    )
    clock = " If the file has no times, set data.clock=ordinal." if c.TIMESTAMP in missing else ""
    raise DataError(
        f"{raw.where}: no column {', '.join(map(repr, missing))}. "
        f"{raw.columns_found} Name yours in the configuration: data.event_columns: "
        f"{{{example}}}.{hint}{clock}"
    )


def _user_ids(raw: RawTable) -> pl.Series:
    if c.USER_ID not in raw.frame.columns:
        return pl.Series(dtype=pl.String)
    return as_categorical_ids(raw, c.USER_ID).unique().drop_nulls().cast(pl.String)


def _without_no_consent(raw: RawTable, no_consent: pl.Series | None) -> tuple[RawTable, int]:
    """(the table without the rows of users who did not consent, the number of those rows)"""
    if no_consent is None or no_consent.is_empty() or c.USER_ID not in raw.frame.columns:
        return raw, 0
    is_theirs = as_ids(raw, c.USER_ID).is_in(no_consent.implode()).fill_null(value=False)
    return replace(raw, frame=raw.frame.filter(~is_theirs)), int(is_theirs.sum())


def _without_forgotten(
    raw: RawTable, frame: pl.DataFrame, forgotten: Forgotten | None
) -> tuple[RawTable, pl.DataFrame, int]:
    """(both without what users did before they were deleted, how many rows that were)"""
    if forgotten is None:
        return raw, frame, 0
    who = pl.col(c.USER_ID).cast(pl.String), pl.col(c.VISITOR_ID).cast(pl.String)
    until = forgotten.times(frame.select(who).select(user_key_expr()).to_series())
    is_real = frame[c.TIMESTAMP].dtype.is_temporal()
    time = frame[c.TIMESTAMP].dt.epoch("us") if is_real else pl.repeat(0, len(frame), eager=True)
    is_theirs = (time < until).fill_null(value=False) | (until.is_not_null() & time.is_null())
    return replace(raw, frame=raw.frame.filter(~is_theirs)), frame.filter(~is_theirs), int(is_theirs.sum())


def _without_excluded(raw: RawTable, exclude: Sequence[str]) -> tuple[RawTable, int]:
    """(the table with the ids of `exclude` as missing, and without the rows that then have no id of a user
    or visitor; the number of those rows)"""
    if not exclude:
        return raw, 0
    names = [name for name in (c.USER_ID, c.VISITOR_ID) if name in raw.frame.columns]
    ids = pl.DataFrame([as_ids(raw, name) for name in names])
    is_excluded = pl.col(names).is_in([clean_id(text) for text in exclude])
    had_one = ids.select(pl.any_horizontal(is_excluded.fill_null(value=False))).to_series()
    ids = ids.with_columns(pl.when(~is_excluded).then(pl.col(names)))
    nobody = had_one & ids.select(pl.all_horizontal(pl.col(names).is_null())).to_series()
    return replace(raw, frame=raw.frame.with_columns(ids).filter(~nobody)), int(nobody.sum())


def _until(raw: RawTable, frame: pl.DataFrame, until: date | None) -> tuple[RawTable, pl.DataFrame, int]:
    """(both without the rows after the day, how many those were)"""
    if until is None:
        return raw, frame, 0
    is_later = (frame[c.TIMESTAMP].dt.date() > until).fill_null(value=False)
    return replace(raw, frame=raw.frame.filter(~is_later)), frame.filter(~is_later), int(is_later.sum())


def _days_to_today(frame: pl.DataFrame, now: datetime) -> int:
    """The whole days after which the last event lies within the 24 hours before `now`."""
    last = frame[c.TIMESTAMP].max()
    return (now - last) // timedelta(days=1) if isinstance(last, datetime) else 0


def _deduplicated(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """(the first row of each key, see `features.core.event_ids`; the rows dropped, by reason).

    A line tells apart the rows of one item in an event with a sender's id; an absent one is 0. Without such
    an id it means nothing, and only rows of orders can have the key of an earlier row.
    """
    line = pl.when(SENT).then(pl.col(c.LINE).fill_null(0)).otherwise(0)
    frame = frame.with_columns(line.alias(c.LINE))
    repeats = frame[SENT] | frame.select(is_order().fill_null(value=False)).to_series()
    if not repeats.any():
        return frame, {}
    is_first = frame.select(pl.struct(c.EVENT_ID, c.EVENT_TYPE, c.ITEM_ID, c.LINE).is_first_distinct())
    keep = is_first.to_series() | ~repeats
    sent = int((frame[SENT] & ~keep).sum())
    orders = len(frame) - int(keep.sum()) - sent
    return frame.filter(keep), {"duplicate event": sent, "order sent again": orders}
