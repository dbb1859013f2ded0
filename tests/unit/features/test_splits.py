from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made_dataset import dataset_of
from numpy.typing import NDArray

from configs.exceptions import TooLittleDataError
from configs.load import load_config
from configs.settings.data import SplitConfig
from features.core.columns import MICROSECONDS_PER_DAY
from features.dataset import Dataset
from features.interactions import Interactions
from features.profiles.item_profiles import ItemProfiles
from features.splits import SplitPoint, split_point_at, split_points, targets_between

USERS = (
    [(0, "purchase", 1), (3, "view_item", 2), (5, "purchase", 3), (9, "purchase", 1)],
    [(8, "purchase", 4)],
    [(2, "purchase", 0), (2, "purchase", 5), (7, "purchase", 0), (7, "purchase", 0), (7, "view_item", 1)],
)
"""For each user: (day, event type, item)"""


def days_of(dataset: Dataset, mask: NDArray[np.bool_]) -> list[int]:
    days: list[int] = (dataset.times[mask] // MICROSECONDS_PER_DAY).tolist()
    return days


def test_windows_end_with_the_last_event_and_follow_each_other() -> None:
    dataset = dataset_of(USERS)
    validation, test, full = split_points(dataset, SplitConfig(window_days=2))
    assert [point.as_of for point in (validation, test, full)] == [
        9 * MICROSECONDS_PER_DAY + 1 - windows * 2 * MICROSECONDS_PER_DAY for windows in (2, 1, 0)
    ]
    # the last day is 9, so the split points stand just after days 5, 7 and 9
    assert days_of(dataset, validation.past(dataset)) == [0, 3, 5, 2, 2]
    assert days_of(dataset, test.past(dataset)) == [0, 3, 5, 2, 2, 7, 7, 7]
    assert full.past(dataset).all()
    for point in (validation, test, full):
        assert point.past(dataset).tolist() == (dataset.times < point.as_of).tolist()
        for user in range(3):
            history = point.history(dataset, user)
            assert history.items.tolist() == dataset.history(user).before(point.as_of).items.tolist()
            assert point.as_of_user(user) == point.as_of


def test_an_event_at_the_moment_of_the_cut_is_not_past() -> None:
    dataset = dataset_of(USERS)
    point = split_point_at(dataset, 5 * MICROSECONDS_PER_DAY, name="test")
    assert days_of(dataset, point.past(dataset)) == [0, 3, 2, 2]


def test_windows_that_do_not_fit_are_rejected_with_one_that_does() -> None:
    dataset = dataset_of(USERS)
    with pytest.raises(
        TooLittleDataError, match=r"spans 9\.0 days.*window_days=5 needs more than two windows \(10 days\)"
    ) as error:
        split_points(dataset, SplitConfig(window_days=5))
    suggested = float(str(error.value).rpartition("=")[2].rstrip("."))
    assert len(split_points(dataset, SplitConfig(window_days=suggested))) == 3


ORDERED = (
    USERS[0],
    USERS[1],
    [(2, "purchase", 0), (3, "purchase", 5), (6, "purchase", 0), (7, "purchase", 0), (8, "view_item", 1)],
)
"""Events at times of their own, as in the files of papers."""


def test_leave_one_out_holds_back_the_last_two_events_of_all_who_have_three() -> None:
    dataset = dataset_of(ORDERED)
    validation, test, full = split_points(dataset, SplitConfig(kind="leave_one_out"))
    assert [len(validation.history(dataset, user)) for user in range(3)] == [2, 1, 3]
    assert [len(test.history(dataset, user)) for user in range(3)] == [3, 1, 4]
    assert [len(full.history(dataset, user)) for user in range(3)] == [4, 1, 5]
    history = validation.history(dataset, 0)
    assert validation.as_of_user(0) == dataset.history(0).times[2], (
        "when the event came that is to be predicted"
    )
    assert history.before(validation.as_of_user(0)).items.tolist() == history.items.tolist()
    assert full.as_of_user(0) == dataset.history(0).times[-1] + 1


def test_targets_between_are_the_distinct_items_of_the_wanted_kind() -> None:
    dataset = dataset_of(USERS)
    validation, test, full = split_points(dataset, SplitConfig(window_days=2))
    found = targets_between(dataset, validation, test, targets={"purchase": 1.0})
    assert {user: items.tolist() for user, items in found.items()} == {2: [0]}
    found = targets_between(dataset, validation, full, targets={"purchase": 1.0, "view_item": 0.5})
    assert {user: items.tolist() for user, items in found.items()} == {0: [1], 1: [4], 2: [0, 1]}
    assert targets_between(dataset, test, test, targets={"purchase": 1.0}) == {}
    assert targets_between(dataset, validation, full, targets={"review": 1.0}) == {}


def test_leave_one_out_cuts_no_basket() -> None:
    """Neither a receipt nor a moment is history and target at once."""
    baskets = [(1, "purchase", 0), (1, "purchase", 1), (4, "purchase", 2), (9, "purchase", 3)]
    dataset = dataset_of(([*baskets, (9, "purchase", 4), (9, "view_item", 5)], USERS[2]))
    two_receipts = replace(dataset, baskets=np.arange(len(dataset.items)))
    for one in (dataset, two_receipts):
        validation, test, full = split_points(one, SplitConfig(kind="leave_one_out"))
        assert [len(point.history(one, 0)) for point in (validation, test, full)] == [2, 3, 6]
        assert [len(point.history(one, 1)) for point in (validation, test, full)] == [5, 5, 5], "two baskets"
        held_out = targets_between(one, test, full, targets={"purchase": 1.0})
        assert {user: items.tolist() for user, items in held_out.items()} == {0: [3, 4]}
        assert test.history(one, 0).times.max() < test.as_of_user(0) == 9 * MICROSECONDS_PER_DAY


def test_targets_between_two_leave_one_out_cuts_are_one_event_a_user() -> None:
    dataset = dataset_of(ORDERED)
    validation, test, full = split_points(dataset, SplitConfig(kind="leave_one_out"))
    assert {
        u: i.tolist()
        for u, i in targets_between(dataset, validation, test, targets={"purchase": 1.0}).items()
    } == {
        0: [3],
        2: [0],
    }
    assert {
        u: i.tolist() for u, i in targets_between(dataset, test, full, targets={"purchase": 1.0}).items()
    } == {0: [1]}


def tables_at(dataset: Dataset, as_of: int, *overrides: str) -> ItemProfiles:
    config = load_config(overrides=["retrievers.num_neighbours=4", *overrides])
    interactions = Interactions.before(dataset, split_point_at(dataset, as_of, name="test"), config)
    return ItemProfiles.fit(interactions, config)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_no_item_profile_sees_an_event_at_or_after_the_split_point(
    shop_dataset: Dataset, share: float
) -> None:
    """Fitted on a data set that ends at the split point, every table is the same to the last bit."""
    as_of = int(np.quantile(shop_dataset.times, share, method="nearest"))
    past = np.asarray(shop_dataset.times) < as_of
    users = shop_dataset.users[past]
    ended = Dataset(
        **{
            **vars(shop_dataset),
            **{
                name: np.asarray(getattr(shop_dataset, name))[past]
                for name in ("items", "event_types", "times", "baskets", "prices")
            },
            "offsets": np.searchsorted(users, np.arange(shop_dataset.num_users + 1)).astype(np.int64),
        }
    )
    found, expected = tables_at(shop_dataset, as_of), tables_at(ended, as_of)
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)
    assert (found.popularity != tables_at(shop_dataset, as_of + 10 * MICROSECONDS_PER_DAY).popularity).any()


RETURNS = (
    [(0, "purchase", 1), (3, "refund", 1), (5, "purchase", 3), (9, "refund", 3)],
    [
        (1, "purchase", 4),
        (1, "purchase", 5),
        (2, "add_to_cart", 2),
        (3, "remove_from_cart", 2),
        (7, "add_to_cart", 0),
    ],
    [(6, "purchase", 2), (7, "refund", 2), (8, "purchase", 0), (8, "purchase", 4), (9, "refund", 4)],
)


def test_a_refund_counts_from_its_own_time_on() -> None:
    dataset = dataset_of(RETURNS)
    assert tables_at(dataset, 2 * MICROSECONDS_PER_DAY).popularity_all.tolist() == [0, 1, 0, 0, 1, 1]
    tables = tables_at(dataset, 6 * MICROSECONDS_PER_DAY)
    assert tables.popularity_all.tolist() == [0, 0, 0, 1, 1, 1]
    assert tables.known.tolist() == [False, False, False, True, True, True]
    assert tables.first_seen[1] == 6 * MICROSECONDS_PER_DAY, "nothing of it is left"
    tables = tables_at(dataset, 20 * MICROSECONDS_PER_DAY, "history.targets={purchase: 2, add_to_cart: 0.5}")
    assert tables.popularity_all.tolist() == [2.5, 0, 0, 0, 2, 2]


def test_what_was_bought_and_brought_back_within_the_window_is_not_relevant() -> None:
    dataset = dataset_of(RETURNS)
    earlier, inside, later = (
        split_point_at(dataset, day * MICROSECONDS_PER_DAY, name="point") for day in (4, 9, 20)
    )

    def found(first: SplitPoint, second: SplitPoint, **targets: float) -> dict[int, list[int]]:
        between = targets_between(dataset, first, second, targets=targets)  # type: ignore[arg-type]
        return {user: items.tolist() for user, items in between.items()}

    assert found(earlier, inside, purchase=1) == {0: [3], 2: [0, 4]}, "brought back after the window"
    assert found(earlier, later, purchase=1) == {2: [0]}
    assert found(inside, later, purchase=1) == {}
    assert found(earlier, later, purchase=1, add_to_cart=0.1) == {1: [0], 2: [0]}


def test_tables_count_targets_alone_and_come_back_from_their_files(tmp_path: Path) -> None:
    dataset = dataset_of(USERS)
    tables = tables_at(dataset, 8 * MICROSECONDS_PER_DAY)
    assert tables.popularity_all.tolist() == [3, 1, 0, 1, 0, 1]
    assert tables.known.tolist() == [True, True, False, True, False, True]
    assert (tables.popularity + tables.popularity_before <= tables.popularity_all).all()
    assert np.isnan(tables.price).tolist() == (~tables.known).tolist()
    tables.save(tmp_path)
    for name, values in vars(ItemProfiles.load(tmp_path)).items():
        np.testing.assert_array_equal(values, getattr(tables, name), err_msg=name)
