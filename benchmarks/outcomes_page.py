"""docs/benchmarks-outcomes.md, from the kept results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.folders import DOCS, RESULTS
from features.retrievers import retriever_names
from training.evaluation.systems import MOST_BOUGHT, PIPELINE, system_label

PAGE: Final = DOCS / "benchmarks-outcomes.md"
_TITLES: Final = {
    "taobao": "Taobao: click, cart, purchase",
    "complete-journey": "Complete Journey: money",
    "online-retail": "Online Retail: money",
}
_METRICS: Final = {"recall": "recall@20", "spend": "share of spend@20"}
_INTRODUCTION: Final = (
    "A ranker with a head for each outcome "
    "([why so](decisions/0028-one-body-a-head-for-each-outcome.md)) beside the ranker of one score, over "
    "the same candidates, split by time: fitted on the window before the test window, measured on the "
    "test window, which was read several times while the loss was worked on: small gains here may be "
    "chance. `one score` is the default. `weights: …` is what the `weights` of a surface say. `a ranker "
    "for … alone` is a network of its own that knows one outcome. In brackets: "
    "95 % bootstrap intervals over users, of differences paired by user. An interval of a difference that "
    "contains 0 shows no effect."
)


def page_text() -> str:
    """The page, from `docs/results`."""
    results = [
        json.loads(path.read_text(encoding="utf-8"))
        for data in _TITLES
        if (path := RESULTS / f"outcomes-{data}.json").is_file()
    ]
    parts = [
        "# Benchmarks of outcomes",
        "Made from `docs/results` by `make benchmark-outcomes`.",
        _INTRODUCTION,
        *("\n".join(_data_lines(result)) for result in results),
    ]
    return "\n\n".join(parts) + "\n"


def _data_lines(result: dict[str, Any]) -> list[str]:
    data = result["data"]
    metrics = ("recall",) if data == "taobao" else ("recall", "spend")
    commit = f"{str(result['commit'])[:10]}{' with changes' if result['uncommitted_changes'] else ''}"
    lines = [
        f"## {_TITLES[data]}",
        "",
        f"{result['num_users']:,} users with an event in the test window ({result['window_days']:g} days), "
        f"{result['num_lists']:,} training lists, an encoder of {result['encoder']['dim']} dimensions. "
        f"Commit {commit}.",
    ]
    for name in next(iter(result["systems"].values())):
        for metric in metrics:
            lines += ["", *_outcome_lines(result["systems"], name, metric)]
    lines += ["", "### Are the probabilities what happens?", "", _RELIABILITY, ""]
    lines += _reliability_lines(result["reliability"])
    if "windows" in result:
        lines += _window_lines(result["windows"])
    lines += ["### Surfaces", "", _SURFACES, "", *_surface_lines(result["surfaces"])]
    return lines


_RELIABILITY: Final = (
    "All candidates of these users in the test window, by the probability that the ranker with several "
    "heads gives them. Where the two last columns are equal, it is calibrated."
)
_WINDOWS: Final = (
    "The window before the test window, and those before it, each with retrievers and an encoder that saw "
    "nothing of it: more lists with the rare outcomes. Encoders of their own, fitted before the first of "
    "these windows and continued at the beginning of each, so compare within this section."
)
_SURFACES: Final = (
    "Capped recall@20 on each surface's own question: the ranker of one score, in the surface's default "
    "order. Home: what is had next. Buy again: which of the user's own items are had next. Product: the "
    "page is one item of a basket of the test window, and the rest of the basket is right, what the user "
    "has had before included; `product, new` counts what is new to them alone. Cart: the same, where half "
    "of a basket of four items or more lies in the cart. A retriever alone answers for the page, or for "
    "the user where it has nothing for pages. A row in quotation marks is another setting of `product` and "
    "`cart`, for comparison."
)


def _reliability_lines(table: dict[str, Any], where: str = "") -> list[str]:
    lines = []
    for name, rows in table.items():
        lines += [
            f"| probability of {name}{where} | candidates | mean probability | share that happened |",
            "|---|---|---|---|",
            *(
                f"| {row['from']:g} to {row['to']:g} | {row['candidates']:,} | {row['said']:.4f} "
                f"| {row['happened']:.4f} |"
                for row in rows
            ),
            "",
        ]
    return lines


def _window_lines(found: dict[str, Any]) -> list[str]:
    """Rankers of one window beside rankers of several."""
    counts = [
        f"{name}: {of['all']:,} training lists, "
        + ", ".join(f"{count:,} with {outcome}" for outcome, count in of.items() if outcome != "all")
        for name, of in found["lists"].items()
    ]
    lines = ["### Lists of earlier windows", "", _WINDOWS, "", *(f"- {one}" for one in counts)]
    for outcome in next(iter(found["systems"].values())):
        lines += ["", *_outcome_lines(found["systems"], outcome, "recall", first="the first row")]
    lines.append("")
    for name, table in found["reliability"].items():
        lines += _reliability_lines(table, where=f", {name}")
    return lines


def _outcome_lines(systems: dict[str, Any], name: str, metric: str, *, first: str = "one score") -> list[str]:
    num_users = next(iter(systems.values()))[name]["num_users"]
    return [
        f"| {_METRICS[metric]} of {name}, {num_users:,} users | value | difference from {first} |",
        "|---|---|---|",
        *(
            f"| {system} | {_interval(row[name][metric]['value'])} "
            f"| {_interval(row[name][metric]['difference'], sign='+') if place else ''} |"
            for place, (system, row) in enumerate(systems.items())
        ),
    ]


def _surface_lines(surfaces: dict[str, Any]) -> list[str]:
    names = list(surfaces)
    systems = list(dict.fromkeys(name for one in surfaces.values() for name in one["recall"]))
    header = " | ".join(f"{name}, {surfaces[name]['num_users']:,} users" for name in names)
    rows = [
        f"| {_label(system)} | "
        + " | ".join(
            _interval(surfaces[name]["recall"][system]) if system in surfaces[name]["recall"] else ""
            for name in names
        )
        + " |"
        for system in systems
    ]
    best = " | ".join(
        f"{_interval(surfaces[name]['difference'], sign='+')} ({_label(surfaces[name]['best'])})"
        for name in names
    )
    return [
        f"| | {header} |",
        "|---" * (len(names) + 1) + "|",
        *rows,
        f"| **the pipeline less the best of the others** | {best} |",
    ]


def _label(system: str) -> str:
    if system in retriever_names():
        return f"{system_label(system)} alone"
    return system_label(system) if system in (PIPELINE, MOST_BOUGHT) else f'"{system}"'


def _interval(value: Sequence[float], *, sign: str = "") -> str:
    return f"{value[0]:{sign}.4f} ({value[1]:{sign}.4f} to {value[2]:{sign}.4f})"
