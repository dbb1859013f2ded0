"""Which ids are one shopper, and what joins nobody."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest

from configs.settings.channels import ChannelsConfig
from features.core.ids import user_key_expr
from features.customers.agreed_events import KEY
from features.customers.shoppers import EMPTY_EMAIL, Shoppers, shoppers

RULES = ChannelsConfig()
Event = tuple[str | None, str | None, str | None]
"""User, visitor, order number of a purchase (None: a look)"""


def sha(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def joined(
    events: list[Event], emails: dict[str, str] | None = None, rules: ChannelsConfig = RULES
) -> tuple[list[set[str]], Shoppers]:
    """(the ids of every shopper who has several, what was found)"""
    frame = pl.DataFrame(
        [
            {
                "user_id": user,
                "visitor_id": visitor,
                "transaction_id": order,
                "event_type": "purchase" if order else "view_item",
            }
            for user, visitor, order in events
        ],
        schema=dict.fromkeys(("user_id", "visitor_id", "transaction_id", "event_type"), pl.String),
    )
    addresses = pl.DataFrame(
        {KEY: list(emails or {}), "value": list((emails or {}).values())},
        schema={KEY: pl.String, "value": pl.String},
    )
    found = shoppers(frame.lazy().with_columns(user_key_expr().alias(KEY)), addresses, rules)
    people = found.table.group_by("shopper").agg("key").sort("shopper")
    return [set(keys) for keys in people["key"].to_list() if len(keys) > 1], found


def test_a_visitor_who_logged_in_is_the_user() -> None:
    people, found = joined(
        [(None, "v1", None), ("anna", "v1", None), (None, "v2", None), ("bert", None, None)]
    )
    assert people == [{"anna", "visitor:v1"}]
    assert found.table.rows() == [
        ("anna", "anna", "login"),
        ("visitor:v1", "anna", "login"),
        ("bert", "bert", None),
        ("visitor:v2", "visitor:v2", None),
    ]
    assert (found.joined["login"], found.num_shoppers) == (2, 3)


def test_a_device_that_two_accounts_share_joins_nobody() -> None:
    shared: list[Event] = [(None, "v", None), ("anna", "v", None), ("bert", "v", None)]
    people, found = joined(shared)
    assert people == []
    assert found.refused["login"] == 1
    lenient = ChannelsConfig(max_accounts={"login": 2})
    assert joined(shared, rules=lenient)[0] == [{"anna", "bert", "visitor:v"}]


def test_an_account_of_very_many_devices_joins_nobody() -> None:
    guest: list[Event] = [
        event for n in range(31) for event in ((None, f"v{n}", None), ("guest", f"v{n}", None))
    ]
    assert joined(guest)[0] == []
    assert len(joined(guest[:60])[0][0]) == 31


def test_one_order_on_two_ids_is_of_one_shopper() -> None:
    assert joined([("anna", None, "o1"), (None, "v1", "o1"), (None, "v2", "o2")])[0] == [
        {"anna", "visitor:v1"}
    ]
    people, found = joined([("anna", None, "o1"), (None, "v1", "o1"), (None, "v2", "o1")])
    assert (people, found.refused["order"]) == ([], 1)


def test_order_numbers_that_every_customer_counts_from_one_join_nobody() -> None:
    people, found = joined([(user, None, str(n)) for user in ("anna", "bert") for n in range(3)])
    assert people == []
    assert "3 of 3 order numbers stand on more than one account" in found.remarks[0]


def test_accounts_with_one_hashed_address_are_one_shopper() -> None:
    users: list[Event] = [(name, None, None) for name in ("anna", "anna2", "bert", "carl")]
    address = sha("anna@example.org")
    people, found = joined(users, {"anna": address, "anna2": f" {address.upper()} ", "nobody": address})
    assert (people, found.joined["email"]) == ([{"anna", "anna2"}], 2)
    office = {name: sha("office@example.org") for name, _, _ in users if name}
    people, found = joined(users, office)
    assert (people, found.refused["email"]) == ([], 1)


@pytest.mark.parametrize("value", ["anna@example.org", EMPTY_EMAIL, "", "null"])
def test_what_is_no_hash_of_an_address_joins_nobody(value: str) -> None:
    people, found = joined([("anna", None, None), ("bert", None, None)], {"anna": value, "bert": value})
    assert people == []
    is_plain = value not in (EMPTY_EMAIL, "")
    assert (
        any("2 users have an attribute email_sha256 that is no SHA-256" in one for one in found.remarks)
        == is_plain
    )


def test_rules_join_further_and_one_that_is_not_named_is_not_used() -> None:
    events: list[Event] = [
        ("anna", "v1", None),
        (None, "v1", "o1"),
        (None, "v2", "o1"),
        ("anna2", None, None),
    ]
    emails = {"anna": sha("a"), "anna2": sha("a")}
    assert joined(events, emails)[0] == [{"anna", "anna2", "visitor:v1", "visitor:v2"}]
    assert joined(events, emails, ChannelsConfig(max_accounts={}))[0] == []
