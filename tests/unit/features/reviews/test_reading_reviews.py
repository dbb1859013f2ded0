"""Tokens, clauses and aspects of reviews, in English and Chinese."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.reviews.aspect_words import ASPECT_WORDS, aspect_words, aspects_of
from features.reviews.clauses import clauses_of
from features.reviews.review_tokens import MAX_TOKENS, NUM_LAST, review_tokens, tokens_of

REVIEWS = ("Great fit, arrived late!", "质量很好，快递太慢", "", "!!! 12")


def tokens(*texts: str) -> np.ndarray[tuple[int, int, int], np.dtype[np.int32]]:
    return review_tokens(tokens_of(pl.Series(texts, dtype=pl.String)), num_texts=len(texts))


def clauses(text: str) -> list[str]:
    found: list[str] = clauses_of(pl.Series([text]))["clause"].to_list()
    return found


def aspects(clause: str, **changed: list[str]) -> list[str]:
    found: list[str] = aspects_of(pl.Series([clause]), aspect_words(changed))[0].to_list()
    return found


def test_a_text_has_the_same_tokens_alone_and_among_others() -> None:
    together = tokens(*REVIEWS)
    for row, text in enumerate(REVIEWS):
        alone = tokens(text)[0]
        assert (together[row, : len(alone)] == alone).all()
        assert not together[row, len(alone) :].any()
    assert (together[1, :, 0] > 0).sum() == 8, "each Chinese character is a token"
    assert not together[2].any()


def test_word_order_case_and_width_are_read() -> None:
    assert (tokens("NOT GOOD") == tokens("not good")).all()
    assert (tokens("ＮＯＴ good") == tokens("not good")).all()
    first, second = tokens("not good", "good not")
    assert set(first[:, 0]) == set(second[:, 0])
    assert first[0, 1] != second[0, 1]


def test_of_a_long_text_the_beginning_and_the_end_are_read() -> None:
    words = [f"word{number}" for number in range(1_000)]
    found = tokens(" ".join(words))[0, :, 0]
    assert len(found) == MAX_TOKENS
    assert found[0] == tokens("word0")[0, 0, 0]
    assert found[-1] == tokens("word999")[0, 0, 0]
    assert found[-NUM_LAST] == tokens(f"word{1_000 - NUM_LAST}")[0, 0, 0]


def test_clauses_end_at_marks_and_turns_but_not_within_numbers() -> None:
    assert clauses("The fit is fine, but it cost 1,200.50 euros! Late.") == [
        "The fit is fine",
        "it cost 1,200.50 euros",
        "Late",
    ]
    assert clauses("质量很好，但是快递太慢。不推荐") == ["质量很好", "快递太慢", "不推荐"]
    assert clauses("!!! ...") == []


def test_aspects_are_found_by_whole_words_and_chinese_ones_anywhere() -> None:
    assert aspects("The delivery was slow") == ["delivery"]
    assert aspects("尺码偏大") == ["size"]
    assert aspects("The box was crushed and it runs small") == ["size", "packaging"]
    assert aspects("Fitness is my life") == ["other"], "fit is a word of its own"
    assert aspects("Très content de mon achat") == ["other"]
    assert aspects("DELIVERED yesterday") == ["delivery"]


def test_settings_add_replace_and_remove_aspects() -> None:
    assert aspects("the batteries last", battery=["batter*", "电池"]) == ["battery"]
    assert aspects("电池不错", battery=["batter*", "电池"]) == ["battery"]
    assert aspects("slow delivery", delivery=["lorry"]) == ["other"]
    assert aspects("slow delivery", delivery=[]) == ["other"]
    assert set(aspect_words({"size": []})) == set(ASPECT_WORDS) - {"size"}


def test_without_any_aspect_every_clause_is_about_something_else() -> None:
    none: dict[str, list[str]] = {name: [] for name in ASPECT_WORDS}
    found = aspects_of(pl.Series(["slow delivery", "nice"]), aspect_words(none))
    assert found.to_list() == [["other"], ["other"]]
    assert found.dtype == pl.List(pl.String)
    assert aspects_of(pl.Series([], dtype=pl.String), {}).to_list() == []
