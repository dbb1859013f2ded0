"""`python -m scripts.document_settings`: docs/settings.md from the docstrings of configs/settings."""

from __future__ import annotations

import typing
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs.schema import Config
from configs.settings.event_types import EventType
from configs.settings.recommend import SurfaceConfig

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
_TOP = """# Settings

Made from `configs/settings/` by `python -m scripts.document_settings`. A YAML gives them by section,
`--set` one at a time:

```console
$ shopkeeper train --config my_shop.yaml --set training.seed=3 --set 'evaluation.cutoffs=[5, 10, 20]'
```

A setting that is left out has its default; a name that is not here is an error that lists what could
stand there. Times are days unless a name says otherwise.
"""


def page() -> str:
    """The whole page."""
    plain = {name: field for name, field in Config.model_fields.items() if not _section(field)}
    sections = {name: _section(field) for name, field in Config.model_fields.items()}
    parts = [_TOP, "## At the top\n", _table(plain, prefix="")]
    for name, section in sections.items():
        if section is not None:
            parts += [_heading(name, section), _table(section.model_fields, prefix=f"{name}.")]
    parts += [
        _heading("surfaces.NAME", SurfaceConfig),
        _table(SurfaceConfig.model_fields, prefix="surfaces.NAME."),
    ]
    parts += [f"An event type is one of {', '.join(f'`{name}`' for name in typing.get_args(EventType))}.\n"]
    return "\n".join(parts)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    annotation: Any = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _heading(name: str, section: type[BaseModel]) -> str:
    return f"## {name}\n\n{section.__doc__}\n"


def _table(fields: dict[str, FieldInfo], *, prefix: str) -> str:
    lines = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        cells = [
            f"`{prefix}{name}`",
            _type(field),
            _default(field),
            " ".join((field.description or "").split()),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(one, name)}"
        for one in field.metadata
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if getattr(one, name, None) is not None
    ]
    return ", ".join([_words(field.annotation), *bounds])


def _words(annotation: Any) -> str:
    if annotation == EventType:
        return "an event type"
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal and set(inside) > set(typing.get_args(EventType)):
        others = inside[len(typing.get_args(EventType)) :]
        return " or ".join(["an event type", *(f"`{choice}`" for choice in others)])
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in inside)
    if origin in (typing.Union, UnionType):
        return " or ".join("nothing" if one is NoneType else _words(one) for one in inside)
    if origin is tuple:
        return f"list of {_words(inside[0])}".replace("an event type", "event types").replace(
            "number", "numbers"
        )
    if origin is typing.Annotated:
        bounds = [
            f" > {one.gt}"
            for one in getattr(inside[1], "metadata", ())
            if getattr(one, "gt", None) is not None
        ]
        return "".join([_words(inside[0]), *bounds])
    if origin is dict:
        return f"mapping of {_words(inside[0])} to {_words(inside[1])}"
    names = {
        int: "whole number",
        float: "number",
        str: "text",
        bool: "true or false",
        Path: "path",
        date: "date",
    }
    return names.get(annotation, "a section")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "nothing"
    if isinstance(value, dict) and any(isinstance(one, BaseModel) for one in value.values()):
        return ", ".join(f"`{name}`" for name in value)
    value = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    text = (
        yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
    )
    return f"`{text}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
