"""Load shedding: refuses requests that would wait too long. A quick 503 is better than a late list."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from configs.settings.services import ServingConfig
from serving.http.problems import Problem
from serving.http.request_body import read_body, with_body

OWN_LANE: Final = ("/v1/recommend", "/v1/events")
"""Paths that wait for nothing but their own kind: a slow disk holds up no list."""

ALWAYS_TAKEN: Final = 8
"""Requests that a lane takes however slow it is, since HAProxy gives a replica as many lists at once (see
`haproxy_backends`): refused at once, they would only make room for the next refusal. The time that they wait
is bounded when their turn comes."""

MAX_IN_FLIGHT: Final = 256
"""Requests that a lane holds at most, however fast they are: each has a body in memory."""

_WEIGHT: Final = 0.1
"""Of the latest request in the moving average of the service time."""


class Lane:
    """Requests of one kind that are answered one after the other, and how long a new one would wait."""

    def __init__(self, *, max_wait_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._max_wait_s, self._clock = max_wait_s, clock
        self._in_flight = 0
        self._service_s = 0.0
        self._last_end = -math.inf

    @property
    def is_full(self) -> bool:
        """Whether a new request would wait too long: queue length times recent service time."""
        waits_too_long = self._in_flight * self._service_s > self._max_wait_s
        return self._in_flight >= (ALWAYS_TAKEN if waits_too_long else MAX_IN_FLIGHT)

    def enter(self) -> Turn:
        """Take a place in the queue; give it back with `leave`. Who has nobody before it is never late."""
        max_wait_s = self._max_wait_s if self._in_flight else math.inf
        self._in_flight += 1
        return Turn(arrival=self._clock(), max_wait_s=max_wait_s, clock=self._clock)

    def leave(self, turn: Turn, *, is_answered: bool) -> None:
        """Learn the service time of an answered request: since work on it began, or since the one before it
        was done."""
        self._in_flight -= 1
        end = self._clock() if turn.end is None else turn.end
        if is_answered and not turn.is_late:
            took = end - max(turn.begin, self._last_end)
            self._service_s += _WEIGHT * (took - self._service_s)
        self._last_end = max(end, self._last_end)


class Turn:
    """The place of a request in its lane. A thread that works on requests one by one enters it as a context,
    so that the time that a busy event loop adds is not taken for work."""

    def __init__(self, *, arrival: float, max_wait_s: float, clock: Callable[[], float]) -> None:
        self._max_wait_s, self._clock = max_wait_s, clock
        self.begin = self._arrival = arrival
        self.end: float | None = None
        self.is_late = False

    def __enter__(self) -> None:
        """Raises Problem 503 when the request waited too long already: those before it took longer than
        expected."""
        self.begin = self._clock()
        self.is_late = self.begin > self._arrival + self._max_wait_s
        if self.is_late:
            raise overloaded(max_wait_ms=1000 * self._max_wait_s)

    def __exit__(self, *_: object) -> None:
        self.end = self._clock()


def overloaded(*, max_wait_ms: float) -> Problem:
    """The 503 of a request that would wait too long."""
    detail = (
        f"The server is busy: this request would wait longer than {max_wait_ms:.0f} ms "
        "(serving.max_wait_ms). Try again in a second."
    )
    return Problem(503, detail, headers={"Retry-After": "1"})


class LoadShedding:
    """Reads the body of a request, and answers 503 with Retry-After where it would wait too long.

    A request is in flight from when its body is complete, so that slow callers take nobody's place. Only
    paths below /v1/ count: health checks and metrics are always answered. It stands before the app and
    refuses with a response made beforehand, since refusals must cost little when there are many.
    """

    def __init__(self, app: ASGIApp, serving: ServingConfig) -> None:
        self._app, self._serving = app, serving
        max_wait_s = serving.max_wait_ms / 1000
        self._lanes = {path: Lane(max_wait_s=max_wait_s) for path in OWN_LANE}
        self._other = Lane(max_wait_s=max_wait_s)
        self._refusal = overloaded(max_wait_ms=serving.max_wait_ms).response()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        lane = self._lanes.get(scope["path"], self._other)
        if lane.is_full:
            await self._refusal(scope, receive, send)
            return
        try:
            body = await read_body(
                scope,
                receive,
                max_bytes=self._serving.max_body_bytes,
                timeout_s=self._serving.body_timeout_s,
            )
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        except ClientDisconnect:
            return
        if lane.is_full:
            await self._refusal(scope, receive, send)
            return
        await self._answer(lane, scope, with_body(body, receive), send)

    async def _answer(self, lane: Lane, scope: Scope, receive: Receive, send: Send) -> None:
        scope["turn"] = turn = lane.enter()
        is_answered = False
        try:
            await self._app(scope, receive, send)
            is_answered = True
        finally:
            lane.leave(turn, is_answered=is_answered)
