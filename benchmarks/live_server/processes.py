"""CPU time and memory of the server's processes, from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from serving.deploy.run_folder import RunFolder

_TICKS = os.sysconf("SC_CLK_TCK")


def kind(pid: int) -> str:
    """What a process is: `replica`, `haproxy`, or `Ray` for what keeps them running."""
    try:
        name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "ended"
    if "ServeReplica" in name:
        return "replica"
    return "haproxy" if "haproxy" in name.split(" ")[0] else "Ray"


def cpu_seconds(run: RunFolder) -> dict[str, float]:
    """Kind of process → seconds of CPU so far."""
    found: dict[str, float] = defaultdict(float)
    for pid, _ in run.processes():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[kind(pid)] += (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def replica_megabytes(run: RunFolder) -> list[float]:
    """Resident memory of each replica."""
    found = []
    for pid, _ in run.processes():
        if kind(pid) == "replica":
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            found.append(int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return found
