"""CPU time and memory of the server's processes, from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += parents.get(one, [])
    return found


def kind(pid: int) -> str:
    """What a process is: `replica`, `haproxy`, or `Ray` for what keeps them running."""
    try:
        name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "ended"
    if "ServeReplica" in name:
        return "replica"
    return "haproxy" if "haproxy" in name.split(" ")[0] else "Ray"


def cpu_seconds(pids: list[int]) -> dict[str, float]:
    """Kind of process → seconds of CPU so far."""
    found: dict[str, float] = defaultdict(float)
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[kind(pid)] += (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def replica_megabytes(pids: list[int]) -> list[float]:
    """Resident memory of each replica."""
    found = []
    for pid in pids:
        if kind(pid) == "replica":
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            found.append(int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return found
