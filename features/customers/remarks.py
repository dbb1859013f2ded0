"""What a run has to say of its data and rules, in sentences."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from configs.exceptions import ConfigError
from configs.settings.customers import CustomersConfig
from features.core.columns import EVENT_TYPE
from features.customers.customer_tables import State
from features.customers.price_levels import AMOUNT


def check_rules(rules: CustomersConfig) -> None:
    """Raise ConfigError for rules that contradict each other."""
    if rules.lapsed_cycles <= rules.at_risk_cycles:
        raise ConfigError(
            f"customers.lapsed_cycles={rules.lapsed_cycles:g} is not above "
            f"customers.at_risk_cycles={rules.at_risk_cycles:g}: nobody would be at risk."
        )


def why_nobody(as_of: datetime | None, rules: CustomersConfig) -> str:
    """Of tables without a customer."""
    if "profiles" in rules.consent:
        attribute = rules.consent["profiles"]
        return f"nobody agreed to customers.consent.profiles={attribute}, so nothing is computed."
    when = f" before {as_of.isoformat()}" if as_of else ""
    return f"there is no event{when}, so there are no customers."


def of_prices(lines: pl.DataFrame) -> list[str]:
    """What is missing in the purchases and refunds of `order_lines`."""
    purchases = lines.filter(pl.col(EVENT_TYPE) == "purchase")
    if purchases.is_empty():
        return ["No purchase: nobody has scores, a tier or a group."]
    if not lines[AMOUNT].count():
        return [
            "No price, in events or catalogue: nothing that is made of money is known (spent, value tiers, "
            "points, the monetary score)."
        ]
    from_catalogue = int((purchases["has_no_price"] & purchases[AMOUNT].is_not_null()).sum())
    unknown = purchases[AMOUNT].null_count()
    found = []
    if from_catalogue:
        found.append(f"{from_catalogue:,} purchases without a price count at the catalogue's.")
    if unknown:
        found.append(f"{unknown:,} of {len(purchases):,} purchases have no price, and count as 0.")
    return found


def of_groups(profiles: pl.DataFrame, groups: pl.DataFrame) -> list[str]:
    """Why there are none."""
    buyers = int((profiles["orders"] > 0).sum())
    if len(groups) or not buyers:
        return []
    return [f"{buyers:,} customers with an order are too few for groups, or nothing tells them apart."]


def stage_rules(rules: CustomersConfig) -> dict[str, float]:
    """The settings that life stages hang on, for the next run to know them."""
    names = ("new_days", "loyal_orders", "at_risk_cycles", "lapsed_cycles", "min_cycle_days")
    return {name: getattr(rules, name) for name in names}


def of_rules(since: State | None, rules: CustomersConfig) -> list[str]:
    """Whether moves since a state may come from other rules."""
    if since is None or since.stage_rules == stage_rules(rules):
        return []
    return ["The rules of life stages have changed since the state before: some people moved by that alone."]
