"""The report of `shopkeeper prepare`: size and quality of the data, and whether it is enough to train on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from configs.schema import Config, PrepareConfig
from features.core import columns as c
from features.core.categorical import user_keys
from features.ingest.lost_rows import LostRows
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
    events_without_catalogue: int
    """Item events whose item is not in the catalogue."""
    repeat_purchase_share: float | None
    """Share of purchases of an item that the user bought in an earlier basket; None without purchases."""
    basket_size: dict[str, float]
    """Quantiles of the rows per transaction."""
    session_length: dict[str, float]
    """Quantiles of the events per session."""
    suspected_bots: list[str]
    currency: str | None
    no_go: str | None
    """Why there is too little to train on; None when there is enough."""
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
    frame = events.events.select(
        c.EVENT_TYPE,
        c.TIMESTAMP,
        keys.to_physical().alias("_user"),
        *(pl.col(name).to_physical() for name in _CATEGORICAL),
    )
    item_events = frame.filter(_IS_ITEM_EVENT)
    per_user = item_events.group_by("_user").len()["len"]
    num_users, num_active = len(per_user), int((per_user >= 2).sum())
    num_items = item_events[c.ITEM_ID].n_unique()
    num_pairs = item_events.select(_pair().n_unique()).item() if len(item_events) else 0
    first, last, days = _period(frame)
    listed = items.frame[c.ID].cast(pl.Categorical).to_physical()
    split = inspect_windows(item_events, config=config, now=now, moved_days=events.moved_days)
    tables: dict[str, Valid] = {"events": events, "items": items, "users": users}
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
        density=num_pairs / (num_users * num_items) if num_pairs else 0.0,
        events_without_catalogue=int((~item_events[c.ITEM_ID].is_in(listed.implode())).sum()),
        repeat_purchase_share=_repeat_share(item_events),
        basket_size=_sizes(item_events, "_user", c.TRANSACTION_ID),
        session_length=_sizes(frame, c.SESSION_ID),
        suspected_bots=_bots(frame, keys),
        currency=events.currency,
        no_go=_no_go(len(item_events), num_active, config.prepare) or split.no_go,
        remarks=list(remarks),
        windows=split.windows,
        warnings=split.warnings,
    )


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


def _no_go(item_events: int, active_users: int, prepare: PrepareConfig) -> str | None:
    reasons = []
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
        return None
    return f"{'; '.join(reasons)}. Bring more data, or lower these settings to try Shopkeeper out"


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
