"""The funnel of a visit: looked, put into the cart, began to check out, bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from features.core.columns import EVENT_TYPE
from features.report.empty import Empty
from features.report.shop_events import PERSON, VISIT, num_people

STEPS: Final = {
    "view": ("view_item", "select_item"),
    "cart": ("add_to_cart",),
    "checkout": ("begin_checkout", "add_shipping_info", "add_payment_info"),
    "purchase": ("purchase",),
}
"""Step → the event types that take a visit there"""


@dataclass(frozen=True)
class Step:
    """How many visits came so far: here, and through every step before."""

    name: str
    visits: int | None
    """None where fewer people than may be shown came so far"""
    share: float | None
    """Of the visits of the first step"""


@dataclass(frozen=True)
class Funnel:
    """The steps for which the shop has events, in their order."""

    steps: list[Step]
    visits: int
    """With an event of any step"""
    outside: int
    """Visits with a purchase, and without one of the earlier steps"""


def funnel(events: pl.DataFrame, *, min_people: int) -> Funnel | Empty:
    """Of the rows of `shop_events`."""
    kinds = pl.col(EVENT_TYPE).cast(pl.String)
    visits = (
        events.lazy()
        .group_by(VISIT)
        .agg(pl.col(PERSON).first(), *(kinds.is_in(types).any().alias(step) for step, types in STEPS.items()))
        .collect()
    )
    present = [step for step in STEPS if visits[step].any()]
    if len(present) < 2:
        return Empty("one_step" if present else "no_steps", {"step": present[0]} if present else {})
    steps: list[Step] = []
    here = visits
    for step in present:
        here = here.filter(pl.col(step))
        is_shown = num_people(here, VISIT) >= min_people
        first = steps[0].visits if steps else len(here)
        shown = len(here) if is_shown and first is not None else None
        steps.append(Step(step, shown, shown / first if shown and first else None))
    if steps[0].visits is None:
        return Empty("few_visitors", {"people": min_people})
    bought = visits.filter(pl.col("purchase"))
    outside = bought.filter(~pl.all_horizontal(present))
    return Funnel(
        steps=steps,
        visits=len(visits.filter(pl.any_horizontal(present))),
        outside=len(outside) if num_people(outside, VISIT) >= min_people else 0,
    )
