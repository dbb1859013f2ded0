"""The report of `shopkeeper prepare`: size and quality of the data, and whether it is enough to train on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from configs.schema import Config
from configs.settings.data import PrepareConfig
from features.core import columns as c
from features.core.categorical import user_keys
from features.ingest.id_kinds import why_ids_differ
from features.ingest.lost_rows import LostRows
from features.ingest.no_person import no_person
from features.ingest.validate_catalogue import ValidCatalogue
from features.ingest.validate_events import ValidEvents
from features.ingest.windows import Window, inspect_windows, without_times

QUANTILES = (0.1, 0.5, 0.9, 0.99, 1.0)
BOT_EVENTS_A_DAY = 1000
"""A user with more events than this in one day is reported as a suspected bot. Nothing is removed."""

Valid = ValidEvents | ValidCatalogue

_IS_ITEM_EVENT = pl.col(c.ITEM_ID).is_not_null() & pl.col(c.EVENT_TYPE).is_in(c.ITEM_EVENT_TYPES)
_CATEGORICAL = (c.ITEM_ID, c.TRANSACTION_ID, c.SESSION_ID)


@dataclass(frozen=True)
class Report:
    """Figures about the data, kept as report.json in the tables folder."""

    rows: dict[str, int]
    """Rows found, by table."""
    rejected: dict[str, int]
    """Rows rejected, by table and reason."""
    lost: dict[str, LostRows]
    """Items and prices of which every row was rejected, by table."""
    dropped: dict[str, int]
    """Valid rows left out on purpose, by reason."""
    unused_columns: dict[str, list[str]]
    """Columns of the files that are not used, by table."""
    num_events: int
    num_item_events: int
    event_types: dict[str, int]
    num_users: int
    num_active_users: int
    """Users with two or more item events."""
    num_items: int
    num_catalogue: int
    first_time: str | None
    last_time: str | None
    days: float
    density: float
    """Share of all user-item pairs that have an event."""
    events_without_catalogue: int | None
    """Item events whose item is not in the catalogue; None without a catalogue."""
    users_without_events: int | None
    """Ids of the users table, with or without consent, that are in no event; None without a users table."""
    repeat_purchase_share: float | None
    """Share of purchases of an item that the user bought in an earlier basket; None without purchases."""
    basket_size: dict[str, float]
    """Quantiles of the rows per transaction."""
    session_length: dict[str, float]
    """Quantiles of the events per session."""
    suspected_bots: list[str]
    currency: str | None
    no_go: str | None
    """Why it is no use to train on the data; None when it is."""
    remarks: list[str]
    """What the reader reports about the files."""
    windows: list[Window]
    """What `split` will validate and test on; empty where it cannot split the data."""
    warnings: list[str]
    """What is odd about the times, and the setting for it."""

    def as_dict(self) -> dict[str, Any]:
        """The report as `report.json` holds it."""
        return asdict(self)

    def without_times(self) -> Report:
        """The report for an ordinal clock, whose times mean nothing."""
        windows = [without_times(window) for window in self.windows]
        return replace(self, first_time=None, last_time=None, days=0.0, suspected_bots=[], windows=windows)


def make_report(
    events: ValidEvents,
    items: ValidCatalogue,
    users: ValidCatalogue,
    *,
    config: Config,
    now: datetime,
    remarks: tuple[str, ...] = (),
) -> Report:
    """All figures, computed from the valid tables. `now` is what old data is compared with."""
    keys = user_keys(events.events)
    frame = _coded(events.events, keys)
    item_events = frame.filter(_IS_ITEM_EVENT)
    per_user = item_events.group_by("_user").len()["len"]
    num_users, num_active = len(per_user), int((per_user >= 2).sum())
    num_items = item_events[c.ITEM_ID].n_unique()
    first, last, days = _period(frame)
    unlisted = _without_catalogue(item_events, items)
    in_no_event = _users_in_no_event(events, users)
    user_remarks = _user_remarks(events, users, in_no_event)
    split = inspect_windows(item_events, config=config, now=now, moved_days=events.moved_days)
    tables: dict[str, Valid] = {"events": events, "items": items, "users": users}
    no_go = _ids_of_two_kinds(events, items, unlisted, len(item_events), config.prepare)
    no_go += _too_little(len(item_events), num_active, config.prepare)
    return Report(
        rows={name: table.num_rows for name, table in tables.items()},
        rejected=_rejected(tables),
        lost={name: table.lost for name, table in tables.items() if name != "users" and table.lost},
        dropped=_dropped(events, items, users),
        unused_columns=_unused_columns(tables),
        num_events=len(frame),
        num_item_events=len(item_events),
        event_types=_counts(frame[c.EVENT_TYPE]),
        num_users=num_users,
        num_active_users=num_active,
        num_items=num_items,
        num_catalogue=len(items.frame),
        first_time=first,
        last_time=last,
        days=days,
        density=_density(item_events, num_users=num_users, num_items=num_items),
        events_without_catalogue=unlisted,
        users_without_events=None if in_no_event is None else len(in_no_event),
        repeat_purchase_share=_repeat_share(item_events),
        basket_size=_sizes(item_events, "_user", c.TRANSACTION_ID),
        session_length=_sizes(frame, c.SESSION_ID),
        suspected_bots=_bots(frame, keys),
        currency=events.currency,
        no_go="; ".join(no_go) or split.no_go,
        remarks=[*remarks, *user_remarks, *no_person(item_events, frame["_user"], keys)],
        windows=split.windows,
        warnings=split.warnings,
    )


def _coded(events: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    """Type and time of the events, with codes for their ids and `_user` for the key of their user."""
    return events.select(
        c.EVENT_TYPE,
        c.TIMESTAMP,
        keys.to_physical().alias("_user"),
        *(pl.col(name).to_physical() for name in _CATEGORICAL),
    )


def _density(item_events: pl.DataFrame, *, num_users: int, num_items: int) -> float:
    if item_events.is_empty():
        return 0.0
    return float(item_events.select(_pair().n_unique()).item() / (num_users * num_items))


def _period(frame: pl.DataFrame) -> tuple[str | None, str | None, float]:
    """(first time, last time, days between them); times in ISO 8601, None without events."""
    first, last = frame[c.TIMESTAMP].min(), frame[c.TIMESTAMP].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None, None, 0.0
    return first.isoformat(), last.isoformat(), round((last - first).total_seconds() / 86400, 2)


def _rejected(tables: Mapping[str, Valid]) -> dict[str, int]:
    rejected = pl.concat([table.rejected for table in tables.values()])
    return _counts(
        rejected.select(pl.concat_str([pl.col("table"), pl.lit(": "), pl.col("reason")])).to_series()
    )


def _unused_columns(tables: Mapping[str, Valid]) -> dict[str, list[str]]:
    return {name: list(table.unused_columns) for name, table in tables.items() if table.unused_columns}


def _dropped(events: ValidEvents, items: ValidCatalogue, users: ValidCatalogue) -> dict[str, int]:
    earlier = {
        f"earlier row of an {name} id": table.duplicates for name, table in (("item", items), ("user", users))
    }
    return {name: count for name, count in {**events.dropped, **earlier}.items() if count}


def _without_catalogue(item_events: pl.DataFrame, items: ValidCatalogue) -> int | None:
    """The number of item events whose item the catalogue lacks; None without a catalogue."""
    if items.frame.is_empty():
        return None
    listed = items.frame[c.ID].cast(pl.Categorical).to_physical()
    return int((~item_events[c.ITEM_ID].is_in(listed.implode())).sum())


def _ids_of_two_kinds(
    events: ValidEvents, items: ValidCatalogue, unlisted: int | None, num_events: int, prepare: PrepareConfig
) -> list[str]:
    """The reason for a no-go when the catalogue lists too few of the items of the events."""
    if unlisted is None or num_events - unlisted >= prepare.min_catalogue_share * num_events:
        return []
    item_ids = events.events.filter(_IS_ITEM_EVENT)[c.ITEM_ID].unique().cast(pl.String)
    return [
        f"the catalogue lacks the item of {unlisted:,} of {num_events:,} item events, and "
        f"prepare.min_catalogue_share is {prepare.min_catalogue_share:g}: "
        + why_ids_differ(item_ids, items.frame[c.ID], table="catalogue")
    ]


def _users_in_no_event(events: ValidEvents, users: ValidCatalogue) -> pl.Series | None:
    """The ids of the users table that are in no event; None without a users table."""
    if not users.num_rows:
        return None
    ids = _ids_of_users(users)
    return ids.filter(~ids.is_in(events.user_ids.implode()))


def _ids_of_users(users: ValidCatalogue) -> pl.Series:
    """The ids of the users table, with and without consent."""
    ids = users.frame[c.USER_ID]
    return ids if users.no_consent is None else pl.concat([ids, users.no_consent]).unique()


def _user_remarks(events: ValidEvents, users: ValidCatalogue, in_no_event: pl.Series | None) -> list[str]:
    """A remark when the users table is about nobody in the events."""
    if in_no_event is None or not len(in_no_event) or len(in_no_event) < len(_ids_of_users(users)):
        return []
    if events.user_ids.is_empty():
        return ["no event has a user_id, so neither consent nor attributes of the users table are used."]
    return [
        "no id of the users table is in the events, so neither its consent nor its attributes are used: "
        + why_ids_differ(events.user_ids, in_no_event, table="users table")
        + "."
    ]


def _too_little(item_events: int, active_users: int, prepare: PrepareConfig) -> list[str]:
    reasons: list[str] = []
    if item_events < prepare.min_item_events:
        reasons.append(
            f"there are {item_events:,} item events, and prepare.min_item_events is "
            f"{prepare.min_item_events:,}"
        )
    if active_users < prepare.min_active_users:
        reasons.append(
            f"{active_users:,} users have two or more item events, and prepare.min_active_users is "
            f"{prepare.min_active_users:,}"
        )
    if not reasons:
        return []
    return [f"{'; '.join(reasons)}. Bring more data, or lower these settings to try Shopkeeper out"]


def _counts(values: pl.Series) -> dict[str, int]:
    table = values.alias("value").value_counts().sort("count", "value", descending=[True, False])
    return {str(name): int(count) for name, count in table.iter_rows()}


def _sizes(frame: pl.DataFrame, *key: str) -> dict[str, float]:
    """Quantiles of the number of rows with one `key`, without rows where its last column is null."""
    sizes = frame.filter(pl.col(key[-1]).is_not_null()).group_by(key).len()["len"]
    if sizes.is_empty():
        return {}
    return {f"{round(q * 100)}%": float(sizes.quantile(q, interpolation="lower") or 0) for q in QUANTILES}


def _pair() -> pl.Expr:
    """User and item packed into one number."""
    return pl.col("_user").cast(pl.UInt64) * 2**32 + pl.col(c.ITEM_ID).cast(pl.UInt64)


def _repeat_share(item_events: pl.DataFrame) -> float | None:
    purchases = item_events.filter(pl.col(c.EVENT_TYPE) == "purchase")
    if purchases.is_empty():
        return None
    basket = pl.coalesce(pl.col(c.TRANSACTION_ID).cast(pl.Int64), -pl.col(c.TIMESTAMP).dt.epoch("us") - 1)
    pairs = purchases.with_columns(basket.alias("_basket")).select(_pair().alias("_pair"), "_basket").unique()
    return float(1 - pairs["_pair"].n_unique() / len(pairs))


def _bots(frame: pl.DataFrame, keys: pl.Series) -> list[str]:
    """The keys of the users with the most events in a day. `keys` has a row for each of `frame`."""
    active = frame.group_by("_user").len().filter(pl.col("len") > BOT_EVENTS_A_DAY)["_user"]
    is_active = frame["_user"].is_in(active.implode())
    events = frame.filter(is_active).select(c.TIMESTAMP, keys.filter(is_active).cast(pl.String).alias("_key"))
    daily = events.group_by("_key", pl.col(c.TIMESTAMP).dt.date().alias("_day")).len()
    busy = daily.filter(pl.col("len") > BOT_EVENTS_A_DAY).sort("len", "_key", descending=[True, False])
    return busy["_key"].unique(maintain_order=True).head(20).to_list()
