"""The report as one HTML document: text is escaped, and there are no scripts and no external resources."""

from __future__ import annotations

import base64
import hashlib
from datetime import date
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from features.report.empty import Empty
from features.report.glance import Month
from scripts.report_page.charts import Column, bar, columns, scale
from scripts.report_page.gather import Report
from scripts.report_page.language import Language

TEMPLATES: Final = Path(__file__).parent / "templates"
SECTIONS: Final = ("glance", "funnel", "cohorts", "customers", "groups", "bundles", "stages", "recommended")
"""Each is a template and the names of its sentences"""

SHADES: Final = 8
"""Of the table of cohorts, from the style sheet"""


def render(report: Report, language: Language) -> str:
    """The page. A name that a template lacks raises jinja2.UndefinedError, a sentence that is missing
    KeyError."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        day=language.day,
        money=language.money,
        month=language.month,
        number=language.number,
        share=language.share,
        short=language.short,
        name=language.name,
    )
    environment.tests["empty"] = lambda value: isinstance(value, Empty)
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        report=report,
        language=language,
        say=language.say,
        gap=language.gap,
        sections=SECTIONS,
        style=Markup(style),
        policy=_policy(style),
        bar=bar,
        month_chart=lambda months, kind: _month_chart(months, language, kind=kind),
        revenue_title=lambda: revenue_title(language),
        shade=_shade,
        why=lambda empty: _why(empty, language),
    )


def _policy(style: str) -> str:
    """The browser runs no script, loads nothing, and takes this style sheet alone."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'"


def _why(empty: Empty, language: Language) -> str:
    values: dict[str, Any] = dict(empty.values)
    if "step" in values:
        values["step"] = language.say(f"funnel.{values['step']}")
    return language.say(f"empty.{empty.reason}", **values)


def _shade(share: float, highest: float) -> int:
    """From 0 to `SHADES` - 1"""
    return min(int(SHADES * share / highest), SHADES - 1) if highest > 0 else 0


def _month_chart(months: list[Month], language: Language, *, kind: str) -> Markup:
    """Columns of the `orders` or the `revenue` of every month."""
    values = [float(getattr(month, kind) or 0.0) for month in months]
    if kind == "orders":
        texts = [language.number(value) for value in values]
        title = language.say("glance.months_orders")
    else:
        texts = [language.money(value) for value in values]
        title = revenue_title(language)
    return columns(
        [
            Column(
                label=language.month_alone(month.month),
                below=_year_below(place, month.month),
                value=value,
                text=f"{language.month(month.month)}: {text}",
            )
            for place, (month, value, text) in enumerate(zip(months, values, texts, strict=True))
        ],
        title=title,
        ticks=[(tick, language.tick(tick)) for tick in scale(max(values, default=0.0))],
    )


def revenue_title(language: Language) -> str:
    """With the currency, where it is known."""
    if language.currency is None:
        return language.say("glance.months_revenue_plain")
    return language.say("glance.months_revenue", currency=language.currency)


def _year_below(place: int, month: date) -> str:
    return str(month.year) if place == 0 or month.month == 1 else ""
