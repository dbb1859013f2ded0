"""Renders the Jinja2 templates of the review.

HTML pages are self-contained: text is escaped, pictures are inside the page, and there are no scripts and no
external resources.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from training.evaluation.review import formatting
from training.evaluation.systems import system_label

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, page: Any) -> str:
    """The document of a template. `page` is the dataclass that the template reads its content from.

    A name that `page` lacks raises jinja2.UndefinedError.
    """
    return environment().get_template(template).render(page=page)


@cache
def environment() -> Environment:
    """The Jinja2 environment of all templates. HTML is escaped; Markdown is not."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html",), disabled_extensions=("md",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(
        code=code,
        data_uri=data_uri,
        interval=formatting.interval,
        number=formatting.number,
        plus=formatting.plus,
        setting=formatting.setting,
        signed=formatting.signed,
        slice_label=formatting.slice_label,
        system_label=system_label,
    )
    return found


def code(sentence: str) -> Markup:
    """The sentence as HTML, in which `this` becomes code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def data_uri(png: bytes) -> str:
    """A PNG as the source of an image inside the page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
