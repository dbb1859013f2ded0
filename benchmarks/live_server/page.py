"""docs/benchmarks-serving.md from the kept result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.folders import DOCS

PAGE = DOCS / "benchmarks-serving.md"
TRIED = DOCS / "results" / "serving-tried.md"
"""What each change brought: written by hand, part of the page"""

_NAMES = {
    "noop": "an app that does nothing, through Ray Serve",
    "direct noop": "the same on the replica's own socket",
    "cold": "recommend, each request another user",
    "warm": "recommend, the same 500 users",
    "events": "one event a request",
    "mix": "mix: one event in five, then its user's list",
    "noop again": "the app that does nothing, again, through Ray Serve",
    "direct noop again": "the same on the replica's own socket",
}


def verdict_lines(result: Mapping[str, Any]) -> list[str]:
    """Figure, target, reached or not."""
    found = result["measured"]
    noop, direct = (
        (found[name]["per_second"] + found[f"{name} again"]["per_second"]) / 2
        for name in ("noop", "direct noop")
    )
    rate = next(name for name in found if name.endswith("/s"))
    checks = [
        ("recommend, cold, requests/s", found["cold"]["per_second"], 1_000, True),
        ("recommend, cold, share of the no-op", found["cold"]["per_second"] / noop, 0.35, True),
        ("recommend, warm, requests/s", found["warm"]["per_second"], 1_500, True),
        ("recommend, warm, share of the no-op", found["warm"]["per_second"] / noop, 0.5, True),
        ("mix, requests/s", found["mix"]["per_second"], 800, True),
        ("mix at half of that, p99 in ms", found["mix, half"]["p99"], 10, False),
        (f"recommend, cold, at {rate}, p90 in ms", found[rate]["p90"], 7, False),
        ("errors", sum(one["errors"] for one in found.values()), 0, False),
    ]
    cold, warm = (found[kind]["per_second"] / direct for kind in ("cold", "warm"))
    return [
        f"share of the no-op on the replica's own socket: cold {cold:.3g}, warm {warm:.3g} (no target)",
        *(
            f"{name}: {figure:.3g}, target {'≥' if at_least else '≤'} {target:g}: "
            + ("reached" if (figure >= target if at_least else figure <= target) else "not reached")
            for name, figure, target, at_least in checks
        ),
    ]


def write_page(result: Mapping[str, Any]) -> None:
    """Write the page."""
    tried = TRIED.read_text(encoding="utf-8") if TRIED.is_file() else ""
    PAGE.write_text(page(result) + tried, encoding="utf-8")


def page(result: Mapping[str, Any]) -> str:
    """The page, but for what each change brought."""
    where = result["environment"]
    rows = [_row(name, one) for name, one in result["measured"].items()]
    stages = [f"| {name} | {milliseconds:.3f} |" for name, milliseconds in result["stages"].items()]
    memory = ", ".join(f"{one:.0f} MB" for one in result["replica_megabytes"])
    return "\n".join(
        [
            "# Serving speed",
            "",
            "Made by `make benchmark-serving`; edits are lost. The real server (HAProxy, Ray Serve, "
            f"{result['replicas']} replicas) with {result['items']:,} items in the bundle and the histories "
            f"of {result['users']:,} users in the event store, beside an app that reads a request and does "
            "nothing, behind the same HAProxy and on as many replicas: through Ray Serve, which is what the "
            "targets are shares of, and on the replica's own socket, where lists and events go. The load "
            f"generator runs on the same cores: wrk with {result['connections']} connections, each sending "
            "its next request when it has "
            "an answer. The rows with a rate are an open loop: requests at random moments whether answered "
            "or not, timed from the moment they were due. Times in milliseconds; the last three columns are "
            "milliseconds of CPU a request.",
            "",
            "| | requests/s | p50 | p90 | p99 | errors | replicas | HAProxy | Ray |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            *(f"- {line}" for line in verdict_lines(result)),
            f"- memory of a replica at the end: {memory}",
            f"- hardware: {where['cpu']}, {where['cores']} cores; load before: {result['load_before']:.1f}; "
            f"Python {where['python']}; commit {where['commit'][:10]}"
            + (" with changes" if where["uncommitted_changes"] else ""),
            "",
            "Time of one cold list by stage, in one process, one thread, nothing beside it:",
            "",
            "| stage | ms |",
            "|---|---|",
            *stages,
            "",
            *_by_surface(result),
            "",
        ]
    )


def _by_surface(result: Mapping[str, Any]) -> list[str]:
    if "surfaces" not in result:
        return []
    return [
        "The same by surface, from request to answer, the median; `product` and `similar` with one item on "
        "the page, `cart` with four:",
        "",
        *surface_lines(result["surfaces"]),
        "",
    ]


def surface_lines(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A Markdown table."""
    rows = [
        f"| {name} | {one['milliseconds']:.2f} | {one['ratio_to_home']:.2f} |" for name, one in found.items()
    ]
    return ["| surface | ms | of `home` |", "|---|---|---|", *rows]


def _row(name: str, one: Mapping[str, Any]) -> str:
    cpu = [f"{one['cpu_milliseconds'].get(kind, 0.0):.2f}" for kind in ("replica", "haproxy", "Ray")]
    times = [f"{one[share]:.1f}" for share in ("p50", "p90", "p99")]
    cells = [_full_name(name), f"{one['per_second']:,.0f}", *times, str(one["errors"]), *cpu]
    return f"| {' | '.join(cells)} |"


def _full_name(name: str) -> str:
    if name == "mix, half":
        return "mix at half of its rate, open loop"
    return _NAMES.get(name) or f"recommend, each request another user, at {name}, open loop"
