"""Load on a server: wrk for as many requests as it answers (closed loop), and arrivals at a fixed rate (open
loop).

Open loop counts from the moment that a request was due, so that a server that stalls does not slow its own
measurement (Tene's coordinated omission).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

Call = tuple[str, bytes]
"""(path, JSON body) of one POST"""

_SCRIPT: Final = """\
local calls, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    local path, body = line:match("^(%S+) (.*)$")
    calls[#calls + 1] = wrk.format("POST", path, {["Content-Type"] = "application/json"}, body)
  end
end
function request()
  at = at % #calls + 1
  return calls[at]
end
function done(summary, latency, requests)
  local e = summary.errors
  local form = '{"requests": %d, "microseconds": %d, "errors": %d, "p50": %f, "p90": %f, "p99": %f}\\n'
  io.write(string.format(form,
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Measured:
    """What the callers saw."""

    requests: int
    errors: int
    seconds: float
    p50: float
    """Milliseconds, as the other two"""
    p90: float
    p99: float

    @property
    def per_second(self) -> float:
        """Requests answered without an error, per second."""
        return (self.requests - self.errors) / self.seconds


def closed_loop(port: int, calls: Sequence[Call], *, connections: int, seconds: float) -> Measured:
    """Each connection sends the next call as soon as it has an answer. Needs wrk (Debian package `wrk`)."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing: apt-get install wrk, or brew install wrk")
    with tempfile.TemporaryDirectory() as folder:
        script, lines = Path(folder) / "calls.lua", Path(folder) / "calls.txt"
        script.write_text(_SCRIPT, encoding="utf-8")
        lines.write_bytes(b"\n".join(path.encode() + b" " + body for path, body in calls))
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script)]
        run = subprocess.run(
            [*command, f"http://127.0.0.1:{port}", "--", str(lines)],
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(run.stdout.strip().splitlines()[-1])
    return Measured(
        found["requests"],
        found["errors"],
        found["microseconds"] / 1e6,
        *(found[name] / 1000 for name in ("p50", "p90", "p99")),
    )


def open_loop(port: int, calls: Sequence[Call], *, per_second: float, seconds: float) -> Measured:
    """Calls at random moments (a Poisson process), `per_second` on average, whether answered or not."""
    return asyncio.run(_open_loop(port, calls, per_second=per_second, seconds=seconds))


async def _open_loop(port: int, calls: Sequence[Call], *, per_second: float, seconds: float) -> Measured:
    due = np.cumsum(np.random.default_rng(0).exponential(1 / per_second, int(per_second * seconds)))
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    milliseconds: list[float] = []
    errors = 0
    started = time.perf_counter() + 0.1

    async def send(call: Call, when: float) -> None:
        nonlocal errors
        path, body = call
        try:
            reader, writer = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
            head = (
                b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" % path.encode()
            )
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
            free.append((reader, writer))
            errors += head.split()[1] != b"200"
        except (OSError, asyncio.IncompleteReadError, ValueError):
            errors += 1
        milliseconds.append((time.perf_counter() - when) * 1000)

    async with asyncio.TaskGroup() as tasks:
        for number, moment in enumerate(due.tolist()):
            wait = started + moment - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.create_task(send(calls[number % len(calls)], started + moment))
    for _, writer in free:
        writer.close()
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99])
    return Measured(len(milliseconds), errors, time.perf_counter() - started, p50, p90, p99)
