"""How many requests a key gets through."""

from __future__ import annotations

import pytest

from serving.access.token_bucket import TokenBucket


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("per_second", "at_once"), [(5.0, 5), (0.25, 1), (2.5, 2)])
def test_a_second_of_requests_at_once_and_then_the_rate(per_second: float, at_once: int) -> None:
    clock = Clock()
    bucket = TokenBucket(per_second=per_second, clock=clock)
    assert [bucket.wait_s() for _ in range(at_once)] == [0.0] * at_once
    assert 0 < bucket.wait_s() <= 1 / per_second
    clock.now += bucket.wait_s() + 1e-9
    assert bucket.wait_s() == 0
    assert bucket.wait_s() > 0
    passed = 0
    for _ in range(10_000):
        clock.now += 0.01
        passed += bucket.wait_s() == 0
    assert passed == pytest.approx(100 * per_second, abs=2)


def test_a_pause_is_worth_no_more_than_a_second() -> None:
    clock = Clock()
    bucket = TokenBucket(per_second=3, clock=clock)
    clock.now += 3600
    assert sum(bucket.wait_s() == 0 for _ in range(100)) == 3
