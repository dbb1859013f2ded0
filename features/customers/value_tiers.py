"""Value tiers: where a customer's revenue stands among that of all who bought."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from configs.exceptions import ConfigError


def tier_bounds(profiles: pl.DataFrame, tiers: Mapping[str, float]) -> dict[str, float]:
    """Tier → the least revenue in it, the highest tier first; empty where nobody spent anything known.

    Raises ConfigError where no tier begins at 0.
    """
    if min(tiers.values()) > 0:
        raise ConfigError(
            f"customers.value_tiers={dict(tiers)}: no tier begins at 0, so who spent least is in none: add "
            "one."
        )
    spent = profiles.filter(pl.col("orders") > 0)["spent"].drop_nulls()
    if spent.is_empty():
        return {}
    highest_first = sorted(tiers, key=lambda name: -tiers[name])
    return {
        name: float(spent.quantile(tiers[name], "higher") if tiers[name] else spent.min())  # type: ignore[arg-type]
        for name in highest_first
    }


def with_value_tier(profiles: pl.DataFrame, bounds: Mapping[str, float]) -> pl.DataFrame:
    """Adds `value_tier`, null for those without an order or a known price. Equal revenues are in one tier."""
    tier = pl.lit(None, pl.String)
    for name in reversed(list(bounds)):
        tier = pl.when(pl.col("spent") >= bounds[name]).then(pl.lit(name)).otherwise(tier)
    return profiles.with_columns(pl.when(pl.col("orders") > 0).then(tier).alias("value_tier"))


def tier_conditions(bounds: Mapping[str, float]) -> dict[str, str]:
    """Tier → its condition in plain words."""
    found, above = {}, None
    for name, bound in bounds.items():
        found[name] = (
            f"spent {bound:,.2f} or more" if above is None else f"spent {bound:,.2f} up to {above:,.2f}"
        )
        above = bound
    return found
