"""The last line of `make benchmark-training`: the figure, each target, and whether it is reached."""

from __future__ import annotations

from typing import Any

OURS = "shopkeeper"
_LABELS = {OURS: "Shopkeeper", "rectools": "RecTools", "replay": "RePlay"}
TARGET_RECTOOLS, TARGET_FASTEST = 40.0, 5.0
"""Factor of interactions per second."""


def label_of(name: str) -> str:
    """A system's name as people write it."""
    return _LABELS.get(name, name)


def verdict(result: dict[str, Any]) -> tuple[str, bool]:
    """(the line, whether every target is reached). Without a measured peer its targets are not reached."""
    systems = {system["name"]: system for system in result["systems"]}
    if OURS not in systems:
        return f"training: not measured ({result['missing'].get(OURS, 'not run')})", False
    ours = systems.pop(OURS)
    figure = ours["interactions_per_second"]
    parts = [_times(figure, systems.get("rectools"), target=TARGET_RECTOOLS, what=label_of("rectools"))]
    fastest = max(systems.values(), key=lambda peer: peer["interactions_per_second"], default=None)
    left_out = [name for name in result["missing"] if name != OURS]
    if fastest is None or left_out:  # one that was not measured might be the fastest
        parts.append(
            f"the fastest peer (target {TARGET_FASTEST:g} x): not measured, without "
            f"{', '.join(left_out) or 'any'}"
        )
    else:
        what = f"the fastest peer, {label_of(fastest['name'])}"
        parts.append(_times(figure, fastest, target=TARGET_FASTEST, what=what))
    after = f"NDCG@10 {_short(ours['ndcg_10'])} after {result['minutes']:g} minutes"
    best = max((peer["ndcg_10"] for peer in systems.values()), default=None)
    if best is None:
        parts.append(f"{after}, no peer to compare with: not measured")
    else:
        parts.append(f"{after}, the best peer's {_short(best)}: {_reached(ours['ndcg_10'] >= best)}")
    joint = " = " if "rectools" in systems else "; "
    line = f"training: {figure:,.0f} interactions/s{joint}{'; '.join(parts)}"
    return line, all(part.endswith(": reached") for part in parts)


def _times(figure: float, peer: dict[str, Any] | None, *, target: float, what: str) -> str:
    if peer is None:
        return f"{what} (target {target:g} x): not measured"
    times = figure / peer["interactions_per_second"]
    return f"{times:.1f} x {what} (target {target:g}): {_reached(times >= target)}"


def _reached(is_reached: bool) -> str:
    return "reached" if is_reached else "not reached"


def _short(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")
