"""What goes with what, and what stands for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History, IntArray
from features.interactions import Interactions
from features.profiles.association_rules import Pairs
from features.profiles.item_relations import ItemRelations, are_alike, item_relations

PHONE, OTHER_PHONE, CASE, RED_SHIRT, BLUE_SHIRT, TEA, MINT_TEA = range(7)
NUM_ITEMS = 40
TITLES = ["Phone A", "Phone B", "Leather case", "Shirt", "Shirt", "Black tea bags", "Mint tea bags"]
CATALOGUE = pl.DataFrame(
    {
        "id": [f"i{item}" for item in range(NUM_ITEMS)],
        "title": [*TITLES, *[f"Other no. {item}" for item in range(7, NUM_ITEMS)]],
        "item_group_id": [None, None, None, "shirt", "shirt", *[None] * (NUM_ITEMS - 5)],
    }
)
CATEGORIES = np.array([0, 0, 1, 2, 2, 3, 3, *range(4, NUM_ITEMS - 3)], np.int32)


def events_of(event_type: str, sets: Sequence[Sequence[int]]) -> tuple[IntArray, History]:
    """Each set in one moment, of another user."""
    users = np.repeat(np.arange(len(sets), dtype=np.int32), [len(one) for one in sets])
    return users, History(
        items=np.array([item for one in sets for item in one], np.int32),
        event_types=np.full(len(users), EVENT_TYPE_CODE[event_type], np.int8),
        times=users.astype(np.int64) * MICROSECONDS_PER_DAY,
        baskets=users.astype(np.int64),
        prices=np.ones(len(users), np.float32),
    )


def interactions(
    *,
    bought: Sequence[Sequence[int]],
    looked_at: Sequence[Sequence[int]] = (),
    catalogue: pl.DataFrame = CATALOGUE,
    has_times: bool = True,
) -> Interactions:
    users, events = events_of("purchase", bought)
    return Interactions(
        users=users,
        events=events,
        weights=np.ones(len(users), np.float32),
        num_items=NUM_ITEMS,
        as_of=10**18,
        has_times=has_times,
        categories=CATEGORIES,
        parents=np.full(NUM_ITEMS, -1, np.int32),
        user_keys=list,
        catalogue=lambda: catalogue,
        looked_at=lambda: events_of("view_item", looked_at),
    )


def noise(seed: int) -> list[list[int]]:
    """Sets in which the last items stand by chance."""
    generator = np.random.default_rng(seed)
    return [generator.choice(np.arange(7, NUM_ITEMS), 3, replace=False).tolist() for _ in range(200)]


BOUGHT = [
    *noise(0),
    *[[PHONE, CASE]] * 6,
    *[[OTHER_PHONE]] * 6,
    *[[RED_SHIRT, BLUE_SHIRT]] * 6,
    *[[TEA, MINT_TEA]] * 6,
]
LOOKED_AT = [*noise(1), *[[PHONE, OTHER_PHONE]] * 9, *[[PHONE, CASE]] * 9, *[[RED_SHIRT, BLUE_SHIRT]] * 9]


def set_of(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))


def related(**more: object) -> ItemRelations:
    return item_relations(interactions(bought=BOUGHT, looked_at=LOOKED_AT, **more))  # type: ignore[arg-type]


def test_bought_together_are_complements_and_looked_at_together_alone_are_substitutes() -> None:
    found = related()
    assert set_of(found.complements) == {(PHONE, CASE), (TEA, MINT_TEA)}
    assert set_of(found.substitutes) == {(PHONE, OTHER_PHONE)}, "phone and case are bought together, too"


def test_two_of_a_leaf_category_with_half_of_their_words_in_common_are_alike() -> None:
    """Two kinds of tea, of which people take both."""
    found = related().complements
    assert set_of(found.take(are_alike(CATEGORIES, CATALOGUE, found))) == {(TEA, MINT_TEA)}
    unlike = CATALOGUE.with_columns(
        title=pl.when(pl.col("id") == f"i{MINT_TEA}").then(pl.lit("Fresh mint leaves")).otherwise("title")
    )
    assert not are_alike(CATEGORIES, unlike, found).any()
    no_category = np.full(NUM_ITEMS, -1, np.int32)
    assert not are_alike(no_category, CATALOGUE, found).any()
    same = CATALOGUE.with_columns(title=pl.lit("Gasoline"))
    assert are_alike(no_category, same, found).all(), "one title is enough"


def test_variants_of_a_product_are_neither() -> None:
    shirts = (RED_SHIRT, BLUE_SHIRT)
    assert shirts not in set_of(related().complements) | set_of(related().substitutes)
    assert shirts in set_of(related(catalogue=CATALOGUE.drop("item_group_id")).complements)


def test_without_a_catalogue_or_times_what_is_bought_together_goes_together() -> None:
    found = related(catalogue=pl.DataFrame(), has_times=False)
    assert set_of(found.complements) == {(PHONE, CASE), (RED_SHIRT, BLUE_SHIRT), (TEA, MINT_TEA)}
    assert not set_of(found.substitutes)
    assert not are_alike(CATEGORIES, pl.DataFrame(), found.complements).any()


def test_a_shop_without_purchases_has_no_pairs() -> None:
    found = item_relations(interactions(bought=[]))
    assert not set_of(found.complements) | set_of(found.substitutes)
