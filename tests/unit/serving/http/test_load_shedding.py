"""Overload: who would wait too long is refused at once, and who is accepted waits no longer than promised."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_shop import Shop, bought, problem

from configs.settings.services import ServingConfig
from serving.http.load_shedding import ALWAYS_TAKEN, MAX_IN_FLIGHT, Lane, LoadShedding
from serving.http.problems import Problem
from serving.recommend.pipeline import Pipeline, Ranked
from serving.recommend.request import Answer, Query
from serving.state.store import EventStore


class Clock:
    """Seconds, turned by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def after_requests_of(lane: Lane, clock: Clock, *, seconds: float) -> None:
    """One after the other."""
    for _ in range(100):
        turn = lane.enter()
        clock.now += seconds
        lane.leave(turn, is_answered=True)


@pytest.mark.parametrize(("service_s", "places"), [(0.01, 20), (0.05, ALWAYS_TAKEN), (0.0001, MAX_IN_FLIGHT)])
def test_a_lane_takes_what_it_can_answer_in_time(service_s: float, places: int) -> None:
    clock = Clock()
    lane = Lane(max_wait_s=0.2, clock=clock)
    after_requests_of(lane, clock, seconds=service_s)
    taken = 0
    while not lane.is_full:
        lane.enter()
        taken += 1
    assert taken == pytest.approx(places, abs=1)


def test_requests_side_by_side_take_the_time_between_two_of_them() -> None:
    """Ten wait together and leave a hundredth of a second apart: a service time of 10 ms, not of 100."""
    clock = Clock()
    lane = Lane(max_wait_s=0.15, clock=clock)
    for _ in range(20):
        turns = [lane.enter() for _ in range(10)]
        for turn in turns:
            clock.now += 0.01
            lane.leave(turn, is_answered=True)
    for _ in range(14):
        assert not lane.is_full
        lane.enter()


def test_a_slow_time_does_not_close_a_lane_for_good() -> None:
    clock = Clock()
    lane = Lane(max_wait_s=0.2, clock=clock)
    after_requests_of(lane, clock, seconds=10)
    turns = [lane.enter() for _ in range(ALWAYS_TAKEN)]
    assert lane.is_full
    for turn in turns:
        lane.leave(turn, is_answered=True)
    after_requests_of(lane, clock, seconds=0.001)
    for _ in range(2 * ALWAYS_TAKEN):
        lane.enter()
    assert not lane.is_full


def test_a_turn_that_comes_too_late_is_given_up_and_teaches_nothing() -> None:
    clock = Clock()
    lane = Lane(max_wait_s=0.2, clock=clock)
    after_requests_of(lane, clock, seconds=0.19)
    first, turn = lane.enter(), lane.enter()
    clock.now += 0.21
    with first:
        pass
    with pytest.raises(Problem, match="longer than 200 ms"), turn:
        pass
    lane.leave(turn, is_answered=True)
    lane.leave(first, is_answered=False)
    for _ in range(ALWAYS_TAKEN):
        lane.enter()
    assert lane.is_full, "still 0.19 s each"


def test_a_busy_event_loop_is_not_taken_for_work() -> None:
    """Half a second passes before the thread begins, and another after it: the work is 10 ms."""
    clock = Clock()
    lane = Lane(max_wait_s=1, clock=clock)
    for _ in range(100):
        turn = lane.enter()
        clock.now += 0.5
        with turn:
            clock.now += 0.01
        clock.now += 0.5
        lane.leave(turn, is_answered=True)
    for _ in range(90):
        assert not lane.is_full
        lane.enter()


@pytest.fixture
def slow_shop(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Shop, list[int]]]:
    """A shop that takes 30 ms for a list, and a list that grows by one for each that it made."""
    recommend = Pipeline.recommend
    made: list[int] = []

    def slowly(pipeline: Pipeline, query: Query, *, ranked: Ranked | None = None) -> Answer:
        time.sleep(0.03)
        made.append(1)
        return recommend(pipeline, query, ranked=ranked)

    monkeypatch.setattr(Pipeline, "recommend", slowly)
    with EventStore.open(tmp_path / "events.db") as store:
        yield Shop(pipeline, store, serving=ServingConfig(max_wait_ms=150)), made


def test_accepted_requests_wait_no_longer_than_promised(slow_shop: tuple[Shop, list[int]]) -> None:
    shop, made = slow_shop

    async def ask(client: httpx.AsyncClient) -> tuple[float, httpx.Response]:
        start = time.perf_counter()
        response = await client.post("/v1/recommend", json={})
        return time.perf_counter() - start, response

    async def many() -> tuple[list[tuple[float, httpx.Response]], list[httpx.Response]]:
        transport = httpx.ASGITransport(shop.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            asking = [asyncio.create_task(ask(client)) for _ in range(60)]
            await asyncio.sleep(0)
            events = client.post("/v1/events", json={"events": [bought("fruit1")]})
            others = await asyncio.gather(client.get("/readyz"), events)
            return await asyncio.gather(*asking), list(others)

    answers, others = asyncio.run(many())
    accepted = [seconds for seconds, response in answers if response.status_code == 200]
    refused = [response for _, response in answers if response.status_code != 200]
    assert [other.status_code for other in others] == [200, 200], "health and events have lanes of their own"
    assert accepted
    assert len(accepted) == len(made), "nothing is computed for a caller who was refused"
    assert max(accepted) < 1, "all 60 would take 1.8 s"
    details = problem(refused[0], 503)
    assert "150 ms (serving.max_wait_ms)" in details["detail"]
    assert refused[0].headers["retry-after"] == "1"
    metrics = shop.call("GET", "/metrics").text
    assert f'route="/v1/recommend",status="503"}} {len(refused)}.0' in metrics
    shop.recommend()


def test_a_refusal_reads_no_body_and_costs_little() -> None:
    """It is made before anything of the request is looked at but its path."""
    scope: dict[str, Any] = {"type": "http", "path": "/v1/recommend", "method": "POST", "headers": []}

    async def more_than_fit() -> float:
        done = asyncio.Event()

        async def wait(*_: object) -> None:
            await done.wait()

        shedding = LoadShedding(wait, ServingConfig(max_wait_ms=150))
        waiting = [asyncio.create_task(shedding(dict(scope), nothing, fail)) for _ in range(MAX_IN_FLIGHT)]
        await asyncio.sleep(0)
        seconds = [await refuse(shedding) for _ in range(200)]
        done.set()
        await asyncio.gather(*waiting)
        return sorted(seconds)[100]

    async def nothing() -> dict[str, Any]:
        raise AssertionError("nothing is read")

    async def fail(_: object) -> None:
        raise AssertionError("nothing is answered")

    async def refuse(shedding: LoadShedding) -> float:
        sent: list[Any] = []

        async def send(message: object) -> None:
            sent.append(message)

        start = time.perf_counter()
        await shedding(scope, nothing, send)
        seconds = time.perf_counter() - start
        assert sent[0]["status"] == 503
        return seconds

    assert asyncio.run(more_than_fit()) < 0.001


def test_a_locked_event_store_takes_no_place_of_a_list(shop: Shop, tmp_path: Path) -> None:
    async def both() -> list[int]:
        transport = httpx.ASGITransport(shop.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            lock = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            event = {"events": [bought("fruit1")]}
            writing = [asyncio.create_task(client.post("/v1/events", json=event)) for _ in range(80)]
            await asyncio.sleep(0.02)
            lists = [(await client.post("/v1/recommend", json={})).status_code for _ in range(10)]
            lock.execute("ROLLBACK")
            lock.close()
            await asyncio.gather(*writing)
            return lists

    assert asyncio.run(both()) == [200] * 10
