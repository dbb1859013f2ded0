"""Products of which more comes back than used to: the early warning of a bad batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.settings.returns import ReturnsConfig
from features.customers.customer_events import ITEM, ORDER, TIME
from features.customers.price_levels import CATEGORY
from features.customers.profile_columns import USER
from features.profiles.significance import discoveries, log_p_value

WARNINGS_SCHEMA: Final = {
    "item": pl.String,
    "category": pl.String,
    "recent_lines": pl.Int64,
    "recent_returned": pl.Int64,
    "recent_people": pl.Int64,
    "recent_rate": pl.Float64,
    "compared_with": pl.String,
    "compared_lines": pl.Int64,
    "compared_returned": pl.Int64,
    "compared_rate": pl.Float64,
    "p_value": pl.Float64,
    "is_warning": pl.Boolean,
}
"""One row a tested product, the least likely by chance first. `recent_people`: customers who sent it back;
`compared_with`: `its own past`, `its category` or `all products`"""

OWN, ITS_CATEGORY, ALL = "its own past", "its category", "all products"
MOST_COMPARED: Final = 5_000
"""Earlier lines that a product is compared with: the latest ones"""

NEVER: Final = 2**62
Longs = NDArray[np.int64]
_NO_ROWS: Final = np.zeros(0, np.int64)


def return_warnings(lines: pl.DataFrame, rules: ReturnsConfig, *, as_of: datetime) -> pl.DataFrame:
    """`WARNINGS_SCHEMA`. `lines`: those of `matched_lines`.

    What was bought lately has had less time to come back. So each earlier line is given only as much time as
    one of the recent ones has had, spread evenly over them, and what came back later does not count. Then
    Fisher's exact test, one-sided, and Benjamini and Hochberg's floor over all products that were tested.
    """
    found = _Lines.of(
        lines.sort(TIME, ITEM, ORDER), since=as_of - timedelta(days=rules.recent_days), as_of=as_of
    )
    rows = []
    for item, own in found.by_item.items():
        recent = own[found.is_recent[own]]
        if len(recent) < rules.min_lines:
            continue
        name, earlier = found.compared_with(item, own, min_lines=rules.min_lines)
        if len(earlier) < rules.min_lines:
            continue
        back = int((found.delay[recent] < NEVER).sum())
        back_earlier = int((found.delay[earlier] <= _spread(found.age[recent], len(earlier))).sum())
        total = len(recent) + len(earlier)
        rows.append(
            {
                "item": item,
                "category": found.category[own[0]],
                "recent_lines": len(recent),
                "recent_returned": back,
                "recent_people": len(np.unique(found.user[recent[found.delay[recent] < NEVER]])),
                "recent_rate": back / len(recent),
                "compared_with": name,
                "compared_lines": len(earlier),
                "compared_returned": back_earlier,
                "compared_rate": back_earlier / len(earlier),
                "p_value": float(np.exp(log_p_value(back, len(recent), back + back_earlier, total))),
            }
        )
    table = pl.DataFrame(rows, schema={n: kind for n, kind in WARNINGS_SCHEMA.items() if n != "is_warning"})
    log_p = np.log(np.maximum(table["p_value"].to_numpy(), 1e-300))
    stands = discoveries(log_p, num_tests=max(len(table), 1), false_discovery_rate=rules.false_discovery_rate)
    by_enough = pl.col("recent_people") >= rules.min_people
    is_warning = (pl.Series(stands, dtype=pl.Boolean) & by_enough).alias("is_warning")
    return table.with_columns(is_warning).sort("p_value", "item")


@dataclass(frozen=True)
class _Lines:
    """Order lines by time; rows are places in these."""

    is_recent: NDArray[np.bool_]
    age: Longs
    """Microseconds since the line was bought"""
    delay: Longs
    """Microseconds until it came back, else `NEVER`"""
    user: Longs
    category: list[str | None]
    by_item: dict[str, Longs]
    """Item → its rows"""
    earlier: Longs
    earlier_by_category: dict[str, Longs]

    @classmethod
    def of(cls, lines: pl.DataFrame, *, since: datetime, as_of: datetime) -> _Lines:
        rows = lines.select(
            pl.col(ITEM, CATEGORY).cast(pl.String),
            (pl.col(TIME) >= since).alias("is_recent"),
            (pl.lit(as_of) - pl.col(TIME)).dt.total_microseconds().alias("age"),
            (pl.col("back_at") - pl.col(TIME)).dt.total_microseconds().fill_null(NEVER).alias("delay"),
            pl.col(USER).to_physical().cast(pl.Int64).alias("user"),
        ).with_row_index("row")
        before = rows.filter(~pl.col("is_recent"))
        return cls(
            is_recent=rows["is_recent"].to_numpy(),
            age=rows["age"].to_numpy(),
            delay=rows["delay"].to_numpy(),
            user=rows["user"].to_numpy(),
            category=rows[CATEGORY].to_list(),
            by_item=_places(rows, ITEM),
            earlier=before["row"].to_numpy().astype(np.int64),
            earlier_by_category=_places(before.drop_nulls(CATEGORY), CATEGORY),
        )

    def compared_with(self, item: str, own: Longs, *, min_lines: int) -> tuple[str, Longs]:
        """(its name, the earlier lines that the item's recent ones are compared with): of its own where there
        are enough, else of the other products of its category, else of all others."""
        past = own[~self.is_recent[own]][-MOST_COMPARED:]
        if len(past) >= min_lines:
            return OWN, past
        of_category = self.earlier_by_category.get(self.category[own[0]] or "", _NO_ROWS)
        others = np.setdiff1d(of_category[-2 * MOST_COMPARED :], own, assume_unique=True)[-MOST_COMPARED:]
        if len(others) >= min_lines:
            return ITS_CATEGORY, others
        everything = np.setdiff1d(self.earlier[-2 * MOST_COMPARED :], own, assume_unique=True)
        return ALL, everything[-MOST_COMPARED:]


def _places(rows: pl.DataFrame, by: str) -> dict[str, Longs]:
    grouped = rows.group_by(by, maintain_order=True).agg("row")
    return {str(name): np.asarray(places, np.int64) for name, places in grouped.iter_rows()}


def _spread(ages: Longs, count: int) -> Longs:
    """(count,) the ages, each as often as the others, in an order that has nothing to do with time."""
    even = np.sort(ages)[np.arange(count) * len(ages) // count]
    return np.random.default_rng(0).permutation(even)
