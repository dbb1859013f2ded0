"""Docstrings for the site: lines that are aligned in columns stay so. griffe loads this file (mkdocs.yml)."""

from __future__ import annotations

import re
from typing import Any, Final

from griffe import Extension, Object

_COLUMNS: Final = re.compile(r"\S {3,}\S")


class AlignedDocstrings(Extension):
    """Makes a code block of each paragraph that is laid out in columns."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """griffe has read a module, a class, a function or an attribute."""
        if obj.docstring is not None:
            obj.docstring.value = columns_as_code(obj.docstring.value)


def columns_as_code(docstring: str) -> str:
    """The docstring with such paragraphs indented, which is how Markdown writes a code block."""
    return "\n\n".join(_as_code(paragraph) for paragraph in re.split(r"\n\s*\n", docstring))


def _as_code(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if paragraph.startswith("    ") or sum(bool(_COLUMNS.search(line)) for line in lines) < max(
        1, len(lines) / 2
    ):
        return paragraph
    return "\n".join(f"    {line}" for line in lines)
