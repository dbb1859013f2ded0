"""Half an emoji in JSON: what a parser of Python makes of it is text that can be written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.core.json_text import replace_lone_surrogates


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\ud83d", "a\ufffd"),
        (r"\uDE00b", "\ufffdb"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\ud7ff\ue000", "\ud7ff\ue000"),
    ],
)
def test_halves_become_the_replacement_character_and_the_rest_stays(written: str, read: str) -> None:
    assert json.loads(replace_lone_surrogates(f'"{written}"')) == read


@given(st.text(st.characters(categories=["L", "N", "P", "So", "Cs"]) | st.sampled_from('\\"\n')))
def test_any_text_of_python_can_be_written_afterwards(text: str) -> None:
    read = json.loads(replace_lone_surrogates(json.dumps(text)))
    assert read == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    read.encode()
