"""Trending, new, deals and stages: of sales whose answer is plain, and of shops that lack something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from configs.load import load_config
from features.core.columns import MICROSECONDS_PER_DAY as DAY
from features.histories import History
from features.interactions import Interactions
from features.profiles.arrivals import arrival_ages, iso_times
from features.profiles.stage import stages
from features.retrievers.deals import Deals
from features.retrievers.new_arrivals import NewArrivals
from features.retrievers.trending import Trending

AS_OF = 1_700_000_000_000_000 // DAY * DAY
CONFIG = load_config()
STEADY, RISING, FALLING, ONCE, YOUNG, UNSOLD = range(6)
"""Items: sells daily; sells thrice as much for two weeks; hardly sells any more; sold once yesterday; came
ten days ago; nobody had it. As many more sell daily, too."""
NUM_MORE = 30


def sold(*days_ago: Sequence[float], catalogue: pl.DataFrame | None = None) -> Interactions:
    """Item i was sold so many days ago, each time to another user."""
    items = np.repeat(np.arange(len(days_ago), dtype=np.int32), [len(one) for one in days_ago])
    times = AS_OF - (np.concatenate([np.asarray(one, float) for one in days_ago]) * DAY).astype(np.int64)
    number = len(items)
    return Interactions(
        users=np.arange(number, dtype=np.int32),
        events=History(
            items=items,
            event_types=np.full(number, 9, np.int8),
            times=times,
            baskets=np.arange(number),
            prices=np.full(number, 2, np.float32),
        ),
        weights=np.ones(number, np.float32),
        num_items=len(days_ago),
        as_of=AS_OF,
        has_times=True,
        categories=np.zeros(len(days_ago), np.int32),
        parents=np.zeros(len(days_ago), np.int32),
        user_keys=list,
        catalogue=lambda: pl.DataFrame() if catalogue is None else catalogue,
    )


def days(first: float, last: float, *, each: float = 1.0) -> list[float]:
    """Every so many days from `first` to `last` days ago."""
    return np.arange(last + 0.1, first, each).tolist()


@pytest.fixture
def shop() -> Interactions:
    return sold(
        days(300, 0),
        [*days(300, 14), *days(14, 0, each=0.33)],
        [*days(300, 40, each=0.5), *days(40, 0, each=15)],
        [1.0],
        days(10, 0, each=0.2),
        [],
        *[days(300, 0)] * NUM_MORE,
    )


def best(found: Trending | NewArrivals | Deals) -> list[int]:
    return [int(item) for item in found._found.best(10)]


def test_what_rises_trends_and_what_sells_as_ever_or_less_does_not(shop: Interactions) -> None:
    found = Trending.fit(shop, CONFIG)
    assert best(found)[:2] == [YOUNG, RISING]
    assert not set(best(found)) & {STEADY, FALLING, UNSOLD}
    assert found.rise[ONCE] < 1.2 < found.rise[RISING], "one sale is no trend"


def test_a_season_of_the_whole_shop_is_no_trend() -> None:
    """Everything sells five times as much since a week."""
    everything = [*days(300, 7), *days(7, 0, each=0.2)]
    found = Trending.fit(sold(everything, everything, everything), CONFIG)
    assert best(found) == []


def test_on_an_ordinal_clock_nothing_trends_or_is_new_and_no_item_has_a_stage(shop: Interactions) -> None:
    ordinal = replace(shop, has_times=False)
    assert best(Trending.fit(ordinal, CONFIG)) == best(NewArrivals.fit(ordinal, CONFIG)) == []
    assert stages(ordinal, CONFIG) is None


def test_new_arrivals_are_the_newest_first_and_what_nobody_had_comes_last(shop: Interactions) -> None:
    found = NewArrivals.fit(shop, CONFIG)
    assert best(found) == [ONCE, YOUNG, UNSOLD]
    assert np.flatnonzero(found.is_unproven).tolist() == [ONCE, UNSOLD], "50 were sold of the other"
    size = shop.num_items
    grown = found.grown(size + 2, new=np.array([size, size + 1], np.int32))
    assert best(grown) == [size + 1, size, ONCE, YOUNG, UNSOLD], "what was put last is first"
    assert grown.is_unproven[size:].all()


def test_an_availability_date_says_when_an_item_came(shop: Interactions) -> None:
    known = [300, 2, None, None, 40, -3] + [None] * NUM_MORE
    ago = (pl.Series(known, dtype=pl.Int64) * DAY) * -1 + AS_OF
    dates = ago.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    dated = replace(shop, catalogue=lambda: pl.DataFrame({"availability_date": dates}))
    ages = arrival_ages(dated, days=28)
    assert ages[:6].tolist() == pytest.approx([np.inf, 2, np.inf, 1, np.inf, np.inf], abs=0.01), (
        "one that comes in three days is not there yet"
    )


def test_dates_that_nobody_can_read_say_nothing() -> None:
    texts = ["2026-11-27", " 2026-11-27T01:00:00+01:00", "2026-11-27 10:00", "soon", "", None, "2026-13-40"]
    found = iso_times(pl.Series(texts, dtype=pl.String)).to_list()
    midnight = 1_795_737_600_000_000
    assert found == [midnight, midnight, midnight, None, None, None, None]


def test_the_first_weeks_of_a_shop_do_not_make_everything_new() -> None:
    young_shop = sold(days(20, 0), days(19, 0), days(5, 0))
    assert not np.isfinite(arrival_ages(young_shop, days=28)).any()


def test_deals_are_the_larger_share_and_gain_first() -> None:
    prices = {
        "price": [10.0, 10.0, 100.0, None, 10.0, 10.0, 10.0],
        "sale_price": [9.0, 5.0, 50.0, 3.0, 12.0, None, 10.0],
    }
    found = Deals.fit(sold(*[[1.0]] * 7, catalogue=pl.DataFrame(prices)), CONFIG)
    assert best(found) == [2, 1, 0], "not one without a price, above it, or at it"


def test_without_prices_or_a_catalogue_there_are_no_deals(shop: Interactions) -> None:
    assert best(Deals.fit(shop, CONFIG)) == []
    nothing = pl.DataFrame({"price": [None] * shop.num_items, "sale_price": [None] * shop.num_items})
    assert best(Deals.fit(replace(shop, catalogue=lambda: nothing), CONFIG)) == []


def test_deals_follow_the_live_catalogue() -> None:
    prices = pl.DataFrame({"price": [10.0, 10.0, 10.0], "sale_price": [9.0, None, None]})
    found = Deals.fit(sold([1.0], [1.0], [1.0], catalogue=prices), CONFIG)
    assert found.follow(1, {"sale_price": 4.0, "title": "Less"})
    assert best(found) == [1, 0]
    assert not found.follow(1, {"sale_price": 4.0}), "as before"
    assert not found.follow(1, {"title": "Little"})
    assert not found.follow(2, {"price": 20.0}), "no deal before and after"
    assert found.follow(0, {"sale_price": None})
    assert best(found) == [1]
    grown = found.grown(4, new=np.array([3], np.int32))
    assert grown.follow(3, {"price": 3.0, "sale_price": 1.0})
    assert best(grown) == [1, 3]
    assert best(found) == [1], "the other one may answer meanwhile"


def test_stages(shop: Interactions) -> None:
    found = stages(shop, CONFIG)
    assert found is not None
    expected = ["mature", "growth", "decline", "introduction", "growth", "introduction"]
    assert found[:6].to_list() == expected
    assert set(found[6:]) == {"mature"}


def test_little_evidence_is_neither_growth_nor_decline() -> None:
    """Two items that sell a few pieces a year, one of them twice lately and one not at all."""
    seldom = [250.0, 150.0, 80.0]
    found = stages(sold([*seldom, 5.0, 1.0], seldom, *[days(300, 0)] * NUM_MORE), CONFIG)
    assert found is not None
    assert set(found) == {"mature"}


def test_a_shop_with_nothing_but_refunds_has_no_trends_new_items_or_stages(shop: Interactions) -> None:
    """No event stands: what was refunded is no target event."""
    none = replace(
        shop,
        users=np.empty(0, np.int32),
        events=History.empty(),
        weights=np.empty(0, np.float32),
        catalogue=lambda: pl.DataFrame({"id": [str(item) for item in range(shop.num_items)]}),
    )
    assert best(Trending.fit(none, CONFIG)) == best(NewArrivals.fit(none, CONFIG)) == []
    found = stages(none, CONFIG)
    assert found is not None
    assert found.null_count() == shop.num_items
