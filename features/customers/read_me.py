"""What tables and exported files of customers hold, in words: as of when, of whom, with which consent."""

from __future__ import annotations

from datetime import datetime

from configs.settings.customers import CustomersConfig
from features.customers.compute import Customers
from features.customers.profile_columns import COLUMNS, TAG

_WIDTH = 22


def read_me(customers: Customers, rules: CustomersConfig, *, shop: str, made_from: str) -> str:
    """The README.txt of the folder `customers`."""
    before = customers.moved.since
    since = f"since {moment(before.as_of)}" if before else "from the next run on"
    lines = [
        f"Customers of {shop}, as of {moment(customers.as_of)}, from the tables {made_from}.",
        "",
        *described(customers, rules),
        "",
        "profiles.parquet  one row a customer, of everybody with an event: columns below. It is about single",
        "                  people: keep it as you keep your orders.",
        "segments.parquet  one row a segment, with people, orders and revenue",
        "groups.parquet    one row a group of customers who buy alike, with the centres of its numbers",
        f"moves.parquet     how people moved between life stages and groups, {since}",
        "earlier.parquet   life stage and group of each customer then",
        "",
        *columns(rules),
    ]
    return "\n".join(lines) + "\n"


def export_note(
    customers: Customers,
    rules: CustomersConfig,
    *,
    shop: str,
    condition: str | None,
    people: int,
    left_out: int,
) -> str:
    """What stands beside an exported file."""
    which = f"customers for whom {condition}" if condition else "all customers"
    lines = [
        f"{people:,} rows, one a customer: {which} of {shop}, as of {moment(customers.as_of)}.",
        f"{left_out:,} more fit, and did not agree to stand in an exported file." if left_out else "",
        "It is about single people: delete it when it has served its purpose.",
        "",
        *described(customers, rules),
        "",
        *columns(rules),
    ]
    return "\n".join(lines) + "\n"


def described(customers: Customers, rules: CustomersConfig) -> list[str]:
    """Consent, who is left out, and what was remarked, a sentence each."""
    found = [
        "Whoever was erased, or did not agree that events are kept, is in none of the tables.",
        *(
            f"Consent to {use}: {name} is a clear yes for {customers.consents[use]:,} customers."
            for use, name in rules.consent.items()
        ),
    ]
    if not rules.consent:
        found.append("No further consent by purpose is asked for (customers.consent).")
    found.append(f"Segments, groups and moves of fewer than {rules.min_group_size} people are left out.")
    found.append(f"The shop's purchase cycle is {customers.shop_cycle:g} days.")
    return found + customers.remarks


def columns(rules: CustomersConfig) -> list[str]:
    """A line for each column of the profiles."""
    tags = {f"{TAG}{name}": condition for name, condition in rules.tags.items()}
    return [f"{name:<{_WIDTH}}{meaning}" for name, meaning in {**COLUMNS, **tags}.items()]


def moment(time: datetime) -> str:
    """`2024-03-01 04:01 UTC`"""
    return f"{time:%Y-%m-%d %H:%M} UTC"
