"""The time left, as a progress bar says it."""

from __future__ import annotations

import time

import pytest

from configs.pace import WARM_UP_STEPS, Pace, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in its only entry."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_slow_first_steps_do_not_count(clock: list[float]) -> None:
    pace = Pace(100)
    for _ in range(WARM_UP_STEPS):
        clock[0] += 60
        pace.advance(1)
        assert pace.seconds_left() is None
    for done in range(WARM_UP_STEPS + 1, 11):
        clock[0] += 0.5
        pace.advance(1)
        assert pace.seconds_left() == pytest.approx(0.5 * (100 - done))


def test_a_time_limit_ends_it_earlier(clock: list[float]) -> None:
    pace = Pace(100, at_most=lambda: 1020 - clock[0])
    assert pace.seconds_left() == 20
    for _ in range(WARM_UP_STEPS + 1):
        clock[0] += 1
        pace.advance(1)
    assert pace.seconds_left() == 20 - WARM_UP_STEPS - 1
    pace.advance(97)
    assert pace.seconds_left() == 0


def test_durations_are_rounded() -> None:
    found = [duration(seconds) for seconds in (None, -3.0, 45.4, 200.0, 7_500.0)]
    assert found == ["–", "0 s", "45 s", "3 min", "2 h 5 min"]
