"""A small shop whose customers are known, prepared, and the customers that are computed of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from odd_shop import NOW, START, Row, bought, settings

from configs.settings.customers import CustomersConfig
from features.core.forgotten import Forgotten
from features.customers.compute import Customers, compute_customers
from features.customers.customer_tables import LastRun, State
from features.customers.moves import STATE
from features.customers.remarks import stage_rules
from features.ingest.tables import Tables
from features.prepare import prepare


def tables(
    folder: Path, events: Iterable[Row], *overrides: str, items: Iterable[Row] = (), users: Iterable[Row] = ()
) -> Tables:
    """The prepared tables of some rows."""
    small = ("prepare.min_window_users=0", "prepare.max_rejected_share=1", *overrides)
    config = settings(folder, events, *small, items=items, users=users)
    prepare(config, now=NOW)
    return Tables.open(config.workspace / "tables")


def customers(
    found: Tables,
    *,
    as_of: datetime | None = None,
    last: LastRun | None = None,
    forgotten: Forgotten | None = None,
    live: tuple[tuple[str, str], ...] = (),
    **rules: object,
) -> Customers:
    """Of these tables, with settings of `customers`."""
    settings_ = CustomersConfig.model_validate(rules)
    return compute_customers(found, settings_, as_of=as_of, last=last, forgotten=forgotten, live=live)


def day(number: float) -> datetime:
    """The moment of `bought(day=number)`."""
    return START + timedelta(days=number)


def as_last(found: Customers) -> LastRun:
    """What the next run would read of this one."""
    people = found.profiles.select(STATE)
    state = State(found.as_of, people, stage_rules(CustomersConfig()))
    return LastRun(state, found.moved.since, found.groups)


def two_kinds(*, people: int = 120, seed: int = 0) -> list[dict[str, object]]:
    """Half of the people buy one cheap thing every few days in the evening, half fill a basket with dear
    things at rare mornings. Prices are of six items of one category."""
    generator = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for number in range(people):
        often = number % 2 == 0
        gap, size = (4, 1) if often else (18, 6)
        begin = float(generator.uniform(0, 4))
        for visit in range(int(42 // gap)):
            hour = generator.uniform(7, 10) if often else generator.uniform(-5, -2)  # rows begin at noon
            for line in range(size):
                place = int(generator.integers(0, 3)) if often else int(generator.integers(3, 6))
                rows.append(
                    bought(
                        f"u{number}",
                        f"i{place}",
                        day=round(begin) + visit * gap + hour / 24,
                        price=1 + 5 * place,
                        transaction_id=f"o{number}-{visit}",
                        line=line,
                    )
                )
    return rows
