"""The benchmark of faults: its clients know what became of each request; its page is that of its result."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.faults import live_server, traffic
from benchmarks.faults.__main__ import PAGE, RESULT, faults, page_of
from benchmarks.faults.live_server import LiveServer
from benchmarks.faults.page import faults_page
from benchmarks.faults.played import Played
from benchmarks.faults.shop import audit
from benchmarks.faults.traffic import EVENTS, LISTS, Answer, Client, Traffic, counts
from serving.state.event_log import Event
from serving.state.store import STORE_FILE, EventStore

ANSWER = b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose connections are given to `answer`, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def answering(status: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        while connection.recv(65_536):
            connection.sendall(ANSWER % status)

    return answer


def kinds(port: int, *, requests: int = 2) -> list[str]:
    async def send() -> list[str]:
        client = Client(port)
        found = [(await client.post(EVENTS, {"events": []})).kind for _ in range(requests)]
        client.close()
        return found

    return asyncio.run(send())


def test_failures_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "TIMEOUT_SECONDS", 0.2)
    for status in (b"200 OK", b"503 Service Unavailable"):
        with listening(answering(status)) as port:
            assert kinds(port) == [status[:3].decode()] * 2
    with listening(lambda connection: None) as port:
        assert kinds(port) == ["reset"] * 2
    with listening(lambda connection: time.sleep(0.3)) as port:
        assert kinds(port, requests=1) == ["timeout"]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert kinds(port) == ["refused"] * 2


def test_recovery_is_the_time_to_the_last_failure() -> None:
    seen = Traffic(1, name="t")
    now = time.monotonic()
    since = now - 6
    seen.answers += [Answer(LISTS, "reset", since + 0.5, 0.5), Answer(EVENTS, "503", since + 2, 0.5, "e0")]
    seen.answers += [
        Answer(path, "200", now + step / 10, 0.01, "e1")
        for path in (EVENTS, LISTS)
        for step in range(-20, 20)
    ]
    assert seen.wait_until_answered(since, seconds=10) == pytest.approx(2.5)
    assert counts(seen.failed()) == {"recommend reset": 1, "events 503": 1}
    assert seen.refused == ["e0"]
    seen.answers.append(Answer(LISTS, "timeout", now, 10))
    assert seen.wait_until_answered(since, seconds=0.5) is None


def test_lost_doubled_and_wrongly_stored_events_are_seen(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, tmp_path / "bundle")
    with EventStore.open(tmp_path / STORE_FILE) as store:
        rows = [Event(name, 0, "search", 1, user_id="a") for name in ("kept", "refused")]
        rows += [Event("twice", line, "search", 1, user_id="a") for line in (0, 1)]
        store.append_now(rows, received_at=1)
    sent = Traffic(1, name="t")
    for name, kind in (("kept", "200"), ("lost", "200"), ("refused", "503"), ("gone", "reset")):
        sent.answers.append(Answer(EVENTS, kind, 1, 1, name))
    found = audit(server, sent)
    assert (found.lost, found.twice, found.stored_although_refused) == (1, 1, 1)
    assert not found.is_clean


def test_a_process_is_known_by_what_it_does_and_when_it_began() -> None:
    code = "import time; print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "/x/raylet/monitor.py"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert live_server._role(child.pid) == "monitor"
    assert live_server._parents()[child.pid] == os.getpid()
    assert live_server._born(child.pid) is not None
    child.kill()
    time.sleep(0.1)
    assert live_server._born(child.pid) is None, "a zombie has ended"
    child.wait()
    child.stdout.close()


def test_the_page_has_a_row_for_each_fault_and_counts_those_that_held() -> None:
    rows = [
        Played("kill -9 of x", "it | answers", "it did", held=True, worst_seconds=0.5, recovered_after=2.0),
        Played("a hung replica", "it answers", "it did not", held=False, failures={"events timeout": 3}),
    ]
    page = faults_page(rows, {"cores": 2, "commit": "a" * 40})
    assert "**1 of 2 held.**" in page
    assert "| kill -9 of x | it / answers | it did | 0 | 0.50 s, 2.0 s | yes |" in page
    assert "| a hung replica | it answers | it did not | 0 | –, – | **no** |" in page


def test_the_page_is_that_of_the_kept_result() -> None:
    kept = json.loads(RESULT.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page_of(kept)
    assert set(kept["rows"]) <= set(faults(0))
