"""The stage of a product's life, from its sales by time: introduction, growth, mature or decline.

Source of the stages: the product life cycle, by the change of sales (Polli & Cook, The Journal of Business
42(4), 1969). Shapes: N items.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from configs.schema import Config
from features.interactions import Interactions
from features.profiles.arrivals import arrival_ages
from features.profiles.rise import rise

STAGE: Final = "stage"
"""The column of the catalogue"""

INTRODUCTION: Final = "introduction"
PAST: Final = 6
"""The half-life of an item's own past, in recent windows"""

PRIOR: Final = 5.0
"""Expected events that speak for no change, see `rise`"""

CHANGE: Final = 1.1
"""A product grows where it sells at least so many times what its past would give it, and declines where it
sells at most one so-many-th of that …"""

PROBABILITY: Final = 0.9
"""… with this probability: what hardly sells is called neither."""


def stages(interactions: Interactions, config: Config) -> pl.Series | None:
    """(N,) the stage of each item; None on an ordinal clock.

    - `introduction`: a new arrival with fewer than `retrievers.new_events` target events
    - `growth`, `decline`: sells more, or less, than its own past would give it, see `CHANGE` and
      `PROBABILITY`; events halve every recent window, and in its past every six
    - `mature`: the rest, if it had a target event; null without one
    """
    if not interactions.has_times:
        return None
    settings, size = config.retrievers, interactions.num_items
    days = settings.popularity_days
    found = rise(interactions, days=days, past_days=PAST * days, prior=PRIOR)
    had = np.bincount(interactions.events.items, weights=interactions.weights, minlength=size)
    is_new = np.isfinite(arrival_ages(interactions, days=settings.new_days)) & (had < settings.new_events)
    grows = found.at_least(PROBABILITY) > CHANGE
    declines = found.at_least(1 - PROBABILITY) < 1 / CHANGE
    named = np.select(
        [is_new, grows, declines, had > 0], [INTRODUCTION, "growth", "decline", "mature"], default=""
    )
    return pl.Series(STAGE, named).replace("", None)
