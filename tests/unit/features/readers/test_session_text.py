"""The text files of research papers: both layouts are detected, and lines of neither are rejected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from configs.exceptions import TooLittleDataError
from configs.schema import Config
from features.dataset import Dataset
from features.ingest.report import Report
from features.ingest.tables import Tables
from features.prepare import prepare
from features.readers.session_text import detect_layout
from features.readers.text_lines import TEXT

MakeConfig = Callable[..., Config]
PrepareText = Callable[..., Report]

PAIRS = "1 10\n1 11\n2 10\n1 12\n2\t13\n"
USERS = "1 10 11 12\n2 10 13\n"
PER_USER = {"1": ["10", "11", "12"], "2": ["10", "13"]}


@pytest.fixture
def prepare_text(tmp_path: Path, make_config: MakeConfig, now: datetime) -> PrepareText:
    def run(text: str, *overrides: str) -> Report:
        path = tmp_path / "sessions.txt"
        path.write_text(text, encoding="utf-8")
        ordinal = ("data.clock=ordinal", "split.kind=leave_one_out")
        return prepare(make_config(path, *ordinal, *overrides, reader="session_text"), now=now)

    return run


def per_user(workspace: Path) -> dict[str, list[str]]:
    events = Tables.open(workspace / "tables").events.sort("timestamp").select("user_id", "item_id").collect()
    return {
        str(key[0]): rows["item_id"].to_list()
        for key, rows in events.group_by("user_id", maintain_order=True)
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PAIRS, "one event per line"),
        (USERS, "one user per line"),
        (USERS.replace(" ", "\t"), "one user per line"),
    ],
)
def test_both_layouts_are_told_and_give_the_same_histories(
    prepare_text: PrepareText, workspace: Path, text: str, words: str
) -> None:
    report = prepare_text(text)
    assert per_user(workspace) == PER_USER
    assert words in report.remarks[0]
    assert report.event_types == {"purchase": 5}
    assert (report.first_time, report.suspected_bots) == (None, [])
    assert not Dataset.open(workspace / "dataset").has_times


def test_the_layout_and_the_type_of_the_events_can_be_set(prepare_text: PrepareText, workspace: Path) -> None:
    report = prepare_text(PAIRS, "data.layout=line_a_user", "data.event_type=review")
    assert "set by data.layout" in report.remarks[0]
    assert (report.num_events, report.event_types) == (5, {"review": 5})
    with pytest.raises(TooLittleDataError, match="0 item events"):  # every line has too many fields
        prepare_text(USERS, "data.layout=line_an_event")


def test_lines_that_do_not_fit_are_rejected_with_their_line(
    prepare_text: PrepareText, workspace: Path
) -> None:
    prepare_text("user item\n" + PAIRS + "3 14 15\n\n4\n1 eleven\n")
    assert per_user(workspace) == PER_USER
    other = "an id is not a whole number, as those of the other lines are"
    rejected = Tables.open(workspace / "tables").rejected.select("line", "reason").collect().rows()
    assert sorted(rejected) == [(1, other), (7, "too many fields"), (9, "too few fields"), (10, other)]


def test_ids_may_be_words_where_most_are(prepare_text: PrepareText, workspace: Path) -> None:
    prepare_text("ann tea milk\nbob tea 7up\n")
    assert per_user(workspace) == {"ann": ["tea", "milk"], "bob": ["tea", "7up"]}


@pytest.mark.parametrize(
    ("lines", "layout"),
    [
        (["1 2", "1 3"], "line_an_event"),
        (["1 2", "2 3", "3 4"], "line_a_user"),  # either reading says the same
        (["1 2 3", "2 3", "3 4 5"], "line_a_user"),
        (["1 2", "1 3", "user 2 items"], "line_an_event"),
        (["1 2 3", "1 4", "1 5", "2 6 7", "3 8 9"], "line_a_user"),
    ],
)
def test_how_the_layout_is_told(lines: list[str], layout: str) -> None:
    assert detect_layout(pl.DataFrame({TEXT: lines})) == layout
