"""Popularity by what is known: groups of enough people, steadied by the whole shop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hand_made_bundle import write_bundle

from configs.load import load_config
from features.histories import History
from features.interactions import EventContexts, Interactions
from features.retriever import Retrieval, UserContext, Wording
from features.retrievers.popular_among import MIN_PEOPLE, PopularAmong
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

AS_OF = 1_700_000_000_000_000
NUM_ITEMS = 6
CONFIG = load_config()
TEA, COFFEE, SOAP, RARE = range(4)


def shop(*, num_coffee: int = 100, num_rare: int = MIN_PEOPLE - 1) -> Interactions:
    """Some have attribute 1 and buy coffee, 200 have 2 and buy tea, a few have 3 and buy what is rare; all of
    them buy soap, each on the device that goes with that."""
    group = np.repeat([0, 1, 2], [num_coffee, 200, num_rare])
    users = np.repeat(np.arange(len(group)), 2).astype(np.int32)
    own = np.array([COFFEE, TEA, RARE])[group]
    items = np.stack([own, np.full(len(group), SOAP)], axis=1).reshape(-1).astype(np.int32)
    number = len(items)
    events = History(
        items=items,
        event_types=np.full(number, 9, np.int8),
        times=np.full(number, AS_OF - 1_000_000),
        baskets=np.arange(number),
        prices=np.full(number, 2, np.float32),
    )
    contexts = EventContexts(
        (np.repeat(group, 2) + 1).astype(np.uint16),
        pl.DataFrame({"device": ["Phone", "Desktop", "Watch"], "country": ["AT", "AT", "CH"]}),
    )
    return Interactions(
        users=users,
        events=events,
        weights=np.ones(number, np.float32),
        num_items=NUM_ITEMS,
        as_of=AS_OF,
        has_times=True,
        categories=np.zeros(NUM_ITEMS, np.int32),
        parents=np.zeros(NUM_ITEMS, np.int32),
        user_keys=list,
        user_attributes=lambda: (group[:, None] + 1).astype(np.int32),
        contexts=lambda: contexts,
    )


@pytest.fixture(scope="module")
def somebody(tmp_path_factory: pytest.TempPathFactory) -> UserContext:
    bundle = write_bundle(tmp_path_factory.mktemp("bundle") / "bundle")
    return Pipeline.load(bundle).context(Query(History.empty(), AS_OF))


def of(user: UserContext, *, attribute: int = 0, **context: str) -> UserContext:
    return replace(user, attributes=np.array([attribute], np.int32), context=context)


def test_people_get_what_is_popular_among_theirs(somebody: UserContext) -> None:
    found = PopularAmong.fit(shop(), CONFIG)
    assert found.for_user(somebody).best(3).tolist() == [SOAP, TEA, COFFEE], "of all"
    assert found.for_user(of(somebody, attribute=1)).best(3).tolist() == [SOAP, COFFEE, TEA]
    assert found.for_user(of(somebody, attribute=2)).best(3).tolist() == [SOAP, TEA, COFFEE]
    assert found.for_user(of(somebody, device=" phone")).best(3).tolist() == [SOAP, COFFEE, TEA]
    unknown = of(somebody, attribute=7, device="fridge", campaign="spring")
    assert found.for_user(unknown) is found.for_user(somebody)


def test_a_group_under_ten_people_says_nothing(somebody: UserContext) -> None:
    small, large = (PopularAmong.fit(shop(num_rare=number), CONFIG) for number in (9, 10))
    for user in (of(somebody, attribute=3), of(somebody, device="Watch"), of(somebody, country="CH")):
        assert small.for_user(user) is small.for_user(somebody)
        assert large.for_user(user) is not large.for_user(somebody)
    assert small.num_people.min() >= MIN_PEOPLE, "and nothing of it is in the bundle"


def test_a_small_group_stands_nearer_to_the_whole_than_a_large_one(somebody: UserContext) -> None:
    shares, coffee = [], np.array([COFFEE], np.int32)
    for number in (10, 40, 160):
        found = PopularAmong.fit(shop(num_coffee=number), CONFIG)
        score = found.for_user(of(somebody, attribute=1)).at(coffee)
        shares.append(float((score / found.recent[coffee] * found.share[coffee])[0]))
    assert shares == sorted(shares)
    assert shares[0] < 0.5, "though all of the ten bought it"


def test_one_person_who_buys_much_is_one_person(somebody: UserContext) -> None:
    once = replace(shop(), contexts=lambda: None)
    events = once.events
    often = np.concatenate([np.arange(len(events)), np.full(500, 0)])  # the first coffee, 500 times more
    more = replace(
        once,
        users=once.users[often],
        events=events.take(often),
        weights=once.weights[often],
    )
    user = of(somebody, attribute=1)
    one, other = (PopularAmong.fit(each, CONFIG) for each in (once, more))
    np.testing.assert_array_equal(one.had.toarray(), other.had.toarray())
    lift = [each.for_user(user).scores / each.recent[each.for_user(user).items] for each in (one, other)]
    np.testing.assert_allclose(lift[0], lift[1], rtol=1e-6)


def test_a_filter_is_searched_through_the_whole_shop(somebody: UserContext) -> None:
    found, user = PopularAmong.fit(shop(), CONFIG), of(somebody, attribute=1)
    allowed = np.zeros(NUM_ITEMS, bool)
    allowed[[TEA, RARE, 5]] = True
    deeper = found.deeper(user, found.for_user(user), allowed=allowed, count=5)
    assert deeper.best(5, allowed=allowed).tolist() == [TEA, RARE]


def test_its_reason_is_true(somebody: UserContext) -> None:
    found, user = PopularAmong.fit(shop(), CONFIG), of(somebody, attribute=1)
    items = np.array([TEA, COFFEE], np.int32)
    retrieval = Retrieval(user, found.for_user(user), items[:0], found.for_user(user), items)
    reasons = found.reasons(items, retrieval, Wording(titles=[], done="bought"))
    assert reasons[COFFEE].code == "popular_among"
    assert reasons[TEA].code == "popular", "nobody of the group bought tea"


def test_a_shop_without_events_or_attributes(somebody: UserContext, tmp_path: Path) -> None:
    plain = replace(shop(), user_attributes=lambda: np.zeros((309, 0), np.int32), contexts=lambda: None)
    found = PopularAmong.fit(plain, CONFIG)
    assert found.for_user(of(somebody, attribute=1)).best(2).tolist() == [SOAP, TEA]
    found.save(tmp_path)
    assert PopularAmong.load(tmp_path).for_user(somebody).best(2).tolist() == [SOAP, TEA]
