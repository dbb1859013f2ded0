"""When a user's own items are due: probabilities that come true, and what is odd in the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.exceptions import ArtefactError
from configs.load import load_config
from features.core.columns import EVENT_TYPE_CODE, MICROSECONDS_PER_DAY
from features.histories import History, IntArray
from features.interactions import Interactions
from features.profiles.purchase_rhythm import purchase_rhythm
from features.profiles.user_profile import HALF_LIVES, build_user_profile
from features.retriever import Retrieval, ScoredItems, UserContext, Wording
from features.retrievers.due import Due
from features.target_weights import target_weights

DAY = MICROSECONDS_PER_DAY
NOW = 1_700_000_000_000_000
NUM_ITEMS = 6
AISLE = np.array([0, 0, 0, 1, 1, 1], np.int32)
WORDING = Wording(titles=[f"i{item}" for item in range(NUM_ITEMS)], done="bought")
Event = tuple[float, int] | tuple[float, int, str]
"""(days ago, item) of a purchase, or of another event type"""


def history_of(*events: Event) -> History:
    found = sorted((NOW - int(days * DAY), item, (*kind, "purchase")[0]) for days, item, *kind in events)
    return History(
        items=np.array([item for _, item, _ in found], np.int32),
        event_types=np.array([EVENT_TYPE_CODE[kind] for *_, kind in found], np.int8),
        times=np.array([time for time, *_ in found], np.int64),
        baskets=np.arange(len(found)),
        prices=np.full(len(found), np.nan, np.float32),
    )


def shop_of(*histories: History, **changed: Any) -> Due:
    """The retriever, fitted on these users' events."""
    users = np.repeat(np.arange(len(histories), dtype=np.int32), [len(one) for one in histories])
    events = History.empty()
    for one in histories:
        events = events.concatenated(one)
    weights = target_weights(users, events, {"purchase": 1.0}) if len(users) else np.empty(0, np.float32)
    stands = weights > 0
    interactions = Interactions(
        users=users[stands],
        events=events.take(stands),
        weights=weights[stands],
        num_items=NUM_ITEMS,
        as_of=NOW,
        has_times=True,
        categories=AISLE,
        parents=np.zeros(NUM_ITEMS, np.int32),
        user_keys=list,
    )
    return Due.fit(replace(interactions, **changed), load_config())


def user_of(history: History) -> UserContext:
    profile = build_user_profile(
        history,
        as_of=NOW,
        targets={"purchase": 1.0},
        item_categories=np.append(AISLE, -1),
        item_parents=np.append(AISLE, -1),
        half_lives=HALF_LIVES,
        recent_days=(),
        num_recent=5,
        profile_event_types=np.empty(0, np.int8),
        has_times=True,
    )
    return UserContext(history, NOW, profile, np.empty(0, np.int32))


def reasons_of(due: Due, history: History) -> dict[int, tuple[str, str]]:
    """item → code and text"""
    user = user_of(history)
    found = due.for_user(user)
    retrieval = Retrieval(user, found, np.empty(0, np.int32), ScoredItems.none(), found.items)
    return {item: (one.code, one.text) for item, one in due.reasons(found.items, retrieval, WORDING).items()}


def regular(item: int, *, every: float, last: float, times: int = 8) -> list[Event]:
    return [(last + number * every, item) for number in range(times)]


def lives(*, num_users: int, until: float, seed: int) -> list[list[tuple[float, int]]]:
    """Each user's purchases in days after 0: items 0 to 2 after 4 to 20 days, 3 to 5 after months."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(num_users):
        rows: list[tuple[float, int]] = []
        for item in chance.choice(NUM_ITEMS, 4, replace=False).tolist():
            usual = float(chance.uniform(4, 20) if item < 3 else chance.uniform(90, 300))
            day = float(chance.uniform(0, usual))
            while day < until:
                rows.append((day, item))
                day += usual * float(chance.lognormal(0, 0.4))
        found.append(rows)
    return found


@pytest.fixture(scope="module")
def shop() -> Due:
    return shop_of(
        *(
            history_of(*((400 - day, item) for day, item in rows))
            for rows in lives(num_users=150, until=400, seed=1)
        )
    )


def test_what_it_says_comes_true(shop: Due) -> None:
    """Of other people of the same kind: probabilities hold in each third, and the order beats counting."""
    said, came, counts = [], [], []
    for rows in lives(num_users=250, until=407, seed=2):
        history = history_of(*((400 - day, item) for day, item in rows if day < 400))
        if not len(history):
            continue
        user = user_of(history)
        found = shop.for_user(user)
        bought = {item for day, item in rows if day >= 400}
        said.append(found.scores)
        came.append(np.isin(found.items, list(bought)))
        counts.append(user.profile.own.counts)
    probability, count = np.concatenate(said).astype(float), np.concatenate(counts)
    truth = np.concatenate(came)
    order = np.argsort(probability)
    for third in np.array_split(order, 3):
        assert probability[third].mean() == pytest.approx(truth[third].mean(), abs=0.06)
    assert np.mean((probability - truth) ** 2) < 0.75 * np.mean((truth.mean() - truth) ** 2)
    assert _area(probability, truth) > _area(count, truth) + 0.02


def _area(score: Any, truth: Any) -> float:
    """How often what came true stood above what did not."""
    return float((score[truth][:, None] > score[~truth][None, :]).mean())


def test_a_due_item_says_every_how_many_days(shop: Due) -> None:
    found = reasons_of(
        shop,
        history_of(
            *regular(0, every=21, last=20),
            *regular(1, every=1, last=0.5),
            *regular(2, every=60, last=3),
            *regular(3, every=10, last=200),
            *regular(4, every=9, last=9, times=2),
        ),
    )
    assert found == {
        0: ("due", "You buy this about every 21 days; last 20 days ago"),
        1: ("due", "You buy this about every day; last 12 hours ago"),
        2: ("bought_before", "Bought 8 times, last 3 days ago"),
        3: ("bought_before", "Bought 8 times, last 200 days ago"),
        4: ("bought_before", "Bought twice, last 9 days ago"),
    }


def test_what_is_due_comes_before_what_is_not_yet(shop: Due) -> None:
    due = regular(0, every=14, last=13)
    early = regular(1, every=14, last=0.001)
    found = shop.for_user(user_of(history_of(*due, *early)))
    assert found.best(2).tolist() == [0, 1]
    assert found.scores[0] > 1.5 * found.scores[1]


def test_what_was_bought_once_a_minute_ago_and_lasts_months_comes_last(shop: Due) -> None:
    minute = 1 / (24 * 60)
    history = history_of((minute, 4), *regular(0, every=7, last=6), *regular(1, every=18, last=5), (80, 5))
    found = shop.for_user(user_of(history))
    assert found.best(4).tolist()[:2] == [0, 1]
    assert found.at(np.array([4], np.int32))[0] < 0.1


def test_lines_of_one_order_and_one_moment_are_one_purchase(shop: Due) -> None:
    rhythm = purchase_rhythm(
        np.zeros(4, np.int64),
        NOW - (np.array([20.0, 20.0, 19.9, 5.0]) * DAY).astype(int),
        num_rows=1,
        as_of=NOW,
    )
    assert (rhythm.moments[0], rhythm.since_first[0], rhythm.since_last[0]) == (2, 20, 5)
    assert rhythm.mean_interval[0] == 15
    together = history_of((30, 0), (30, 0), (30, 0), (30, 1))
    assert reasons_of(shop, together)[0] == ("bought_before", "Bought 3 times, last 30 days ago")
    once = history_of((30, 0), (30, 1))
    same = [shop.for_user(user_of(one)).at(np.array([0], np.int32))[0] for one in (together, once)]
    assert same[0] == pytest.approx(same[1], rel=0.3)


def test_what_was_brought_back_is_not_due(shop: Due) -> None:
    kept = regular(0, every=10, last=9, times=3)
    history = history_of(*kept, (8, 1), (7, 1, "refund"), (2, 0), (1, 0, "refund"))
    found = reasons_of(shop, history)
    assert found == {0: ("due", "You buy this about every 10 days; last 9 days ago")}


@pytest.mark.parametrize(
    "histories",
    [
        [],
        [history_of((3, 0, "refund"))],
        [history_of((3, 0))],
        [history_of((3, 0), (3, 1)), history_of((3, 0))],
        [history_of((3, 0), (2, 0, "refund"))],
        [history_of(*regular(0, every=300, last=1, times=2))],
    ],
    ids=["nothing", "only refunds", "one purchase ever", "one time", "all taken back", "one interval"],
)
def test_a_shop_of_which_little_is_known_gives_sensible_probabilities(histories: list[History]) -> None:
    due = shop_of(*histories)
    assert all(np.isfinite(value).all() for value in vars(due).values())
    assert not len(due.for_user(user_of(history_of((3, 0, "refund")))).items)
    history = history_of(*regular(0, every=7, last=6), (5, 1))
    found = due.for_user(user_of(history))
    assert found.items.tolist() == [0, 1]
    assert (found.scores > 0).all()
    assert 0.2 < found.scores[0] < 0.95
    assert found.scores[1] < found.scores[0]
    assert reasons_of(due, history)[1] == ("bought_before", "Bought once, last 5 days ago")


def test_without_times_it_gives_nothing() -> None:
    due = shop_of(history_of(*regular(0, every=7, last=6)), has_times=False)
    assert not len(due.for_user(user_of(history_of((3, 0)))).items)


def test_of_a_new_item_it_thinks_as_of_the_shop(shop: Due) -> None:
    larger = shop.grown(NUM_ITEMS + 1, new=np.array([NUM_ITEMS], np.int32))
    found = larger.for_user(user_of(history_of((40, NUM_ITEMS), (40, 0), (40, 3))))
    assert 0 < found.scores[found.items == NUM_ITEMS][0] < 0.5


def test_a_bundle_with_other_columns_is_refused(shop: Due, tmp_path: Path) -> None:
    shop.require_shapes(tmp_path, num_items=NUM_ITEMS)
    with pytest.raises(ArtefactError, match=r"weights\.npy.*where float F is needed"):
        replace(shop, weights=shop.weights[1:]).require_shapes(tmp_path, num_items=NUM_ITEMS)


def test_items_of_which_little_is_known_are_like_their_category(shop: Due) -> None:
    """A coffee that one user bought once, in an aisle of things that are bought again after months."""
    items: IntArray = np.arange(NUM_ITEMS, dtype=np.int32)
    days = np.exp(shop.intervals[items, 0] + shop.of_shop[0])
    assert (days[:3] < 20).all()
    assert (days[3:] > 50).all()
