"""What the folder `channels` holds, in words."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from configs.settings.channels import ChannelsConfig
from features.customers.attribution import MODELS
from features.customers.channels import NOT_CAUSE, Channels, joined_text
from features.customers.report_folder import described

COLUMNS: Final = {
    "channel": "its name, in lower case",
    "touches": "visits by it",
    "shoppers": "different shoppers who came by it",
    "orders_with": "orders on whose path it stands",
    **{
        f"orders_{name}": f"orders credited by {words}; they sum to all orders"
        for name, words in MODELS.items()
    },
    **{f"revenue_{name}": f"revenue credited by {words}, before refunds" for name, words in MODELS.items()},
    "removal_effect": "share of the orders of the Markov chain that pass through it",
}
_PATHS: Final = {
    "path": "the channels on the way to an order, in their order; the same one in a row stands once",
    "orders": "orders that came this way",
    "shoppers": "different shoppers",
    "revenue": "of these orders, before refunds",
}
_SHOPPERS: Final = {
    "key": "an id: a user_id, or `visitor:` and a visitor_id",
    "shopper": "the first id of the shopper it belongs to",
    "joined_by": "login, order, email: what joined it to another id; empty for one that stands alone",
}


def read_me(found: Channels, rules: ChannelsConfig, *, shop: str, made_from: str) -> str:
    """The README.txt."""
    lines = [
        f"Channels of {shop}, as of {found.as_of:%Y-%m-%d %H:%M} UTC, from the tables {made_from}.",
        "",
        *wrap(NOT_CAUSE, width=100),
        "",
        f"A channel is the {' / '.join(found.columns)} of a visit. A visit counts for an order that comes",
        f"within {rules.lookback_days:g} days (channels.lookback_days); the last one before it always does.",
        "Whoever was erased, or did not agree to be in the tables, is in none of them.",
        *joined_text(found.shoppers),
        *found.remarks,
        "",
        "channels.parquet  one row a channel",
        *described(COLUMNS),
        "paths.parquet     one row a way to an order, of ways that enough shoppers took",
        *described(_PATHS),
        "shoppers.parquet  one row an id. It is about single people: keep it as you keep your orders.",
        *described(_SHOPPERS),
    ]
    return "\n".join(lines) + "\n"
