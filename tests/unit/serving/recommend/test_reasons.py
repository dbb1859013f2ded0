"""A reason is a statement: each that is given, over random histories, is true of the events.

The shop is random, too, and fitted in memory; the checks here know only its rows.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest
from hand_made_bundle import AS_OF, NUM_ITEMS, write_bundle
from random_shop import DAY, HOUR, NUM_USERS, Row, as_history, fitted_pipeline, random_rows, shop_rows

from configs.settings.encoder import HistoryConfig
from configs.settings.event_types import EventType
from features.histories import History
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query, Recommendation

WORDS = {
    "select_item": "viewed",
    "view_item": "viewed",
    "add_to_wishlist": "saved",
    "add_to_cart": "put into the cart",
    "review": "reviewed",
    "purchase": "bought",
}
"""Event type → what it does to an item, what says least first."""


def joined(event_types: set[str], word: str) -> str:
    named = list(dict.fromkeys(WORDS[name] for name in WORDS if name in event_types))
    if word == "and" and len(named) > 2:
        named = [named[0], named[-1]]
    return f" {word} ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))


def standing(rows: list[Row], targets: tuple[str, ...]) -> list[Row]:
    """The target events that no later refund or removal took back."""
    left: list[Row] = []
    for row in rows:
        undone = {"refund": "purchase", "remove_from_cart": "add_to_cart"}.get(row[1])
        if undone:
            of_item = [one for one in left if one[1:] == (undone, row[2])]
            left = [one for one in left if one not in of_item[-1:]]
        elif row[1] in targets:
            left.append(row)
    return left


@dataclass(frozen=True)
class Truth:
    """What the rows of the shop say, before the bundle's moment."""

    rows: list[list[Row]]
    targets: tuple[str, ...]

    @cached_property
    def events(self) -> list[list[Row]]:
        return [standing(rows, self.targets) for rows in self.rows]

    @cached_property
    def visits(self) -> list[list[tuple[int, set[int]]]]:
        """User → (its first time, its items) of each of their visits."""
        found: list[list[tuple[int, set[int]]]] = []
        for rows in self.events:
            visits: list[tuple[int, set[int]]] = []
            before = None
            for time, _, item in rows:
                if before is None or time - before > HOUR // 2:
                    visits.append((time, set()))
                visits[-1][1].add(item)
                before = time
            found.append(visits)
        return found

    @cached_property
    def together(self) -> dict[tuple[int, int], int]:
        counts: dict[tuple[int, int], int] = defaultdict(int)
        for visits in self.visits:
            for _, items in visits:
                for one in items:
                    for other in items - {one}:
                        counts[one, other] += 1
        return counts

    @cached_property
    def followed(self) -> dict[tuple[int, int], int]:
        counts: dict[tuple[int, int], int] = defaultdict(int)
        for visits in self.visits:
            for (time, items), (later, after) in itertools.pairwise(visits):
                for one in items if later - time <= 7 * DAY else ():
                    for other in after - {one}:
                        counts[one, other] += 1
        return counts

    @cached_property
    def last_sold(self) -> dict[int, int]:
        """Item → its latest target event."""
        return {item: time for time, _, item in sorted(row for rows in self.events for row in rows)}

    def sold(self, item: int, *, days: float) -> bool:
        """Whether the item had a target event in so many days before the bundle."""
        return self.last_sold.get(item, -(10**18)) >= AS_OF - days * DAY

    @cached_property
    def first_sold(self) -> dict[int, int]:
        """Item → its first target event."""
        rows = sorted((row for rows in self.events for row in rows), reverse=True)
        return {item: time for time, _, item in rows}

    @cached_property
    def rising(self) -> set[int]:
        """Items with more of all that halves every week than of all that halves every eight."""
        lately, past = dict.fromkeys(range(NUM_ITEMS), 0.0), dict.fromkeys(range(NUM_ITEMS), 0.0)
        for time, _, item in (row for rows in self.events for row in rows):
            lately[item] += 2 ** ((time - AS_OF) / DAY / 7)
            past[item] += 2 ** ((time - AS_OF) / DAY / 56)
        level = sum(lately.values()) / sum(past.values())
        return {item for item in lately if lately[item] > level * past[item]}

    @cached_property
    def had(self) -> list[tuple[set[int], set[int]]]:
        """Of each user: the items of all target events, and of those in two recent windows."""
        since = AS_OF - 56 * DAY
        return [
            ({row[2] for row in rows}, {row[2] for row in rows if row[0] >= since}) for rows in self.events
        ]

    def shared_with_a_buyer_of(self, item: int, own: set[int], *, user: int | None) -> bool:
        """Whether somebody else with one of the `own` items had the item in two recent windows."""
        others = (had for number, had in enumerate(self.had) if number != user)
        return any(item in lately and own & ever for ever, lately in others)


@dataclass(frozen=True)
class Shop:
    truth: Truth
    pipeline: Pipeline


@pytest.fixture(scope="module")
def hand_made(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(write_bundle(tmp_path_factory.mktemp("bundle") / "bundle"))


@pytest.fixture(scope="module", params=["purchase", "purchase view_item", "review", "add_to_cart purchase"])
def shop(request: pytest.FixtureRequest, hand_made: Bundle) -> Shop:
    targets: tuple[EventType, ...] = tuple(request.param.split())
    rows = shop_rows()
    return Shop(Truth(rows, targets), fitted_pipeline(hand_made, rows, targets=targets))


@dataclass(frozen=True)
class Visit:
    """A user with a page at a moment, and what is true of them."""

    shop: Shop
    rows: list[Row]
    query: Query
    user: int | None
    """One of the shop, who has done more since"""

    @cached_property
    def standing(self) -> list[Row]:
        return standing(self.rows, self.shop.truth.targets)

    @cached_property
    def own(self) -> set[int]:
        return {item for *_, item in self.standing}

    def check(self, one: Recommendation) -> list[str]:
        """Each reason is true; returns their codes."""
        surface = self.shop.pipeline.bundle.surfaces[self.query.surface]
        assert one.source in {*(surface.retrievers or self.shop.pipeline.bundle.retrievers), surface.fallback}
        for reason in one.reasons:
            assert getattr(self, f"is_{reason.code}")(one.item, reason.text, reason.item), (one.item, reason)
        return [reason.code for reason in one.reasons]

    def is_bought_before(self, item: int, text: str, _: int | None) -> bool:
        return text.startswith("Bought ") and self.is_chosen_before(item, text, _)

    def is_chosen_before(self, item: int, text: str, _: int | None) -> bool:
        words = {row[1] for row in self.standing if row[2] == item}
        word = next(word for name, word in reversed(WORDS.items()) if name in words)
        times = [time for time, name, one in self.standing if one == item and WORDS[name] == word]
        often = {1: "once", 2: "twice"}.get(len(times), f"{len(times)} times")
        return text == f"{word.capitalize()} {often}, last {self.ago(times[-1])}"

    def ago(self, time: int) -> str:
        hours = (self.query.as_of - time) // HOUR
        ago = f"{hours // 24} days ago" if hours >= 48 else f"{hours} hours ago"
        return {0: "within the hour", 1: "1 hour ago"}.get(hours, ago)

    def is_due(self, item: int, text: str, _: int | None) -> bool:
        times = [time for time, name, one in self.standing if (name, one) == ("purchase", item)]
        moments: list[int] = []
        for time in times:
            if not moments or time - moments[-1] >= DAY / 2:
                moments.append(time)
        days = (moments[-1] - moments[0]) / DAY / (len(moments) - 1)
        since = (self.query.as_of - moments[-1]) / DAY
        assert len(moments) > 2
        assert since <= 3 * days <= 3 * (since + 7)
        often = "day" if round(days) <= 1 else f"{round(days)} days"
        return text == f"You buy this about every {often}; last {self.ago(times[-1])}"

    def is_goes_with(self, item: int, text: str, other: int | None) -> bool:
        truth, done = self.shop.truth, joined(set(self.shop.truth.targets), "or")
        assert other is not None
        title = self.shop.pipeline.bundle.titles[other]
        on_page = {*self.query.page_items.tolist(), *(row[2] for row in self.rows)}
        if text == f"{done.capitalize()} together with {title}":
            return other in on_page and truth.together[other, item] >= 3
        if text == f"Goes with {title}":
            return other in on_page and truth.together[other, item] >= 2
        if text == f"Often {done} with {title}":
            return other in self.own and truth.together[other, item] >= 2
        assert text == f"Often {done} after {title}"
        return other in self.own and truth.followed[other, item] >= 2

    def is_similar(self, item: int, text: str, other: int | None) -> bool:
        """Of one aisle, which is all that the catalogue says of them, or often in one visit."""
        assert other is not None
        on_page = {*self.query.page_items.tolist(), *(row[2] for row in self.rows)}
        is_like = item // 10 == other // 10 or self.shop.truth.together[other, item] >= 2
        return (
            text == f"Similar to {self.shop.pipeline.bundle.titles[other]}" and other in on_page and is_like
        )

    def is_for_you(self, _: int, text: str, __: int | None) -> bool:
        inputs = HistoryConfig().input_event_types
        read = {name for _, name, _ in [row for row in self.rows if row[1] in inputs][-20:]}
        return text == f"Fits what was {joined(read, 'and')}" or read <= {"refund", "remove_from_cart"}

    def is_similar_users(self, item: int, text: str, _: int | None) -> bool:
        done = joined(set(self.shop.truth.targets), "or").capitalize()
        assert text == f"{done} lately by people with items in common"
        return item not in self.own and self.shop.truth.shared_with_a_buyer_of(item, self.own, user=self.user)

    def is_trending(self, item: int, text: str, _: int | None) -> bool:
        return text == "Trending now" and item in self.shop.truth.rising

    def is_new(self, item: int, text: str, _: int | None) -> bool:
        came = self.shop.truth.first_sold.get(item, AS_OF)
        return text == "New in the shop" and came >= AS_OF - 28 * DAY

    def is_popular(self, item: int, text: str, _: int | None) -> bool:
        return text == "Popular in the shop lately" and self.shop.truth.sold(item, days=28)

    def is_long_tail(self, item: int, text: str, _: int | None) -> bool:
        done = joined(set(self.shop.truth.targets), "or").capitalize()
        is_late = self.shop.truth.sold(item, days=28)
        return text == f"{done} in the shop before" and self.shop.truth.sold(item, days=1e5) and not is_late


def visits(shop: Shop, count: int, *, seed: int) -> Iterator[Visit]:
    """Random users at random moments within a week of the bundle: strangers, known ones, people with a
    page."""
    chance = np.random.default_rng(seed)
    names = list(shop.pipeline.bundle.surfaces)
    for number in range(count):
        as_of = AS_OF + int(chance.integers(1, 7 * DAY))
        rows = random_rows(chance, end=as_of, days=float(chance.choice([1.0, 60.0]))) if number % 20 else []
        if number % 7 == 0:
            rows = rows[-1:]
        user = number % NUM_USERS if number % 3 == 0 else None
        if user is not None:
            bought = [row for row in shop.truth.rows[user] if row[1] == "purchase"]
            returned = [(as_of - place - 1, "refund", row[2]) for place, row in enumerate(bought)]
            rows = sorted([*shop.truth.rows[user], *returned[:2]])
        page = chance.choice(NUM_ITEMS, int(chance.integers(0, 3)), replace=False).astype(np.int32)
        length = int(chance.choice([4, 35]))
        query = Query(as_history(rows), as_of, names[number % len(names)], page, num_results=length)
        key = None if user is None else f"u{user}"
        yield Visit(shop, rows, replace(query, user=key), user)


def test_every_reason_is_true_and_scores_fall_with_the_rank(shop: Shop) -> None:
    codes = set()
    for visit in visits(shop, 150, seed=1):
        answer = shop.pipeline.recommend(visit.query)
        for one in answer.recommendations:
            codes |= set(visit.check(one))
        scores = [one.score for one in answer.recommendations]
        if not shop.pipeline.bundle.surfaces[visit.query.surface].diversity:
            assert scores == sorted(scores, reverse=True), visit.query.surface
        impersonal = {one.source for one in answer.recommendations} == {"popularity"}
        assert impersonal <= str(answer.fallback_used).startswith("popularity: nothing"), visit.query
    assert codes >= {"goes_with", "similar", "for_you", "similar_users", "popular", "trending"}


def test_nothing_is_called_recent_long_after_the_bundle(shop: Shop) -> None:
    late = AS_OF + 29 * DAY
    rows = [(late - 30 * HOUR, shop.truth.targets[0], 3)]
    for history in (as_history(rows), History.empty()):
        answer = shop.pipeline.recommend(Query(history, late, num_results=30))
        texts = [reason.text for one in answer.recommendations for reason in one.reasons]
        assert "Popular in the shop" in texts
        assert not [text for text in texts if "lately" in text]
