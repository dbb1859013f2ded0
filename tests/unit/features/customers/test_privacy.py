"""Consent by purpose, erasure, and what is shown of few people."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from customer_shop import as_last, customers, day, tables, two_kinds
from odd_shop import bought

from configs.exceptions import ConfigError, DataError
from configs.settings.customers import ConsentUse, CustomersConfig
from features.core.forgotten import Forgotten, user_hash
from features.customers.agreed_events import agreed_events, attribute_of_users
from features.customers.compute import Customers
from features.ingest.tables import Tables

SALT = b"salt"


def earlier_people(found: Customers) -> pl.DataFrame:
    assert found.moved.since is not None
    return found.moved.since.people


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """120 people; the first forty say yes to both purposes, the next forty to the groups alone."""
    users = [
        {"user_id": f"u{number}", "groups_ok": "yes" if number < 80 else "no", "mail_ok": str(number < 40)}
        for number in range(119)  # of u119 nothing is known
    ]
    return tables(tmp_path_factory.mktemp("consent"), two_kinds(), users=users)


def test_only_those_who_agreed_are_in_groups_and_may_be_exported(shop: Tables) -> None:
    found = customers(shop, consent={"groups": "groups_ok", "export": "mail_ok"})
    by_user = dict(zip(found.profiles["user_id"], found.profiles.iter_rows(named=True), strict=True))
    assert len(by_user) == 120
    assert all((by_user[f"u{number}"]["group"] is not None) == (number < 80) for number in range(120))
    assert all(by_user[f"u{number}"]["may_export"] == (number < 40) for number in range(120))
    assert found.consents == {"groups": 80, "export": 40}


def test_only_those_who_agreed_have_a_profile(shop: Tables) -> None:
    found = customers(shop, consent={"profiles": "mail_ok"})
    assert set(found.profiles["user_id"]) == {f"u{number}" for number in range(40)}
    assert found.segments.table.row(0, named=True)["people"] == 40


def test_what_the_live_server_knows_counts_for_more(shop: Tables) -> None:
    live = (("u0", '{"mail_ok": false}'), ("u119", '{"mail_ok": true}'), ("u1", '{"region": "north"}'))
    found = customers(shop, consent={"export": "mail_ok"}, live=live)
    agreed = set(found.profiles.filter(pl.col("may_export"))["user_id"])
    assert agreed == {f"u{number}" for number in range(1, 40)} | {"u119"}


def test_a_live_null_takes_a_yes_back_and_a_missing_key_does_not(shop: Tables) -> None:
    live = (("u0", '{"mail_ok": null}'), ("u1", '{"mail": "null", "x": {"mail_ok": null}}'), ("u2", "{}"))
    found = customers(shop, consent={"export": "mail_ok"}, live=live)
    agreed = set(found.profiles.filter(pl.col("may_export"))["user_id"])
    assert agreed == {f"u{number}" for number in range(1, 40)}
    known = attribute_of_users(shop, "mail_ok", live=live)["_key"].to_list()
    assert len(known) == 118
    assert "u0" not in known


def test_who_was_erased_and_came_back_is_asked_anew(shop: Tables) -> None:
    until = int(day(35).timestamp() * 1e6)
    forgotten = Forgotten(SALT, {user_hash(user, salt=SALT): until for user in ("u6", "u8")})
    consent: dict[ConsentUse, str] = {"profiles": "mail_ok", "groups": "groups_ok"}
    found = customers(shop, consent=consent, forgotten=forgotten)
    assert set(found.profiles["user_id"]) == {f"u{number}" for number in range(40)} - {"u6", "u8"}
    live = (("u6", '{"mail_ok": true}'),)
    found = customers(shop, consent=consent, forgotten=forgotten, live=live)
    (came_back,) = found.profiles.filter(pl.col("user_id") == "u6").iter_rows(named=True)
    assert came_back["group"] is None
    rules = CustomersConfig(consent=consent)
    events = agreed_events(shop, rules, forgotten=forgotten, live=live).collect()
    assert {"u6"} == {"u6", "u8"} & set(events["_key"])


def test_consent_that_nobody_was_asked_for_is_an_error(shop: Tables, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no user has an attribute 'newsletter'"):
        customers(shop, consent={"export": "newsletter"})
    users = [{"user_id": f"u{number}", "ok": "no"} for number in range(3)]
    refused = tables(
        tmp_path,
        [bought(f"u{number}", "i0", day=step) for number in range(3) for step in (0, 1)],
        users=users,
    )
    with pytest.raises(DataError, match=r"nobody agreed to customers\.consent\.profiles=ok"):
        customers(refused, consent={"profiles": "ok"})


def test_who_was_erased_is_in_no_table_of_the_next_run(shop: Tables) -> None:
    first = customers(shop, as_of=day(30))
    assert "u7" in first.profiles["user_id"]
    until = int(day(59).timestamp() * 1e6)
    forgotten = Forgotten(SALT, {user_hash("u7", salt=SALT): until})
    second = customers(shop, last=as_last(first), forgotten=forgotten)
    assert len(second.profiles) == 119
    for table in (second.profiles, earlier_people(second)):
        assert len(table) > 0
        assert "u7" not in table["user_id"]
    assert second.segments.table.row(0, named=True)["people"] == 119


def test_who_was_erased_and_came_back_has_no_earlier_state(shop: Tables) -> None:
    first = customers(shop, as_of=day(30))
    forgotten = Forgotten(SALT, {user_hash("u6", salt=SALT): int(day(35).timestamp() * 1e6)})
    second = customers(shop, last=as_last(first), forgotten=forgotten)
    came_back = second.profiles.filter(pl.col("user_id") == "u6").row(0, named=True)
    assert came_back["first_seen"] > day(35)
    assert "u6" not in earlier_people(second)["user_id"]


def test_who_takes_consent_to_groups_back_has_no_group_in_the_earlier_state(shop: Tables) -> None:
    consent = {"groups": "groups_ok"}
    first = customers(shop, as_of=day(30), consent=consent)
    live = tuple((f"u{number}", '{"groups_ok": false}') for number in range(12))
    second = customers(shop, last=as_last(first), consent=consent, live=live)
    in_groups = {f"u{number}" for number in range(12, 80)}
    for people in (second.profiles, earlier_people(second)):
        assert len(people) == 120
        assert set(people.drop_nulls("group")["user_id"]) == in_groups
        assert set(people.drop_nulls("group_name")["user_id"]) == in_groups
    moved = second.moved.table.filter(pl.col("kind") == "group")
    assert moved.filter(pl.col("now") == "no group")["before"].to_list() == ["no group"]


def test_few_people_are_not_shown(shop: Tables) -> None:
    tags = {"nine": "user_id in ('u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7', 'u8', 'u9')", "none": "spent < 0"}
    tags["ten"] = tags["nine"] + " or user_id = 'u10'"
    found = customers(shop, tags=tags).segments
    assert found.table.filter(pl.col("kind") == "tag")["name"].to_list() == ["ten"]
    assert "tag: nine" in found.too_small
    assert "tag: none" in found.empty
    assert found.table["people"].min() == 10


def test_few_people_make_no_group_and_no_move(tmp_path: Path) -> None:
    rows = two_kinds(people=30)
    # three wholesalers, unlike anybody else
    rows += [
        bought(f"w{number}", f"i{place}", day=41, price=1000, quantity=99)
        for number in range(3)
        for place in range(6)
    ]
    found = tables(tmp_path, rows)
    first = customers(found, as_of=day(38), num_groups=3)
    second = customers(found, last=as_last(first), num_groups=3)
    assert min(second.groups["people"]) >= 10
    assert sum(second.groups["people"]) == 33
    assert min(second.moved.table["people"]) >= 10
    assert second.moved.num_hidden == 2 * 33 - second.moved.table["people"].sum()
