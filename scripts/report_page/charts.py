"""Charts as inline SVG: bars beside text, and columns over months. Numbers are attributes, not styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from markupsafe import Markup, escape

WIDTH, HEIGHT = 420, 190
LEFT, BOTTOM, TOP = 44, 34, 10
MAX_LABELS: Final = 13
"""Months with a label below; of more, every second, third … has one"""


@dataclass(frozen=True)
class Column:
    """One column."""

    label: str
    below: str
    """A second line under the label, or nothing"""
    value: float
    text: str
    """The value in words, shown by the pointer"""


def bar(share: float, kind: str = "") -> Markup:
    """A bar as long as `share` of its place; the number stands beside it as text."""
    width = 100 * min(max(share, 0.0), 1.0)
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="10"/><rect class="fill" width="{:.2f}" height="10"/></svg>'
    ).format(kind, width)


def columns(points: Sequence[Column], *, title: str, ticks: Sequence[tuple[float, str]]) -> Markup:
    """Columns with a scale on the left. `ticks`: those of `scale`, with their texts."""
    top = max(max(value for value, _ in ticks), 1e-9)
    floor_y, height = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT) / max(len(points), 1)
    every = ceil(len(points) / MAX_LABELS)
    parts = [
        f'<svg class="columns" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
    ]
    for value, text in ticks:
        y = floor_y - height * value / top
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>')
    for place, point in enumerate(points):
        tall, middle = height * max(point.value, 0.0) / top, LEFT + step * (place + 0.5)
        parts.append(
            f'<rect x="{middle - 0.36 * step:.1f}" y="{floor_y - tall:.1f}" width="{0.72 * step:.1f}" '
            f'height="{tall:.1f}"><title>{escape(point.text)}</title></rect>'
        )
        if place % every == 0:
            for line, text in enumerate((point.label, point.below)):
                y = floor_y + 14 + 13 * line
                parts.append(f'<text x="{middle:.1f}" y="{y}" text-anchor="middle">{escape(text)}</text>')
    return Markup("".join(parts) + "</svg>")


def scale(highest: float) -> list[float]:
    """From 0 in three to five equal steps of 1, 2 or 5 times a power of ten, past the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    power = 10.0 ** floor(log10(highest / 4))
    step = next(size * power for size in (1, 2, 5, 10) if highest / (size * power) <= 4)
    return [step * place for place in range(ceil(highest / step) + 1)]
