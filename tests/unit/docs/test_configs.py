"""The configurations and the page of settings are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from configs import schema
from configs.load import load_config
from configs.settings.section import Section
from scripts.document_settings import PAGE, page

ROOT = Path(__file__).parents[3]
YAMLS = sorted((ROOT / "configs").rglob("*.yaml"))
SECTIONS = [one for one in vars(schema).values() if isinstance(one, type) and issubclass(one, Section)]


def settings(*, with_sections: bool) -> list[tuple[type[BaseModel], str]]:
    return [
        (section, name)
        for section in SECTIONS
        for name, field in section.model_fields.items()
        if with_sections or field.annotation not in SECTIONS
    ]


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_every_yaml_loads_and_its_header_tells_the_command_the_date_and_what_to_expect(path: Path) -> None:
    load_config(path)
    header = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8"))
    assert header is not None
    assert re.search(r"shopkeeper |make |python -m ", header[0])
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", header[0])
    assert "To expect" in header[0]


def test_there_are_yamls() -> None:
    assert {"complete_journey", "csv_example"} <= {path.stem for path in YAMLS}


def test_every_setting_and_section_says_what_it_is_for() -> None:
    assert [section.__name__ for section in SECTIONS if not section.__doc__] == []
    silent = [
        f"{section.__name__}.{name}"
        for section, name in settings(with_sections=False)
        if not section.model_fields[name].description
    ]
    assert silent == []
    assert len(settings(with_sections=True)) > 70


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m scripts.document_settings`"


def test_the_page_names_every_setting_with_its_default() -> None:
    text = page()
    assert [
        name
        for _, name in settings(with_sections=False)
        if not re.search(rf"^\| `[\w.]*\b{name}` \|", text, re.MULTILINE)
    ] == []
    assert "| `encoder.dim` | whole number, ≥ 4, ≤ 1024 | `64` |" in text
    assert "| `data.decimal` | `.` or `,` | `.` |" in text
