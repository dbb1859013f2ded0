"""What the folder `returns` holds, in words."""

from __future__ import annotations

from typing import Final

from configs.settings.returns import ReturnsConfig
from features.customers.report_folder import described
from features.customers.returns import Returns

COUNTS: Final = {
    "lines": "order lines: one product in one order",
    "returned_lines": "those of which at least a part came back",
    "people": "different customers who bought",
    "returned_people": "different customers who sent something back",
    "units": "pieces, kilograms or metres bought",
    "returned_units": "of them, what came back",
    "value": "what was paid",
    "returned_value": "of it, for what came back",
    "rate": "returned_lines / lines, as counted",
    "shrunk_rate": "the same, drawn towards the category's where lines are few",
    "low, high": "the interval of shrunk_rate",
}
_CUSTOMERS: Final = {"clearly_above": "true: even the low end is above the rate of the whole shop"}
_WARNINGS: Final = {
    "recent_lines": "order lines of the last days (returns.recent_days)",
    "recent_returned": "of them, what came back already",
    "recent_people": "customers who sent it back",
    "compared_with": "its own past; its category, where it has too little; or all products",
    "compared_lines": "earlier order lines",
    "compared_returned": "of them, what came back within as short a time as the recent ones have had",
    "p_value": "probability of so many by chance (Fisher's exact test, one-sided)",
    "is_warning": "true: so unlikely that it stands out among all tested (returns.false_discovery_rate)",
}
_INSTEAD: Final = {
    "item, instead": "the product that came back, and one that fits instead",
    "why": "kept by those who sent it back; or seldom comes back, same category",
    "people": "customers who sent `item` back and kept `instead`",
    "rate, rate_instead": "how often the two come back (shrunk_rate)",
}


def read_me(found: Returns, rules: ReturnsConfig, *, shop: str, made_from: str) -> str:
    """The README.txt."""
    lines = [
        f"Returns of {shop}, as of {found.as_of:%Y-%m-%d %H:%M} UTC, from the tables {made_from}.",
        "",
        "A refund is taken from the latest purchase of its product by its customer, its own order first.",
        "What was bought lately may still come back: rates of new products are too low.",
        "Whoever was erased, or did not agree to be in the tables, is in none of them.",
        *found.remarks,
        "",
        "products.parquet    one row a product",
        *described(COUNTS),
        "categories.parquet  the same of each category; an empty one is that of products without any",
        "customers.parquet   the same of each customer, drawn towards the shop's rate. It is about single",
        "                    people: keep it as you keep your orders.",
        *described(_CUSTOMERS),
        f"warnings.parquet    one row a product with {rules.min_lines} recent order lines or more",
        *described(_WARNINGS),
        "instead.parquet     what fits instead of products that come back",
        *described(_INSTEAD),
    ]
    return "\n".join(lines) + "\n"
