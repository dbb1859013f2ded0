"""Settings of `shopkeeper forecast`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.settings.section import Section


class ForecastsConfig(Section):
    """Who buys, who leaves, and how much is to be expected of each customer: docs/forecasts.md."""

    days: int = Field(30, ge=1, le=366)
    """Forecasts are of so many days after the last event. `--days` sets it. The data must span three times as
    many."""

    model: Literal["lightgbm", "bg_nbd"] = "lightgbm"
    """What `users.parquet` has. `lightgbm`: boosted trees, which need the extra `customers`. `bg_nbd`: BG/NBD
    with Gamma-Gamma, which reads nothing but when and for how much somebody ordered. The evaluation shows
    both, where they are installed."""

    min_repeat_buyers: int = Field(100, ge=2)
    """With fewer customers who ordered twice before the windows that are learnt from and judged, it is an
    error: there is too little to learn from."""

    num_moments: int = Field(4, ge=1, le=24)
    """The trees and the RFM rules learn from so many windows before the moment, one after another, as far as
    they are no more than half of the data."""

    seed: int = 0
    """Seed of the trees."""
