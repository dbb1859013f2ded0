"""docs/benchmarks-forecasts.md from the kept results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.folders import DOCS, RESULTS

LABELS: Final = {"lightgbm": "boosted trees", "bg_nbd": "BG/NBD, Gamma-Gamma", "rfm": "RFM rules"}
"""System → its name in tables, in this order"""
PUBLISHED: Final = {
    "bg_nbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "log_likelihood": -9582.4},
    "mbg_nbd": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "gamma_gamma": {"p": 6.25, "q": 3.74, "v": 15.44},
}
"""Model → the parameters that were published for CDNOW"""
MODELS: Final = {
    "bg_nbd": "BG/NBD (Fader, Hardie and Lee 2005)",
    "mbg_nbd": "MBG/NBD (as BTYDplus fits it)",
    "gamma_gamma": "Gamma-Gamma (Fader and Hardie 2013)",
}

INTRODUCTION: Final = """\
Made from `docs/results` by `make benchmark-forecasts`; edits are lost.

Which customers order within so many days, how often, and for how much? Three windows in a row at the end of
the data; everything is fitted as of a window's beginning, and judged on the window, on every customer by
then. What the systems are: [Forecasts](forecasts.md).

AUC: how often somebody who ordered stands above somebody who did not; .5 is chance. Brier: mean squared error
of the probability. Calibration: mean distance between what was said and what came true, over tenths of the
customers. Lift: the share of buyers in the first tenth, over that in all. Orders and spend: mean absolute
error a customer; said / came: their sum over all customers, over that which came. No setting was searched for
on these data."""

DIFFERENCES: Final = """\
How much the trees are above the other system; below 0 is better but for AUC and lift. In brackets: 95 %
interval of a bootstrap over customers, the same ones for both."""


def write_page(results: Path = RESULTS, page_file: Path = DOCS / "benchmarks-forecasts.md") -> None:
    """Write the page from the kept results."""
    paths = [path for path in sorted(results.glob("forecasts-*.json")) if path.stem != "forecasts-cdnow"]
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    cdnow = results / "forecasts-cdnow.json"
    papers = json.loads(cdnow.read_text(encoding="utf-8")) if cdnow.is_file() else None
    page_file.write_text(forecasts_page(kept, papers), encoding="utf-8")


def forecasts_page(results: list[Mapping[str, Any]], cdnow: Mapping[str, Any] | None) -> str:
    """The whole page."""
    lines = ["# Forecasts", "", INTRODUCTION]
    for result in results:
        lines += ["", f"## {result['data']}", "", _of_what(result)]
        for days in dict.fromkeys(window["days"] for window in result["windows"]):
            windows = [window for window in result["windows"] if window["days"] == days]
            lines += ["", f"### {days} days", "", *_figures(windows), "", DIFFERENCES, "", *_above(windows)]
            lines += ["", *_tenths(windows[-1]), "", _left(windows)]
        lines += ["", "### From one order to the next", "", *_cycles(result)]
    if cdnow is not None:
        lines += ["", "## CDNOW", "", *_papers(cdnow)]
    return "\n".join([*lines, ""])


def _of_what(result: Mapping[str, Any]) -> str:
    changes = " with changes" if result["uncommitted_changes"] else ""
    fits = [window["fit_s"] for window in result["windows"]]
    return (
        f"{result['lines']:,} lines bought or returned, read in {result['read_s']:.1f} s; features, labels "
        f"and all fits of a window in {min(fits):.1f} to {max(fits):.1f} s ({result['cpu']}). "
        f"Commit {str(result['commit'])[:10]}{changes}."
    )


def _figures(windows: list[Mapping[str, Any]]) -> list[str]:
    rows = []
    for window in windows:
        for system, label in LABELS.items():
            one = window["systems"][system]
            rows.append(
                f"| {window['as_of'][:10]}, {window['customers']:,} customers, {window['share_bought']:.1%} "
                f"order | {label} | {one['auc']:.3f} | {one['brier']:.4f} | {one['calibration_error']:.3f} | "
                f"{one['lift']:.2f} | {one['orders_error']:.3f} | {one['orders_sum']:.2f} | "
                f"{one['spend_error']:,.2f} | {one['spend_sum']:.2f} |"
            )
    return [
        "| window from | system | AUC | Brier | calibration | lift | orders | said / came | spend "
        "| said / came |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def _above(windows: list[Mapping[str, Any]]) -> list[str]:
    names = ("auc", "brier", "lift", "orders_error", "spend_error")
    rows = []
    for window in windows:
        for system in ("bg_nbd", "rfm"):
            above = window["systems"][system]["above"]
            cells = " | ".join(_difference(above[name]) for name in names)
            rows.append(f"| {window['as_of'][:10]} | {LABELS[system]} | {cells} |")
    return [
        "| window from | beside | AUC | Brier | lift | orders | spend |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]


def _tenths(window: Mapping[str, Any]) -> list[str]:
    columns = [window["systems"][system]["tenths"] for system in LABELS]
    rows = [
        f"| {cells[0]['tenth']} | "
        + " | ".join(f"{one['said']:.1%} | {one['bought']:.1%}" for one in cells)
        + " |"
        for cells in zip(*columns, strict=True)
    ]
    heads = " | ".join(f"{label} said | came" for label in LABELS.values())
    return [
        f"By tenths of the customers, each system's most probable buyers first, from "
        f"{window['as_of'][:10]} on:",
        "",
        f"| tenth | {heads} |",
        "|---" * (1 + 2 * len(LABELS)) + "|",
        *rows,
    ]


def _left(windows: list[Mapping[str, Any]]) -> str:
    found = [
        f"{window['left']['customers']:,} from {window['as_of'][:10]} on"
        + (
            f" ({window['left']['bought_nevertheless']:.1%} ordered nevertheless, "
            f"{window['left']['others_bought']:.1%} of the others)"
            if window["left"]["customers"]
            else ""
        )
        for window in windows
    ]
    return f"Probably left (`alive_probability` below .5): {'; '.join(found)}."


def _cycles(result: Mapping[str, Any]) -> list[str]:
    days = result["windows"][0]["days"]
    rows = [
        f"| {cycle['name'] or 'everything'} | {cycle['customers']:,} | {cycle['orders']:,} | "
        f"{cycle['open_share']:.0%} | {_days(cycle['median_days'])} | {cycle['within_days']:.0%} |"
        for cycle in result["cycles"]
    ]
    return [
        "Days until the customer orders again (Kaplan-Meier), in the whole data; of categories, until they "
        "buy of it again.",
        "",
        f"| | customers | orders | still open | median days | within {days} days |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def _papers(cdnow: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {MODELS[model]} | {name} | {value:g} | {cdnow[model][name]:,.4f} |"
        for model, parameters in PUBLISHED.items()
        for name, value in parameters.items()
    ]
    return [
        f"The papers' own data: {cdnow['customers']:,} customers of a shop for CDs, in its first 39 weeks; "
        "times are in weeks.",
        "",
        "| model | parameter | published | fitted |",
        "|---|---|---|---|",
        *rows,
    ]


def _days(value: float | None) -> str:
    return "not seen" if value is None else f"{value:.0f}"


def _difference(values: list[float]) -> str:
    mean, low, high = values
    return f"{mean:+.4g} ({low:+.4g} to {high:+.4g})"
