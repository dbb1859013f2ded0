"""A product that nobody has touched gets the vector of those that are described like it."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.profiles.content_neighbours import ContentNeighbours

CATALOGUE = pl.DataFrame(
    {
        "id": [str(number) for number in range(6)],
        "title": ["Blue mug", "Red mug", "Green mug, large", "Oak chair", "Pine chair", "蓝色 杯子"],
        "product_type": ["Kitchen > Mugs"] * 3 + ["Furniture > Chairs"] * 2 + ["厨房 > 杯子"],
        "brand": ["Acme", "Acme", None, "Wood", "Wood", "Acme"],
    }
)
VECTORS = np.array([[2, 0, 0]] * 3 + [[0, 3, 0]] * 2 + [[0, 0, 1]], np.float32)


def vectors(**columns: str | None) -> list[list[float]]:
    row = pl.DataFrame(
        {name: [value] for name, value in columns.items()}, schema_overrides=dict.fromkeys(columns, pl.String)
    )
    found = ContentNeighbours.of(CATALOGUE).vectors(row, VECTORS)
    return [[round(float(value), 2) for value in one] for one in found]


def test_what_is_described_alike_is_near_and_as_long() -> None:
    ((mug, chair, _),) = vectors(title="Yellow MUG", product_type="Kitchen > Mugs", brand=None)
    assert (mug, chair) == (2.0, 0.0)
    ((mug, chair, _),) = vectors(title="Beech chair", product_type=None, brand=None)
    assert (mug, chair) == (0.0, 3.0)
    ((*_, cup),) = vectors(title="绿色 杯子", product_type="厨房 > 杯子", brand=None)
    assert cup == 1.0


def test_rare_words_say_more_than_common_ones() -> None:
    ((mug, _, cup),) = vectors(title="large", product_type=None, brand="Acme")
    assert mug > cup > 0


def test_what_shares_nothing_has_no_vector() -> None:
    assert vectors(title="Lamp", product_type=None, brand=None) == [[0, 0, 0]]
    assert vectors(id="7") == [[0, 0, 0]]


def test_items_without_a_vector_are_no_neighbours() -> None:
    without = VECTORS.copy()
    without[:3] = 0
    row = pl.DataFrame({"title": ["Blue mug"]})
    assert not ContentNeighbours.of(CATALOGUE).vectors(row, without)[:, 0].any()


def test_a_catalogue_of_ids_alone_knows_nothing() -> None:
    bare = ContentNeighbours.of(CATALOGUE.select("id"))
    assert not bare.vectors(pl.DataFrame({"title": ["Blue mug"]}), VECTORS).any()
