"""Clients that send events and ask for lists all the time, and know what became of each request.

Each client sends its next request a moment after it has the answer to the last, over one connection that it
opens anew after an error. An event is sent once: what was acknowledged must be in the log, once.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

TIMEOUT_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.05
EVENTS: Final = "/v1/events"
LISTS: Final = "/v1/recommend"
OK: Final = "200"

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    path: str
    kind: str
    """The HTTP status, or `refused`, `reset` or `timeout`"""
    sent: float
    """By `time.monotonic`"""
    seconds: float
    event_id: str | None = None

    @property
    def ended(self) -> float:
        """When the client knew."""
        return self.sent + self.seconds


class Client:
    """One connection, kept open between requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: _Streams | None = None

    async def post(self, path: str, body: object, *, event_id: str | None = None) -> Answer:
        """Send a request once. Never raises."""
        sent = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                kind = await self._exchange(path, json.dumps(body).encode())
        except TimeoutError:
            kind = "timeout"
        except ConnectionRefusedError:
            kind = "refused"
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            kind = "reset"
        if not kind.isdigit():
            self.close()
        return Answer(path, kind, sent, time.monotonic() - sent, event_id)

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def _exchange(self, path: str, body: bytes) -> str:
        """The status of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = headers.partition(b"content-length:")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
        if b"connection: close" in headers:
            self.close()
        return headers.split()[1].decode()


class Traffic:
    """Clients in a thread of their own, between `with` and its end."""

    def __init__(
        self,
        port: int,
        *,
        name: str,
        events: int = 3,
        lists: int = 3,
        pause: float = PAUSE_SECONDS,
        items: Sequence[str] = (),
    ) -> None:
        """`events` and `lists`: how many clients of each. `name` makes ids of events unique. With `items`,
        each event is a view of one of them by a new user, and lists are for such users; else a search.
        """
        self.answers: list[Answer] = []
        self._port, self._name, self._pause, self._items = port, name, pause, items
        self._clients = [*[self._send_events] * events, *[self._ask_for_lists] * lists]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Wait for the answers to what was sent, and end."""
        self._is_over.set()
        self._thread.join()

    def wait_until_answered(self, since: float, *, seconds: float, calm: float = 3.0) -> float | None:
        """Wait until nothing failed for `calm` seconds; returns the seconds from `since` to the last failure
        (0 where there was none), or None where that is not reached in time."""
        while time.monotonic() < since + seconds:
            time.sleep(0.2)
            now = time.monotonic()
            recent = [one for one in list(self.answers) if one.ended > now - calm]
            paths = {one.path for one in recent}
            if now > since + calm and paths == {EVENTS, LISTS} and all(one.kind == OK for one in recent):
                return max((one.ended - since for one in self.failed(since)), default=0.0)
        return None

    def failed(self, since: float = 0.0, *, path: str | None = None) -> list[Answer]:
        """The requests without a 200 that ended after `since`."""
        return [one for one in self._of(path, since) if one.kind != OK]

    def succeeded(self, since: float = 0.0, *, path: str | None = None) -> list[Answer]:
        """The requests with a 200 that ended after `since`."""
        return [one for one in self._of(path, since) if one.kind == OK]

    def worst(self, since: float = 0.0, *, path: str | None = None) -> float | None:
        """Seconds of the slowest successful answer."""
        return max((one.seconds for one in self.succeeded(since, path=path)), default=None)

    @property
    def acknowledged(self) -> list[str]:
        """The ids of events that were answered with 200."""
        return [one.event_id for one in self.succeeded() if one.event_id is not None]

    @property
    def refused(self) -> list[str]:
        """The ids of events that were answered with 503, which says that nothing was stored."""
        return [one.event_id for one in self.failed() if one.event_id is not None and one.kind == "503"]

    def _of(self, path: str | None, since: float) -> list[Answer]:
        return [one for one in list(self.answers) if one.ended > since and path in (None, one.path)]

    async def _run(self) -> None:
        await asyncio.gather(*(client(number) for number, client in enumerate(self._clients)))

    async def _send_events(self, number: int) -> None:
        count = 0
        client = Client(self._port)
        while not self._is_over.is_set():
            event_id = f"{self._name}-{number}-{count}"
            event = {"event_id": event_id, "event_type": "search", "user_id": event_id}
            if self._items:
                item = self._items[count % len(self._items)]
                event |= {"event_type": "view_item", "item_id": item}
            self.answers.append(await client.post(EVENTS, {"events": [event]}, event_id=event_id))
            count += 1
            await asyncio.sleep(self._pause)
        client.close()

    async def _ask_for_lists(self, number: int) -> None:
        client, count = Client(self._port), 0
        while not self._is_over.is_set():
            user = f"{self._name}-{number % 4}-{count}" if self._items else f"{self._name}-{number}"
            self.answers.append(await client.post(LISTS, {"user_id": user}))
            count += 1
            await asyncio.sleep(self._pause)
        client.close()


def counts(answers: list[Answer]) -> Counter[str]:
    """Kind → how often, with the path."""
    return Counter(f"{one.path.removeprefix('/v1/')} {one.kind}" for one in answers)


def in_words(failures: Counter[str] | dict[str, int]) -> str:
    """`events 503: 12, recommend timeout: 3`, or `none`."""
    return ", ".join(f"{kind}: {number}" for kind, number in sorted(failures.items())) or "none"
