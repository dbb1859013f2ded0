"""What the ranker's training lists ask of one user, and what is right in them."""

from __future__ import annotations

import numpy as np
import pytest

from configs.schema import Config
from configs.settings.recommend import DEFAULT_SURFACES
from features.dataset import Dataset
from features.histories import History
from features.splits import split_points, targets_between
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from training.queries import query_at
from training.ranker.list_questions import ListQuestion, questions_of_user
from training.ranker.lists import ranked_lists

HOUR = 3_600_000_000


def baskets(*contents: list[int]) -> History:
    """A purchase of each item, a basket an hour."""
    items = [item for basket in contents for item in basket]
    numbers = [number for number, basket in enumerate(contents) for _ in basket]
    return History(
        items=np.array(items, np.int32),
        event_types=np.zeros(len(items), np.int8),
        times=np.array(numbers) * HOUR,
        baskets=np.array(numbers),
        prices=np.ones(len(items), np.float32),
    )


def asked(future: History, *, seed: int = 0, surfaces: tuple[str, ...] = ("home",)) -> list[ListQuestion]:
    return questions_of_user(
        Query(History.empty(), HOUR),
        future,
        [future],
        surfaces=surfaces,
        generator=np.random.default_rng(seed),
    )


def test_the_home_page_asks_for_everything_of_the_window() -> None:
    home, *_ = asked(baskets([4, 7], [7, 9, 2]))
    assert home.query.surface == "home"
    assert not len(home.query.page_items)
    assert home.relevant.tolist() == [2, 4, 7, 9]


@pytest.mark.parametrize("seed", range(20))
def test_a_page_shows_a_part_of_one_basket_and_asks_for_the_rest_of_it(seed: int) -> None:
    _, page = asked(baskets([4, 7], [5], [7, 9, 2, 1, 3], [6, 6]), seed=seed)
    shown, rest = set(page.query.page_items.tolist()), set(page.relevant.tolist())
    assert shown
    assert rest
    assert not shown & rest, "what is on the page is never what is asked for"
    assert shown | rest in ({4, 7}, {7, 9, 2, 1, 3})
    assert set(page.outcomes[0].tolist()) == shown | rest
    assert page.weight < 1


def test_a_basket_of_one_item_has_no_rest() -> None:
    assert len(asked(baskets([4], [5], [6, 6]))) == 1


def test_a_page_is_asked_for_as_the_surface_that_shows_it() -> None:
    pages = [
        asked(baskets([7, 9, 2, 1, 3]), seed=seed, surfaces=tuple(DEFAULT_SURFACES))[1] for seed in range(9)
    ]
    assert {(len(one.query.page_items) > 1, one.query.surface) for one in pages} == {
        (False, "product"),
        (True, "cart"),
    }
    assert asked(baskets([4, 7]), surfaces=("home", "cart"))[1].query.surface == "home"


def test_the_lists_of_a_shop_ask_for_nothing_after_the_window_and_are_the_same_again(
    tiny_pipeline: Pipeline,
    shop_dataset: Dataset,
    shop_config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    validation, test, _ = split_points(shop_dataset, shop_config.split)
    within = targets_between(shop_dataset, validation, test, targets=shop_config.history.targets)
    seen: list[ListQuestion] = []

    def noted(*args: object, **options: object) -> list[ListQuestion]:
        found = questions_of_user(*args, **options)  # type: ignore[arg-type]
        seen.extend(found)
        return found

    monkeypatch.setattr("training.ranker.lists.questions_of_user", noted)
    arguments = (tiny_pipeline, shop_dataset, validation, test)
    first, again = (list(ranked_lists(*arguments, config=shop_config)) for _ in range(2))
    in_window = {
        query_at(shop_dataset, validation, user).user: set(items.tolist()) for user, items in within.items()
    }
    assert any(len(one.query.page_items) for one in seen)
    for question in seen:
        allowed = in_window.get(question.query.user, set())
        assert set(question.relevant.tolist()) | set(question.query.page_items.tolist()) <= allowed
        assert question.query.as_of == validation.as_of
    assert len(first) == len(again)
    for lists, others in zip(first, again, strict=True):
        for one, other in zip(lists, others, strict=True):
            np.testing.assert_array_equal(one.features, other.features)
            np.testing.assert_array_equal(one.relevant, other.relevant)
