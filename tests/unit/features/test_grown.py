"""A fitted retriever has room for items that came later, and says of the old ones what it said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_made_bundle import NUM_ITEMS, write_bundle

from features.core.grown import grown
from features.profiles.item_profiles import ItemProfiles
from features.retriever import saved_fields
from serving.recommend.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


@pytest.mark.parametrize(
    "name",
    [
        "association_rules",
        "co_occurrence",
        "due",
        "encoder",
        "next_basket",
        "popularity",
        "repurchase",
        "user_knn",
    ],
)
def test_every_retriever_grows_and_keeps_what_it_knew(bundle: Bundle, name: str, tmp_path: Path) -> None:
    retriever = bundle.retrievers[name]
    new = np.arange(NUM_ITEMS, NUM_ITEMS + 3, dtype=np.int32)
    larger = retriever.grown(NUM_ITEMS + 3, new=new)
    larger.require_shapes(tmp_path, num_items=NUM_ITEMS + 3)
    for one in saved_fields(type(retriever)):
        before, after = getattr(retriever, one.name), getattr(larger, one.name)
        if isinstance(before, np.ndarray) and one.name != "ranked":
            kept = tuple(slice(size) for size in before.shape)
            assert np.array_equal(after[kept], before)
    retriever.require_shapes(tmp_path, num_items=NUM_ITEMS)


def test_nothing_is_known_of_a_new_item(bundle: Bundle) -> None:
    profiles: ItemProfiles = bundle.item_profiles.grown(NUM_ITEMS + 1, now=7)
    assert profiles.category[-1] == -1
    assert np.isnan(profiles.price[-1])
    assert profiles.first_seen[-1] == 7
    assert not profiles.known[-1]
    assert not np.isnan(bundle.item_profiles.price).any()


def test_axes_of_items_alone_grow() -> None:
    values = {"a": np.ones((2, 5), np.float32), "b": np.zeros((3, 2), np.int32), "c": np.ones(4)}
    shapes = {"a": "float N K", "b": "item U N", "c": "float M"}
    found = grown(values, shapes, num_items=4)
    assert {name: value.shape for name, value in found.items()} == {"a": (4, 5), "b": (3, 4)}
    assert found["b"][0].tolist() == [0, 0, -1, -1]
