"""Self-contained pages: escaped text, tables, and pictures inside the page. No scripts, nothing loaded from
anywhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light; --line: #d9dee3; --soft: #f5f7f9; --text: #1c2733; --dim: #5b6875; --good: #1b7f4b; --bad: #b3372f; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; color: var(--text);
  background: #fff; margin: 0 auto; padding: 24px 28px 60px; max-width: 1120px; }
h1 { font-size: 25px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 38px 0 6px; padding-top: 14px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 18px 0 4px; }
p { margin: 6px 0 10px; max-width: 80ch; } p.dim, .dim { color: var(--dim); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 8px 0 16px; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: left; padding: 4px 14px 4px 8px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 600; background: var(--soft); white-space: nowrap; }
td { overflow-wrap: break-word; }
td.number, th.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
tr.hit td { background: #e8f5ee; }
.good, .bad { white-space: nowrap; } .good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 14px 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; min-width: 190px; background: var(--soft); }
.card b { display: block; font-size: 21px; } .card span { color: var(--dim); font-size: 13px; }
.card .good { color: var(--good); } .card .bad { color: var(--bad); }
code { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 0 4px; font-size: 13px; }
img { max-width: 100%; height: auto; display: block; margin: 8px 0; }
details { margin: 10px 0; } summary { cursor: pointer; color: #1c5d99; }
nav a { margin-right: 14px; color: #1c5d99; text-decoration: none; white-space: nowrap; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 6px 28px; align-items: start; }
"""


class Html(str):
    """Text that is HTML already. Any other string is escaped where it enters a page."""


def text(value: object) -> Html:
    """Any value as HTML."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(*parts: object) -> Html:
    """Parts one after the other, each escaped unless it is HTML."""
    return Html("\n".join(text(part) for part in parts))


def tag(name: str, *parts: object, css: str = "") -> Html:
    """`<name class="css">parts</name>`."""
    css = f' class="{escape(css)}"' if css else ""
    return Html(f"<{name}{css}>{join(*parts)}</{name}>")


def paragraph(*sentences: str, css: str = "") -> Html:
    """Sentences, in which `this` is set as code."""
    escaped = text(" ".join(sentences))
    return tag("p", Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)), css=css)


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[int] = (),
    hits: Sequence[int] = (),
) -> Html:
    """A table. `numbers` are the columns set to the right, `hits` the rows that are marked."""

    def line(cell: str, values: Sequence[object], css: str = "") -> Html:
        cells = [
            tag(cell, value, css="number" if place in numbers else "") for place, value in enumerate(values)
        ]
        return tag("tr", *cells, css=css)

    body = [line("td", row, "hit" if place in hits else "") for place, row in enumerate(rows)]
    return Html(
        f'<div class="scroll">{tag("table", tag("thead", line("th", header)), tag("tbody", *body))}</div>'
    )


def card(title: str, figure: object, note: object) -> Html:
    """One figure that is seen at once."""
    return Html(
        f'<div class="card"><span>{text(title)}</span><b>{text(figure)}</b><span>{text(note)}</span></div>'
    )


def cards(*found: Html) -> Html:
    return tag("div", *found, css="cards")


def columns(*blocks: Html) -> Html:
    """Blocks side by side where there is room."""
    return tag("div", *(tag("div", block) for block in blocks), css="columns")


def picture(png: bytes, *, alt: str) -> Html:
    """A PNG inside the page."""
    return Html(f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">')


def folded(title: str, *parts: object) -> Html:
    """What opens on a click."""
    return Html(f"<details><summary>{text(title)}</summary>{join(*parts)}</details>")


def section(anchor: str, title: str, *parts: object) -> Html:
    """A part of a page that its contents lead to."""
    return Html(f'<section id="{escape(anchor)}"><h2>{text(title)}</h2>{join(*parts)}</section>')


def page(title: str, *parts: object) -> str:
    """The whole document."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>\n{join(*parts)}\n</body></html>\n"
    )
