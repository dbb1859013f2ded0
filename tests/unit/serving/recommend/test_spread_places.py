"""Where promoted items stand."""

from __future__ import annotations

import numpy as np

from serving.recommend.promotions import Promotion, spread


def test_places_are_spread_evenly_and_none_is_given_twice() -> None:
    free = list(range(10))
    assert spread(2, free=free, num_results=10) == [2, 7]
    assert spread(2, free=free, num_results=10) == [1, 6], "the nearest that are left"
    assert free == [0, 3, 4, 5, 8, 9]
    assert spread(10, free=list(range(10)), num_results=10) == list(range(10))
    assert spread(3, free=[4], num_results=10) == [4]


def test_a_share_is_rounded_to_places() -> None:
    everything = np.ones(3, bool)
    places = [Promotion("x", everything, share).num_places(10) for share in (0, 0.04, 0.05, 0.25, 1)]
    assert places == [0, 0, 1, 3, 10]
