"""Which ids are one shopper: joined by login, by order and by hashed e-mail address.

A link joins the ids that one device, order or e-mail address stands on. What too many accounts share joins
nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from configs.settings.channels import ChannelsConfig
from features.core import columns as c
from features.core.ids import VISITOR_PREFIX
from features.customers.agreed_events import KEY

SHOPPER: Final = "shopper"
SHOPPERS_SCHEMA: Final = {"key": pl.String, SHOPPER: pl.String, "joined_by": pl.String}
"""One row an id: the shopper's name is the first of their user_ids, else of their visitors; `joined_by`: the
rules that joined it to another id, separated by commas, null for an id that stands alone"""

NOT_UNIQUE: Final = 0.05
"""More order numbers than this on two accounts are no numbers of the whole shop."""

EMPTY_EMAIL: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing at all"""

_LINK: Final = "link"
_IS_ACCOUNT: Final = ~pl.col(KEY).str.starts_with(VISITOR_PREFIX)


@dataclass(frozen=True)
class Shoppers:
    """Every id of the events, and whose it is."""

    table: pl.DataFrame
    """`SHOPPERS_SCHEMA`"""
    joined: dict[str, int]
    """Rule → ids that it joined to another one"""
    refused: dict[str, int]
    """Rule → devices, orders or e-mail addresses that too many share"""
    remarks: list[str] = field(default_factory=list)

    @property
    def num_shoppers(self) -> int:
        """People, as far as is known."""
        return self.table[SHOPPER].n_unique()


def shoppers(events: pl.LazyFrame, emails: pl.DataFrame, rules: ChannelsConfig) -> Shoppers:
    """Join the ids of `agreed_events`. `emails`: `KEY` and `value`, the hashed addresses."""
    keys = events.select(KEY).unique().collect().sort(KEY)
    remarks: list[str] = []
    links = {
        "login": _logins(events, max_devices=rules.max_devices),
        "order": _orders(events, remarks),
        "email": _emails(emails, remarks, attribute=rules.email_attribute),
    }
    edges: list[pl.DataFrame] = []
    joined: dict[str, int] = {}
    refused: dict[str, int] = {}
    for rule, most in rules.max_accounts.items():
        pairs = links[rule].join(keys, on=KEY, how="semi").unique().sort(_LINK, KEY)
        accounts = pl.len() if rule == "order" else _IS_ACCOUNT.sum()
        is_shared = (accounts.over(_LINK) > most) | (pl.len().over(_LINK) > rules.max_devices)
        refused[rule] = pairs.filter(is_shared)[_LINK].n_unique()
        together = pairs.filter(~is_shared, pl.len().over(_LINK) > 1)
        joined[rule] = together[KEY].n_unique()
        edges.append(
            together.select(
                KEY, pl.col(KEY).first().over(_LINK).alias("other"), pl.lit(rule).alias("joined_by")
            )
        )
    return Shoppers(_joined(keys[KEY], edges), joined, refused, remarks)


def _joined(keys: pl.Series, edges: list[pl.DataFrame]) -> pl.DataFrame:
    """The connected components; `keys` are in their order."""
    rows = pl.DataFrame({KEY: keys}).with_row_index("row")
    all_edges = pl.concat(edges) if edges else pl.DataFrame(schema=[KEY, "other", "joined_by"])
    all_edges = all_edges.with_columns(pl.col(KEY, "other", "joined_by").cast(pl.String))
    ends = all_edges.join(rows, on=KEY, how="left", maintain_order="left")
    other = all_edges.join(rows, left_on="other", right_on=KEY, how="left", maintain_order="left")
    ones = np.ones(len(ends), np.int8)
    shape = (len(keys), len(keys))
    graph = coo_array((ones, (ends["row"].to_numpy(), other["row"].to_numpy())), shape=shape)
    _, component = connected_components(graph, directed=False)
    by = all_edges.unique().group_by(KEY).agg(pl.col("joined_by").unique().sort().str.join(", "))
    found = pl.DataFrame({KEY: keys, "_component": component}).sort(
        _IS_ACCOUNT, KEY, descending=[True, False]
    )
    return (
        found.with_columns(pl.col(KEY).first().over("_component").alias(SHOPPER))
        .join(by, on=KEY, how="left")
        .select(pl.col(KEY).alias("key"), SHOPPER, "joined_by")
        .sort(SHOPPER, "key")
    )


def _logins(events: pl.LazyFrame, *, max_devices: int) -> pl.DataFrame:
    """A visitor's id that stands in an event with a user_id is that user's, unless the user has too many."""
    both = (
        events.filter(pl.col(c.USER_ID).is_not_null() & pl.col(c.VISITOR_ID).is_not_null())
        .select(pl.concat_str([pl.lit(VISITOR_PREFIX), pl.col(c.VISITOR_ID)]).alias(_LINK), KEY)
        .unique()
        .collect()
    )
    few = both.filter(pl.len().over(KEY) <= max_devices)
    return pl.concat([few, few.select(_LINK, pl.col(_LINK).alias(KEY)).unique()])


def _orders(events: pl.LazyFrame, remarks: list[str]) -> pl.DataFrame:
    """The ids on which one order number stands. Without any where the numbers are not of the whole shop."""
    pairs = (
        events.filter((pl.col(c.EVENT_TYPE) == "purchase") & pl.col(c.TRANSACTION_ID).is_not_null())
        .select(pl.col(c.TRANSACTION_ID).alias(_LINK), KEY)
        .unique()
        .collect()
    )
    accounts = pairs.filter(_IS_ACCOUNT).group_by(_LINK).len()
    on_several = int((accounts["len"] > 1).sum())
    if on_several > NOT_UNIQUE * max(len(accounts), 1):
        remarks.append(
            f"{on_several:,} of {len(accounts):,} order numbers stand on more than one account: they are not "
            "numbers of the whole shop, and nobody is joined by order."
        )
        return pairs.clear()
    return pairs


def _emails(emails: pl.DataFrame, remarks: list[str], *, attribute: str) -> pl.DataFrame:
    """The ids with one hashed address. What is no hash, or that of a blank, joins nobody."""
    text = pl.col("value").str.strip_chars().str.to_lowercase()
    hashed = emails.select(text.alias(_LINK), KEY)
    is_hash = pl.col(_LINK).str.contains(r"^[0-9a-f]{64}$")
    if others := len(hashed.filter(~is_hash & (pl.col(_LINK) != ""))):
        remarks.append(
            f"{others:,} users have an attribute {attribute} that is no SHA-256 (64 hexadecimal digits): it "
            "joins nobody. Addresses themselves do not belong there."
        )
    return hashed.filter(is_hash, pl.col(_LINK) != EMPTY_EMAIL)
