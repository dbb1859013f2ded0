"""The page on customers names every column with its meaning, and every life stage."""

from __future__ import annotations

import re

from pages import DOCS

from features.customers.life_stage import STAGES
from features.customers.profile_columns import COLUMNS

TEXT = (DOCS / "customers.md").read_text(encoding="utf-8")


def test_every_column_stands_in_the_table_as_the_exports_say_it() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE))
    assert {name: rows.get(name) for name in COLUMNS} == dict(COLUMNS)


def test_every_life_stage_has_a_row() -> None:
    assert [stage for stage in STAGES if f"\n| {stage} |" not in TEXT] == []
