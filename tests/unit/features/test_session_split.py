"""`split.kind=session`: sessions of a window are judged by their own beginnings, and nothing after the split
point is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_dataset import dataset_of

from configs.exceptions import ConfigError
from configs.load import load_config
from configs.settings.data import SplitConfig
from features.dataset import Dataset
from features.splits import SplitPoint, split_points, targets_between, window_times

MINUTE = 1 / (24 * 60)
VIEWS = {"view_item": 1.0}
Row = tuple[float, str, int]


def session(day: float, *items: int, event_type: str = "view_item") -> list[Row]:
    """Events a minute apart."""
    return [(day + n * MINUTE, event_type, item) for n, item in enumerate(items)]


USERS: tuple[list[Row], ...] = (
    [*session(1, 0, 1), *session(9.5, 2, 3, 4, 5)],  # a past, and a session in the test window
    session(9.2, 3, 0, 3, 3, 1),  # no past: 3 is seen again
    [*session(9.1, 0, 1), *session(9.6, 4, 4), *session(9.7, 1, 2, 5)],  # the last session
    session(8.0 - MINUTE, 0, 1, 2, 3),  # begins before the test window
    session(9.0 - MINUTE, 0, 1, 2, 3),
    session(9.3, 5),  # nothing follows
    session(9.4, 4, 4, 4),  # nothing new follows
    session(7.5, 5, 0),  # in the validation window
    session(10.0 - MINUTE, 1, 2),  # the last events of all
)


@pytest.fixture
def dataset() -> Dataset:
    return dataset_of(USERS)


@pytest.fixture
def points(dataset: Dataset) -> tuple[SplitPoint, SplitPoint, SplitPoint]:
    return split_points(dataset, SplitConfig(kind="session", window_days=2))


def found(dataset: Dataset, one: SplitPoint, other: SplitPoint) -> dict[int, list[int]]:
    between = targets_between(dataset, one, other, targets=VIEWS)  # type: ignore[arg-type]
    return {user: items.tolist() for user, items in between.items()}


def test_the_first_half_of_a_session_is_its_beginning_and_the_rest_is_to_be_predicted(
    dataset: Dataset, points: tuple[SplitPoint, SplitPoint, SplitPoint]
) -> None:
    validation, test, full = points
    assert found(dataset, test, full) == {0: [4, 5], 1: [1], 2: [2, 5], 4: [2, 3], 8: [2]}
    assert test.history(dataset, 0).items.tolist() == [0, 1, 2, 3], "the past, and the beginning"
    assert test.begun_with(dataset, 0).tolist() == [2, 3], "the beginning alone"
    assert test.history(dataset, 1).items.tolist() == [3, 0]
    assert test.history(dataset, 2).items.tolist() == [0, 1, 4, 4, 1], "earlier sessions of the window"
    assert found(dataset, validation, test) == {3: [1], 7: [0]}, "3 goes on in the test window"
    assert full.sessions is None
    assert len(full.history(dataset, 0)) == 6


def test_the_beginning_is_before_what_follows_and_nothing_is_on_both_sides(
    dataset: Dataset, points: tuple[SplitPoint, SplitPoint, SplitPoint]
) -> None:
    _, test, full = points
    begins, ends = test.to_predict(full)
    for user, items in found(dataset, test, full).items():
        history, following = test.history(dataset, user), dataset.times[begins[user] : ends[user]]
        assert history.times.max() < test.as_of_user(user) == following.min()
        assert not set(items) & set(test.begun_with(dataset, user).tolist())


def test_what_is_trained_ends_at_the_split_point_for_all(
    dataset: Dataset, points: tuple[SplitPoint, SplitPoint, SplitPoint]
) -> None:
    first, last = int(dataset.manifest["first_time"]), int(dataset.manifest["last_time"])
    times = window_times(first, last, num_events=len(dataset.items), window_days=2)
    for point, time in zip(points, times, strict=True):
        assert point.as_of == time
        assert point.past(dataset).tolist() == (dataset.times < time).tolist()
        assert not point.per_user


def test_a_session_over_the_end_of_its_window_gives_nothing_of_the_next(dataset: Dataset) -> None:
    """The ranker's lists of the validation window must not know the test window."""
    users = (session(0, 0, 1), session(8.0 - 2 * MINUTE, 1, 2, 3, 4), session(10.0 - MINUTE, 1, 2))
    dataset = dataset_of(users)
    validation, test, full = split_points(dataset, SplitConfig(kind="session", window_days=2))
    _, ends = validation.to_predict(test)
    assert dataset.times[ends[1] - 1] < test.as_of <= dataset.times[ends[1]]
    assert found(dataset, validation, test) == {1: [2, 3]}
    assert found(dataset, test, full) == {2: [2]}, "its beginning was trained on"


def test_events_of_one_moment_are_on_one_side() -> None:
    same = [(9.0, "view_item", item) for item in (0, 1, 2)]
    users = (
        session(0, 0, 1),
        [*same, *session(9 + MINUTE, 3)],
        [*session(9.0, 5), *((9 + MINUTE, "view_item", item) for item in (0, 1, 2))],
        [(10.0, "view_item", item) for item in (0, 1, 2)],
    )
    dataset = dataset_of(users)
    _, test, full = split_points(dataset, SplitConfig(kind="session", window_days=2))
    assert found(dataset, test, full) == {1: [3], 2: [0, 1, 2]}
    assert test.history(dataset, 1).items.tolist() == [0, 1, 2]


def test_other_event_types_are_context(dataset: Dataset) -> None:
    users = (
        session(0, 0, 1),
        [*session(9, 0, 1), *session(9 + 2 * MINUTE, 1, 2, event_type="purchase")],
        session(10, 1, 2),
    )
    dataset = dataset_of(users)
    _, test, full = split_points(dataset, SplitConfig(kind="session", window_days=2))
    bought = targets_between(dataset, test, full, targets={"purchase": 1.0})
    assert {user: items.tolist() for user, items in bought.items()} == {1: [2]}, "1 was looked at"
    np.testing.assert_array_equal(test.history(dataset, 1).items, [0, 1])


def test_an_order_without_times_has_no_sessions() -> None:
    with pytest.raises(ConfigError, match=r"split\.kind=session needs them: set split\.kind=leave_one_out"):
        load_config(overrides=["data.clock=ordinal", "split.kind=session"])
