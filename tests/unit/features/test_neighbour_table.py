"""A table of neighbours takes in items that came later."""

from __future__ import annotations

import numpy as np

from features.neighbour_table import entered
from features.profiles.item_neighbours import Neighbours
from features.retriever import DescribedItems
from features.retrievers.cold_start import NUM_NEIGHBOURS, ColdStart
from features.retrievers.content import Content

TABLE = Neighbours(
    items=np.array([[1, 2], [0, 3], [0, -1], [1, -1], [-1, -1]], np.int32),
    scores=np.array([[0.9, 0.5], [0.9, 0.4], [0.5, 0], [0.4, 0], [0, 0]], np.float32),
)


def near(items: list[int], scores: list[float]) -> Neighbours:
    return Neighbours(items=np.array([items], np.int32), scores=np.array([scores], np.float32))


def test_a_new_item_takes_its_place_by_its_score_and_the_last_gives_way() -> None:
    new = np.array([4], np.int32)
    found = entered(TABLE, new, near=near([0, 1, 2], [0.7, 0.9, 0.1]), rows=near([1, 0, 2], [0.9, 0.7, 0.1]))
    assert found.items.tolist() == [[1, 4], [0, 4], [0, 4], [1, -1], [1, 0]]
    assert np.allclose(found.scores, [[0.9, 0.7], [0.9, 0.9], [0.5, 0.1], [0.4, 0], [0.9, 0.7]])
    assert TABLE.items[4].tolist() == [-1, -1], "the table itself stays"


def test_what_it_said_of_an_item_before_goes() -> None:
    """Item 1 is described otherwise now: like item 2, and like neither 0 nor 3 any more."""
    found = entered(
        TABLE, np.array([1], np.int32), near=near([2, -1], [0.3, 0]), rows=near([2, -1], [0.3, 0])
    )
    assert found.items.tolist() == [[2, -1], [2, -1], [0, 1], [-1, -1], [-1, -1]]


def test_two_new_items_that_are_near_each_other_stand_once_in_each_others_rows() -> None:
    new = np.array([3, 4], np.int32)
    pairs = Neighbours(
        items=np.array([[4, -1], [3, -1]], np.int32), scores=np.array([[0.8, 0], [0.8, 0]], np.float32)
    )
    found = entered(TABLE, new, near=pairs, rows=pairs)
    assert found.items[3:].tolist() == [[4, -1], [3, -1]]


def described(item: int, neighbours: Neighbours) -> DescribedItems:
    one = np.array([item], np.int32)
    return DescribedItems(one, neighbours, np.zeros((1, 2), np.float32), np.zeros(1, np.float32))


def test_the_table_of_new_items_grows_with_the_first_and_has_no_rows_of_theirs() -> None:
    shape = (4, 0)
    empty = ColdStart(items=np.empty(shape, np.int32), scores=np.empty(shape, np.float32))
    assert not len(empty.for_page(np.array([1, 2], np.int32)).items)
    grown = empty.grown(5, new=np.array([4], np.int32)).described(described(4, near([0, 1], [0.7, 0.6])))
    assert grown.items.shape == (5, NUM_NEIGHBOURS)
    assert grown.for_page(np.array([1, 2], np.int32)).items.tolist() == [4]
    assert not len(grown.for_page(np.array([4], np.int32)).items)


def test_what_is_on_the_page_is_not_among_its_neighbours() -> None:
    table = Content(items=TABLE.items, scores=TABLE.scores)
    assert table.for_page(np.array([0, 1], np.int32)).items.tolist() == [2, 3]
