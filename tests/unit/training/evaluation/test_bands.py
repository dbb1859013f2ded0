from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.bands import POPULARITY_BANDS, history_bands, item_bands


def test_each_band_of_items_has_a_third_of_the_sales_and_what_never_sold_is_apart() -> None:
    #                                 6 of 18 | 6 of 18   | 6 of 18          | none
    bands = item_bands(np.array([0.0, 6, 3, 3, 2, 2, 1, 1, 0]))
    assert [POPULARITY_BANDS[band] for band in bands] == [
        "never sold before", "head", "middle", "middle", "tail", "tail", "tail", "tail", "never sold before",
    ]  # fmt: skip


def test_a_shop_without_a_sale_has_no_bestsellers() -> None:
    assert set(item_bands(np.zeros(4)).tolist()) == {len(POPULARITY_BANDS) - 1}


def test_users_are_in_the_quarter_that_its_name_says() -> None:
    bands = history_bands(np.array([0, 1, 2, 3, 4, 5, 6, 7, 1000]))
    assert bands.names == ("none", "1 to 2", "3 to 4", "5 to 6", "7 to 1,000")
    assert bands.of.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_every_user_is_in_one_band_and_bands_go_up(lengths: list[int]) -> None:
    bands = history_bands(np.array(lengths))
    assert len(bands.of) == len(lengths)
    for length, band in zip(lengths, bands.of.tolist(), strict=True):
        low, _, high = bands.names[band].replace("none", "0").partition(" to ")
        assert int(low) <= length <= int(high or low)


@pytest.mark.parametrize("lengths", [[0, 0], [3, 3, 3]])
def test_where_all_are_alike_there_is_one_band(lengths: list[int]) -> None:
    assert len(history_bands(np.array(lengths)).names) == 1
