"""A small invented shop, the same for the same seed, with the structure that a recommender lives on.

Every person has two aisles they like and a few favourites there that they buy again and again; items stand in
pairs that go together (bread0 with bread1); some baskets hold something new of a liked aisle. Its files name
their columns in their own way.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from configs.load import load_config
from configs.schema import Config

AISLES = ("bread", "cheese", "fruit", "tea", "soap", "pasta", "garden", "paper")
ITEMS_PER_AISLE = 10
ITEM_IDS = tuple(f"{aisle}{number}" for aisle in AISLES for number in range(ITEMS_PER_AISLE))
SOLD_OUT = ("bread0", "tea3")
"""Bought often, and out of stock in the catalogue."""
NEVER_SOLD = ("paper9",)
"""In the catalogue, and in nobody's basket."""
REDUCED = {"cheese1": 0.5, "fruit2": 0.8, "garden1": 0.9}
"""Sold below its price in the catalogue → which share of it"""
START = datetime(2024, 1, 1, tzinfo=UTC)
NUM_DAYS = 84
NOW = START + timedelta(days=NUM_DAYS)
NUM_USERS = 120
EVENT_COLUMNS = {
    "event_type": "action",
    "timestamp": "sold_at",
    "user_id": "customer",
    "item_id": "sku",
    "quantity": "pieces",
    "price": "unit_price",
    "transaction_id": "receipt",
}
ITEM_COLUMNS = {"id": "sku", "title": "name", "product_type": "aisle"}


@dataclass(frozen=True)
class _Customer:
    name: str
    aisles: tuple[int, ...]
    favourites: tuple[int, ...]
    days_between: float


def write_shop(folder: Path, *, seed: int = 0, num_users: int = NUM_USERS) -> Path:
    """Write `events.csv` and `items.csv` into `folder`."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for number in range(num_users) for row in _life(_customer(number, generator), generator)]
    rows.sort(key=lambda row: str(row[1]))
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(EVENT_COLUMNS.values())
        writer.writerows(rows)
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*ITEM_COLUMNS.values(), "price", "sale_price", "availability"])
        for index, item in enumerate(ITEM_IDS):
            aisle = AISLES[index // ITEMS_PER_AISLE].capitalize()
            availability = "out_of_stock" if item in SOLD_OUT else "in_stock"
            writer.writerow(
                [
                    item,
                    f"{aisle} no. {index % ITEMS_PER_AISLE}",
                    f"Shop > {aisle}",
                    f"{price(index):.2f}",
                    f"{price(index) * REDUCED[item]:.2f}" if item in REDUCED else "",
                    availability,
                ]
            )
    return folder


def make_config(raw: Path, workspace: Path, *overrides: str) -> Config:
    """Settings with which the whole way from these files to a bundle takes seconds."""
    columns = [f"data.event_columns.{ours}={theirs}" for ours, theirs in EVENT_COLUMNS.items()]
    columns += [f"data.item_columns.{ours}={theirs}" for ours, theirs in ITEM_COLUMNS.items()]
    small = [
        "name=tiny",
        f"data.events={raw / 'events.csv'}",
        f"data.items={raw / 'items.csv'}",
        "split.window_days=14",
        "history.max_length=40",
        "encoder.dim=16",
        "encoder.num_layers=1",
        "encoder.item_text_hashes=1024",
        "training.max_epochs=2",
        "training.batch_tokens=1024",
        "training.num_negatives=32",
        "training.learning_rate=0.01",
        "training.device=cpu",
        "retrievers.num_neighbours=10",
        "retrievers.num_candidates={encoder: 30, popularity: 30, co_occurrence: 30, next_basket: 30}",
        "ranker.max_epochs=8",
        "ranker.hidden_dim=8",
        "evaluation.bootstrap_samples=50",
        "tracking.enabled=false",
    ]
    return load_config(overrides=[*columns, *small, *overrides], workspace=workspace)


def price(item: int) -> float:
    """What the item costs."""
    return 1.0 + (item * 7 % 40) / 10


def _customer(number: int, generator: np.random.Generator) -> _Customer:
    aisles = tuple(generator.choice(len(AISLES), size=2, replace=False).tolist())
    favourites = tuple(_of_aisle(int(generator.choice(aisles)), generator) for _ in range(5))
    return _Customer(f"c{number:03}", aisles, favourites, days_between=float(generator.uniform(3, 9)))


def _life(customer: _Customer, generator: np.random.Generator) -> list[tuple[object, ...]]:
    """All the customer's rows: looked at, then bought."""
    rows: list[tuple[object, ...]] = []
    day, receipt = float(generator.uniform(0, customer.days_between)), 0
    while day < NUM_DAYS - 0.1:
        basket = _basket(customer, generator)
        bought_at = START + timedelta(days=day)
        looked_at = bought_at - timedelta(minutes=5)
        rows.append(("Product Viewed", looked_at.isoformat(), customer.name, ITEM_IDS[basket[0]], "", "", ""))
        rows += [
            (
                "purchase",
                bought_at.isoformat(),
                customer.name,
                ITEM_IDS[item],
                1,
                f"{price(item):.2f}",
                f"{customer.name}-{receipt}",
            )
            for item in basket
        ]
        receipt += 1
        day += float(generator.gamma(4.0, customer.days_between / 4))
    return rows


def _basket(customer: _Customer, generator: np.random.Generator) -> list[int]:
    items = set(generator.choice(customer.favourites, size=2).tolist())
    if generator.random() < 0.4:
        items.add(_of_aisle(int(generator.choice(customer.aisles)), generator))
    items |= {item ^ 1 for item in tuple(items) if generator.random() < 0.5}
    return sorted(item for item in items if ITEM_IDS[item] not in NEVER_SOLD)


def _of_aisle(aisle: int, generator: np.random.Generator) -> int:
    number = min(int(generator.geometric(0.25)) - 1, ITEMS_PER_AISLE - 2)
    return aisle * ITEMS_PER_AISLE + number
