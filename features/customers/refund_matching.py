"""Which order lines came back: each refund is taken from the purchases of its user and item.

Shapes: E purchases and refunds, sorted by user and item, then by time, a purchase before a refund of the same
time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core import columns as c
from features.core.compiled import compiled
from features.customers.customer_events import ITEM, ORDER, TIME
from features.customers.price_levels import AMOUNT, CATEGORY
from features.customers.profile_columns import USER

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

RETURNED: Final = "returned"
LINES_SCHEMA: Final = (USER, ITEM, CATEGORY, ORDER, TIME, c.QUANTITY, AMOUNT, RETURNED, "back_at")
"""One row an order line. `returned`: units that came back; `back_at`: when the first of them did"""

_NOTHING: Final = 1e-9
"""Units of less than this are rounding"""


def matched_lines(lines: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """(the purchases of `order_lines` as `LINES_SCHEMA`, the number of refunds without a purchase).

    A refund takes its units from the latest purchases before it, or at its time, of the same user and item:
    those of its own order first, where it names one. Lines of one item in one order are one line.
    """
    units = pl.col(c.QUANTITY).fill_null(1.0)
    keys = (USER, ITEM, ORDER, c.EVENT_TYPE)
    purchases = lines.filter(pl.col(c.EVENT_TYPE) == "purchase")
    bought = purchases.group_by(keys).agg(
        pl.col(TIME).min(),
        units.sum(),
        pl.col(AMOUNT).sum(),
        pl.col(CATEGORY).first(),
        pl.col(AMOUNT).count().alias("_priced"),
    )
    refunds = lines.filter(pl.col(c.EVENT_TYPE) == "refund").select(*keys, TIME, units)
    both = pl.concat([bought, refunds], how="diagonal").with_columns(
        (pl.col(c.EVENT_TYPE) == "refund").alias("_is_refund"),
        pl.struct(pl.col(USER).to_physical(), pl.col(ITEM).to_physical()).rank("dense").alias("_group"),
    )
    both = both.sort("_group", TIME, "_is_refund", ORDER, c.QUANTITY)
    returned, back, unmatched = _match(
        both["_group"].to_numpy().astype(np.int64),
        both[ORDER].to_numpy().view(np.int64),
        both[TIME].dt.epoch("us").to_numpy(),
        both[c.QUANTITY].to_numpy().astype(np.float64),
        both["_is_refund"].to_numpy(),
    )
    found = both.with_columns(
        pl.Series(RETURNED, returned),
        pl.Series("back_at", back).cast(pl.Datetime("us", "UTC")),
        pl.when(pl.col("_priced") > 0).then(AMOUNT).alias(AMOUNT),
    ).filter(~pl.col("_is_refund"))
    came_back = pl.col(RETURNED) > 0
    return found.with_columns(pl.when(came_back).then("back_at").alias("back_at")).select(LINES_SCHEMA), int(
        unmatched
    )


@compiled
def _match(
    group: Longs, order: Longs, time: Longs, units: Floats, is_refund: NDArray[np.bool_]
) -> tuple[Floats, Longs, int]:
    """(E,) units that came back of each purchase, (E,) when first, and how many refunds found nothing."""
    left, back = units.copy(), np.zeros(len(group), np.int64)
    open_lines = np.empty(len(group), np.int64)
    num_open, unmatched = 0, 0
    for row in range(len(group)):
        if row == 0 or group[row] != group[row - 1]:
            num_open = 0
        if not is_refund[row]:
            open_lines[num_open] = row
            num_open += 1
            continue
        rest = units[row]
        for own_order in (True, False):
            place = num_open - 1
            while place >= 0 and rest > _NOTHING:
                line = open_lines[place]
                if (not own_order or order[line] == order[row]) and left[line] > _NOTHING:
                    taken = min(rest, left[line])
                    left[line] -= taken
                    rest -= taken
                    if back[line] == 0:
                        back[line] = time[row]
                place -= 1
            while num_open > 0 and left[open_lines[num_open - 1]] <= _NOTHING:
                num_open -= 1
        if rest > units[row] - _NOTHING:
            unmatched += 1
    return units - left, back, unmatched
