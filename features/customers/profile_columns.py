"""The columns of `profiles.parquet`: name → what it holds. Exports and the documentation say it so."""

from __future__ import annotations

from typing import Final

USER: Final = "user_id"

SEEN: Final = {
    USER: "the customer's id; of somebody who never signed in, `visitor:` and the visitor's id",
    "first_seen": "time of the first event, UTC",
    "last_seen": "time of the last event, UTC",
    "visits": "visits (sessions)",
    "views": "products looked at",
    "device": "the device of most visits",
    "source": "where most visits come from",
}
ORDERED: Final = {
    "first_order": "time of the first purchase, UTC",
    "last_order": "time of the last purchase, UTC",
    "days_since_order": "days since the last purchase",
    "orders": "orders; without order numbers, visits with a purchase",
    "order_days": "days with a purchase",
    "cycle_days": "purchase cycle: median days between two days with a purchase; empty below three such days",
    "lines": "rows of all orders",
    "units": "pieces, kilograms or metres bought",
    "products": "different products bought",
    "categories": "different categories bought from",
}
SPENT: Final = {
    "bought": "value of all purchases, before refunds",
    "refunded": "value of all refunds",
    "spent": "bought less refunded: the customer's revenue",
    "average_order": "bought per order",
    "refund_share": "refunded as a share of bought, at most 1",
    "discount_share": "share of the rows that were bought with a coupon, or 5 % or more below the product's "
    "usual price (the median that everybody paid)",
    "price_level": "0: the cheapest products of their categories, 1: the most expensive; mean over all rows",
    "price_band": "low, middle or high: the third of their categories' prices that most rows are from",
}
HABITS: Final = {
    "favourite_category": "the category of most rows",
    "favourite_categories": "the three categories of most rows, separated by `; `",
    "favourite_brand": "the brand of most rows",
    "favourite_brands": "the three brands of most rows, separated by `; `",
    "channel": "the channel of most rows",
    "hour": "the hour of the day (0 to 23) of most orders, in the shop's time zone",
    "morning_share": "share of the orders from 5 to 11 o'clock",
    "evening_share": "share of the orders from 18 to 23 o'clock",
    "weekend_share": "share of the orders on Saturday and Sunday",
}
STANDING: Final = {
    "life_stage": "no order, new, active, loyal, at risk or lapsed",
    "recency_score": "1 to 5: the fifth of the customers with the latest orders has 5",
    "frequency_score": "1 to 5: the fifth with the most orders has 5",
    "monetary_score": "1 to 5: the fifth that spent most has 5",
    "rfm": "the three scores side by side, such as 545",
    "value_tier": "the tier of `customers.value_tiers`, by what was spent",
    "points": "membership points that count now",
    "level": "the level of `customers.levels`",
    "level_at_risk": "true: the points have fallen below the level, which is kept for a while",
    "points_to_next": "points that the next level still takes; empty at the highest",
    "group": "number of the group of customers who buy alike; the same from run to run",
    "group_name": "what sets the group apart",
    "may_export": "true: the customer may stand in an exported file",
}
COLUMNS: Final = {**SEEN, **ORDERED, **SPENT, **HABITS, **STANDING}
"""All of them, in their order. One `tag_NAME` for each of `customers.tags` follows."""

TAG: Final = "tag_"
