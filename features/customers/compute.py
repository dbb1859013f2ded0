"""From the tables of a shop to its customers, in one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from configs.exceptions import DataError
from configs.settings.customers import ConsentUse, CustomersConfig
from features.core.forgotten import Forgotten
from features.customers.consent import LiveAttributes, consenting
from features.customers.customer_events import TIME, customer_events
from features.customers.customer_tables import LastRun, State, no_state
from features.customers.groups import fit_groups
from features.customers.moves import STATE, moves
from features.customers.price_levels import item_table, order_lines
from features.customers.profile_columns import COLUMNS, USER
from features.customers.profile_table import profile_table
from features.customers.purchase_cycle import shop_cycle
from features.customers.remarks import check_rules, of_groups, of_prices, of_rules, why_nobody
from features.customers.rfm import with_rfm
from features.customers.segments import Segments, segments
from features.customers.standing import with_level, with_life_stage
from features.customers.tags import with_tags
from features.customers.value_tiers import tier_bounds, with_value_tier
from features.ingest.tables import Tables

_MICROSECOND: Final = timedelta(microseconds=1)

Agreed = Mapping[ConsentUse, pl.DataFrame]
"""Use of `customers.consent` → USER of everybody who agreed"""


@dataclass(frozen=True)
class Moved:
    """How people moved since an earlier state."""

    since: State | None
    """That state, of those who are still there; None without one"""
    table: pl.DataFrame
    """`moves.MOVES_SCHEMA`"""
    num_hidden: int = 0
    """People in moves that are too small to be shown"""


@dataclass(frozen=True)
class Customers:
    """What `shopkeeper segments` computes."""

    profiles: pl.DataFrame
    segments: Segments
    groups: pl.DataFrame
    moved: Moved
    as_of: datetime
    shop_cycle: float
    consents: dict[str, int]
    """Use of `customers.consent` → how many of the customers agreed"""
    remarks: list[str]


def compute_customers(
    tables: Tables,
    rules: CustomersConfig,
    *,
    as_of: datetime | None = None,
    last: LastRun | None = None,
    forgotten: Forgotten | None = None,
    live: LiveAttributes = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Customers:
    """The customers of the tables as of a moment: by default just after the last event.

    Who was `forgotten` is in none of the results; `live` are the attributes that the server has of users.
    Raises DataError and ConfigError.
    """
    check_rules(rules)
    _require_times(tables)
    progress("Reading the events")
    events = customer_events(tables.events, time_zone=rules.time_zone, before=as_of, forgotten=forgotten)
    users = tables.users.collect()
    agreed = {
        use: consenting(users, name, use=use, live=live, forgotten=forgotten)
        for use, name in rules.consent.items()
    }
    if "profiles" in agreed:
        who = agreed["profiles"].cast(pl.Categorical)
        events = events.join(who, on=USER, how="semi", maintain_order="left")
    if events.is_empty():
        raise DataError(f"{tables.folder}: {why_nobody(as_of, rules)}")
    moment: datetime = as_of or events[TIME].max() + _MICROSECOND  # type: ignore[operator, assignment]
    progress(f"Computing the profiles of {events[USER].n_unique():,} customers")
    items = item_table(tables.items.collect(), category_levels=rules.category_levels)
    lines = order_lines(events, items)
    profiles = profile_table(events, lines, as_of=moment)
    del events  # as large as all that follows
    cycle = shop_cycle(profiles["gap_days"])
    bounds = tier_bounds(profiles, rules.value_tiers)
    profiles = with_life_stage(profiles, shop_cycle=cycle, as_of=moment, rules=rules)
    profiles = with_level(with_value_tier(with_rfm(profiles), bounds), lines, moment, rules)
    progress("Finding groups")
    groups, profiles = _with_groups(profiles, rules, last, agreed)
    profiles = with_tags(profiles.with_columns(_may_export(agreed)).select(list(COLUMNS)), rules.tags)
    moved = _moved(profiles, moment, rules, last, forgotten, agreed)
    return Customers(
        profiles=profiles,
        segments=segments(profiles, groups, bounds=bounds, rules=rules),
        groups=groups,
        moved=moved,
        as_of=moment,
        shop_cycle=cycle,
        consents={use: len(profiles.join(people, on=USER, how="semi")) for use, people in agreed.items()},
        remarks=[*of_prices(lines), *of_groups(profiles, groups), *of_rules(moved.since, rules)],
    )


def _require_times(tables: Tables) -> None:
    if tables.manifest["clock"] != "real":
        raise DataError(
            f"{tables.folder}: the data has no times (data.clock=ordinal), and life stages, cycles and "
            "scores are made of times."
        )


def _may_export(agreed: Agreed) -> pl.Expr:
    who = (
        pl.lit(value=True) if "export" not in agreed else pl.col(USER).is_in(agreed["export"][USER].implode())
    )
    return who.alias("may_export")


def _with_groups(
    profiles: pl.DataFrame, rules: CustomersConfig, last: LastRun | None, agreed: Agreed
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the table of groups, the profiles with `group` and `group_name`, null for those without)"""
    buyers = profiles.filter(pl.col("orders") > 0)
    if "groups" in agreed:
        buyers = buyers.join(agreed["groups"], on=USER, how="semi", maintain_order="left")
    people, groups = fit_groups(
        buyers,
        num_groups=rules.num_groups,
        min_size=rules.min_group_size,
        last=None if last is None else last.last_groups(),
    )
    named = people.join(groups.select("group", "group_name"), on="group", how="left")
    return groups, profiles.join(named, on=USER, how="left", maintain_order="left")


def _moved(
    profiles: pl.DataFrame,
    as_of: datetime,
    rules: CustomersConfig,
    last: LastRun | None,
    forgotten: Forgotten | None,
    agreed: Agreed,
) -> Moved:
    before = None if last is None else last.state_before(as_of)
    if before is None:
        return Moved(None, moves(no_state(), profiles.clear(), min_size=1)[0])
    kept = before.people.join(profiles.select(USER), on=USER, how="semi")
    if forgotten is not None:  # who came back is a new customer
        kept = kept.filter(forgotten.times(kept[USER]).is_null())
    if "groups" in agreed:  # who took consent back has been in no group
        in_groups = pl.col(USER).is_in(agreed["groups"][USER].implode())
        kept = kept.with_columns(pl.when(in_groups).then(pl.col("group", "group_name")))
    shown, hidden = moves(kept, profiles.select(STATE), min_size=rules.min_group_size)
    return Moved(replace(before, people=kept), shown, hidden)
