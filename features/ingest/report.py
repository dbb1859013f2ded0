"""What `shopkeeper prepare` tells about the data: how much, how clean, how repetitive, and whether to go
on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from configs.schema import PrepareConfig
from features.core import columns as c
from features.core.categorical import who_coded
from features.ingest.validate_catalogue import ValidCatalogue
from features.ingest.validate_events import ValidEvents

QUANTILES = (0.1, 0.5, 0.9, 0.99, 1.0)
BOT_EVENTS_A_DAY = 1000
"""A person with more events than this in one day is suspected to be a program. Nothing is removed."""


_CODED = (c.ITEM_ID, c.TRANSACTION_ID, c.SESSION_ID)


@dataclass(frozen=True)
class Report:
    """Plain figures, kept as report.json beside the tables."""

    rows: dict[str, int]
    """Rows found, by table"""
    refused: dict[str, int]
    """Rows refused, by table and reason"""
    dropped: dict[str, int]
    """Valid rows left out on purpose, by reason"""
    unused_columns: dict[str, list[str]]
    """Columns of the files that nothing reads, by table"""
    num_events: int
    num_item_events: int
    event_types: dict[str, int]
    num_users: int
    num_active_users: int
    """Users with two or more item events"""
    num_items: int
    num_catalogue: int
    first_time: str | None
    last_time: str | None
    days: float
    density: float
    """Share of all pairs of user and item that have an event"""
    events_without_catalogue: int
    """Item events whose item the catalogue lacks"""
    repeat_purchase_share: float | None
    """Share of purchases of something that the same user bought in an earlier basket; None without
    purchases"""
    basket_size: dict[str, float]
    """Quantiles of the number of rows of a transaction"""
    session_length: dict[str, float]
    """Quantiles of the number of events of a session"""
    suspected_bots: list[str]
    currency: str | None
    no_go: str | None
    """Why there is too little to train on; None for a go"""
    remarks: list[str]
    """What the source tells about its files"""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def without_times(self) -> Report:
        """The same for an ordinal clock, whose times and days mean nothing."""
        return replace(self, first_time=None, last_time=None, days=0.0, suspected_bots=[])


def make_report(
    events: ValidEvents,
    items: ValidCatalogue,
    users: ValidCatalogue,
    *,
    prepare: PrepareConfig,
    remarks: tuple[str, ...] = (),
) -> Report:
    """Count everything once over the valid tables."""
    who = who_coded(events.events)
    frame = events.events.select(
        c.EVENT_TYPE,
        c.TIMESTAMP,
        who.to_physical().alias("_who"),
        *(pl.col(name).to_physical() for name in _CODED),
    )
    mine = frame.filter(pl.col(c.ITEM_ID).is_not_null() & pl.col(c.EVENT_TYPE).is_in(c.ITEM_EVENT_TYPES))
    per_user = mine.group_by("_who").len()["len"]
    num_users, num_items = len(per_user), mine[c.ITEM_ID].n_unique()
    active = int((per_user >= 2).sum())
    pairs = mine.select(_pair().n_unique()).item() if len(mine) else 0
    first, last = frame[c.TIMESTAMP].min(), frame[c.TIMESTAMP].max()
    rejected = pl.concat([events.rejected, items.rejected, users.rejected])
    listed = items.frame[c.ID].cast(pl.Categorical).to_physical()
    tables: dict[str, ValidEvents | ValidCatalogue] = {"events": events, "items": items, "users": users}
    return Report(
        rows={name: table.num_rows for name, table in tables.items()},
        refused=_counts(
            rejected.select(pl.concat_str([pl.col("table"), pl.lit(": "), pl.col("reason")])).to_series()
        ),
        dropped=_dropped(events, items, users),
        unused_columns={
            name: list(table.unused_columns) for name, table in tables.items() if table.unused_columns
        },
        num_events=len(frame),
        num_item_events=len(mine),
        event_types=_counts(frame[c.EVENT_TYPE]),
        num_users=num_users,
        num_active_users=active,
        num_items=num_items,
        num_catalogue=len(items.frame),
        first_time=first.isoformat() if first else None,  # type: ignore[union-attr]
        last_time=last.isoformat() if last else None,  # type: ignore[union-attr]
        days=round((last - first).total_seconds() / 86400, 2) if first and last else 0.0,  # type: ignore[operator, union-attr]
        density=pairs / (num_users * num_items) if pairs else 0.0,
        events_without_catalogue=int((~mine[c.ITEM_ID].is_in(listed.implode())).sum()),
        repeat_purchase_share=_repeat_share(mine),
        basket_size=_quantiles(
            mine.filter(pl.col(c.TRANSACTION_ID).is_not_null())
            .group_by("_who", c.TRANSACTION_ID)
            .len()["len"]
        ),
        session_length=_quantiles(
            frame.filter(pl.col(c.SESSION_ID).is_not_null()).group_by(c.SESSION_ID).len()["len"]
        ),
        suspected_bots=_bots(frame, who),
        currency=events.currency,
        no_go=_no_go(len(mine), active, prepare),
        remarks=list(remarks),
    )


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
    return "; ".join(reasons) or None


def _counts(values: pl.Series) -> dict[str, int]:
    table = values.alias("value").value_counts().sort("count", "value", descending=[True, False])
    return {str(name): int(count) for name, count in table.iter_rows()}


def _quantiles(sizes: pl.Series) -> dict[str, float]:
    if sizes.is_empty():
        return {}
    return {f"{round(q * 100)}%": float(sizes.quantile(q, interpolation="lower") or 0) for q in QUANTILES}


def _pair() -> pl.Expr:
    """User and item as one number."""
    return pl.col("_who").cast(pl.UInt64) * 2**32 + pl.col(c.ITEM_ID).cast(pl.UInt64)


def _repeat_share(mine: pl.DataFrame) -> float | None:
    bought = mine.filter(pl.col(c.EVENT_TYPE) == "purchase")
    if bought.is_empty():
        return None
    basket = pl.coalesce(pl.col(c.TRANSACTION_ID).cast(pl.Int64), -pl.col(c.TIMESTAMP).dt.epoch("us") - 1)
    pairs = bought.with_columns(basket.alias("_basket")).select(_pair().alias("_pair"), "_basket").unique()
    return float(1 - pairs["_pair"].n_unique() / len(pairs))


def _bots(frame: pl.DataFrame, who: pl.Series) -> list[str]:
    """The busiest people, by the key of `who`, which has a row for each of `frame`."""
    active = frame.group_by("_who").len().filter(pl.col("len") > BOT_EVENTS_A_DAY)["_who"]
    mine = frame["_who"].is_in(active.implode())
    events = frame.filter(mine).select(c.TIMESTAMP, who.filter(mine).cast(pl.String).alias("_name"))
    daily = events.group_by("_name", pl.col(c.TIMESTAMP).dt.date().alias("_day")).len()
    busy = daily.filter(pl.col("len") > BOT_EVENTS_A_DAY).sort("len", "_name", descending=[True, False])
    return busy["_name"].unique(maintain_order=True).head(20).to_list()
