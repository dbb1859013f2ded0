"""A made shop of any size, from its events to a bundle: users with tastes, baskets and repeats."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.console import log
from configs.load import load_config
from configs.schema import Config
from features.prepare import prepare
from training.lifecycle import evaluate_run, export_run
from training.runs.run import Run
from training.train import train

Ints = NDArray[np.int64]

NOW = datetime(2025, 6, 30, tzinfo=UTC)
"""The end of its events."""
DAYS = 180
EVENTS_PER_USER = 20
EVENTS_PER_SESSION = 4
TASTES = 5
"""Categories that a user buys from."""
ITEMS_PER_CATEGORY = 200
EVENT_TYPES = {"view_item": 0.5, "add_to_cart": 0.15, "purchase": 0.35}
"""Event type → its share."""


def made_config(folder: Path, *, num_users: int, num_items: int) -> Config:
    """Settings of the shop: one short training, since its speed and not its quality is measured."""
    return load_config(
        overrides=[
            "name=made",
            "data.reader=parquet",
            f"data.events={folder / f'events-{num_users}-{num_items}.parquet'}",
            f"data.items={folder / f'items-{num_items}.parquet'}",
            "data.shift_to_today=true",
            "training.max_epochs=1",
            "evaluation.max_users=2000",
            "evaluation.bootstrap_samples=100",
            "ranker.max_users=2000",
            "tracking.enabled=false",
        ],
        workspace=folder / f"shop-{num_users}-{num_items}",
    )


def made_bundle(folder: Path, *, num_users: int, num_items: int) -> tuple[Config, Path]:
    """(settings, bundle) of the shop; made once and kept in `folder`."""
    config = made_config(folder, num_users=num_users, num_items=num_items)
    assert config.data.events is not None
    assert config.data.items is not None
    if not config.data.events.is_file():
        log(f"making {config.data.events}")
        _write_shop(config.data.events, config.data.items, num_users=num_users, num_items=num_items)
    if not (config.workspace / "dataset").is_dir():
        prepare(config, now=datetime.now(UTC), progress=log)
    bundles = sorted((config.workspace / "bundles").glob("*/"))
    if not bundles:
        has_run = any((config.workspace / "runs").glob("*/evaluation.json"))
        run = Run.latest(config.workspace / "runs") if has_run else train(config)
        if not has_run:
            evaluate_run(config, run)
        export_run(config, run)
        bundles = sorted((config.workspace / "bundles").glob("*/"))
    return config, bundles[-1]


def _write_shop(events: Path, items: Path, *, num_users: int, num_items: int) -> None:
    """Sessions of a few events each: items by popularity, most of them of the user's categories, one in five
    had before."""
    random = np.random.default_rng(0)
    category = random.integers(0, max(num_items // ITEMS_PER_CATEGORY, 2), num_items)
    price = np.round(random.lognormal(2.5, 0.8, num_items), 2)
    session, user, seconds = _sessions(random, num_users)
    item = _items(random, user, category)
    events.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(
        {
            "user_id": user,
            "item_id": item,
            "event_type": random.choice(list(EVENT_TYPES), len(user), p=list(EVENT_TYPES.values())),
            "timestamp": seconds * 1_000_000,
            "price": price[item],
            "transaction_id": session,
        }
    ).with_columns(
        pl.format("u{}", "user_id"),
        pl.format("i{}", "item_id"),
        pl.col("timestamp").cast(pl.Datetime("us")),
        pl.when(pl.col("event_type") == "purchase").then(pl.format("t{}", "transaction_id")),
    )
    catalogue = pl.DataFrame(
        {
            "id": [f"i{number}" for number in range(num_items)],
            "title": [f"Item {number}" for number in range(num_items)],
            "product_type": [f"Department {one % 20} > Category {one}" for one in category.tolist()],
            "price": price,
        }
    )
    catalogue.write_parquet(items)
    frame.write_parquet(events.with_suffix(".part"))
    events.with_suffix(".part").replace(events)


def _sessions(random: np.random.Generator, num_users: int) -> tuple[Ints, Ints, Ints]:
    """(session, user, second) of each event, in the order of users and of time; every user has a session."""
    num_sessions = num_users * EVENTS_PER_USER // EVENTS_PER_SESSION
    activity = random.lognormal(0, 0.7, num_users)
    more = random.choice(num_users, num_sessions - num_users, p=activity / activity.sum())
    owner = np.concatenate([np.arange(num_users), more])
    start = int(NOW.timestamp()) - random.integers(0, DAYS * 86_400, num_sessions)
    session = np.repeat(np.arange(num_sessions), EVENTS_PER_SESSION)
    session = session[np.lexsort((start[session], owner[session]))]
    return session, owner[session], start[session] + np.arange(len(session)) % EVENTS_PER_SESSION * 60


def _items(random: np.random.Generator, user: Ints, category: Ints) -> Ints:
    """The item of each event: four in five of one of the user's categories, the first of each being the most
    popular; one in five is one of the user's last six."""
    num_rows, num_items, num_categories = len(user), len(category), int(category.max()) + 1
    by_category = np.argsort(category, kind="stable")
    first = np.searchsorted(category[by_category], np.arange(num_categories + 1))
    taste = (user * 7_919 + random.integers(0, TASTES, num_rows) * 104_729) % num_categories
    size = first[taste + 1] - first[taste]
    own = by_category[first[taste] + np.minimum((size * random.random(num_rows) ** 3).astype(int), size - 1)]
    anything = np.minimum((num_items * random.random(num_rows) ** 3).astype(int), num_items - 1)
    item = np.where(random.random(num_rows) < 0.8, own, anything)
    earlier = np.maximum(np.arange(num_rows) - random.integers(1, 7, num_rows), 0)
    again = (random.random(num_rows) < 0.2) & (user[earlier] == user)
    found: Ints = np.where(again, item[earlier], item)
    return found
