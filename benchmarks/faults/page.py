"""docs/faults.md: a table of what was played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.faults.played import Played

_HEAD = """# Faults

Faults that were played on the real server, one after the other, while clients sent events and asked for
lists. `make benchmark-faults` plays them and makes this page. Every request is sent once, and every failure
that a client saw is counted by its kind: an HTTP status, `refused` or `reset` connections, and `timeout`
after 10 s without an answer.
"""


def faults_page(rows: Sequence[Played], machine: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    held = sum(row.held for row in rows)
    lines = [
        _HEAD,
        f"**{held} of {len(rows)} held.** {machine.get('cores', '?')} cores, {machine.get('date', '')}, "
        f"commit `{str(machine.get('commit', ''))[:10]}`.",
        "",
        "| fault | expected | happened | answered | slowest answer, and it answers again after | held |",
        "|---|---|---|---|---|---|",
        *map(_row, rows),
    ]
    return "\n".join(lines) + "\n"


def _row(row: Played) -> str:
    after = f"{row.recovered_after:.1f} s" if row.recovered_after is not None else "–"
    worst = f"{row.worst_seconds:.2f} s" if row.worst_seconds is not None else "–"
    cells = [row.fault, row.expected, row.happened, f"{row.answered:,}", f"{worst}, {after}"]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} | {'yes' if row.held else '**no**'} |"
