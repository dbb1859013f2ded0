"""Texts of items as hashed tokens."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.profiles.item_text import NUM_TOKENS, NUM_WORDS, text_tokens


def tokens(title: str | None, **others: str) -> NDArray[np.int32]:
    rows = pl.DataFrame({"title": [title], **others}, schema_overrides={"title": pl.String})
    found: NDArray[np.int32] = text_tokens(rows)[0]
    return found


def words(title: str, **others: str) -> list[int]:
    return [token for token in tokens(title, **others)[:NUM_WORDS].tolist() if token]


def test_the_hashes_are_the_same_in_every_process_and_version() -> None:
    """A bundle reads the texts of new items long after it was trained, elsewhere."""
    found = tokens("Red mug 红")
    assert found[:5].tolist() == [2053201809, 1053882410, 1964940226, 0, 0]
    assert found[NUM_WORDS : NUM_WORDS + 8].tolist() == [
        509824413,
        383998291,
        489645328,
        1317950306,
        1381170936,
        707040701,
        0,
        0,
    ]


def test_case_width_and_html_say_nothing() -> None:
    plain = words("red mug & café")
    assert words("RED  Mug, café!") == plain
    assert words("ＲＥＤ mug café") == plain
    assert words("<p class='a'>Red <b>mug</b><br/>&amp; caf&eacute;</p><script>let mug = 1</script>") == plain


def test_a_comparison_is_no_tag() -> None:
    assert len(words("5 < 6 and 8 > 7")) == 5


def test_scripts_without_spaces_are_read_by_their_characters() -> None:
    lipstick = words("口红")
    assert len(lipstick) == 2
    assert words("红色口红")[2:] == lipstick
    assert words("MAC口红 3g") == [*words("mac"), *lipstick, *words("3g")]
    assert len(set(words("リップ"))) == 3


def test_words_that_look_alike_share_trigrams() -> None:
    one, other = (set(tokens(title)[NUM_WORDS:]) - {0} for title in ("lipstick", "lipsticks"))
    assert len(one & other) >= 6
    assert not one & set(tokens("towel")[NUM_WORDS:]) - {0}


def test_brand_category_and_description_follow_the_title() -> None:
    found = words("mug", brand="Acme", product_type="Kitchen > Cups", description="Holds <i>tea</i>")
    assert found == words("mug acme kitchen cups holds tea")


def test_a_long_description_leaves_room_for_nothing_else() -> None:
    found = tokens("mug", description="tea " * 5_000)
    assert found.shape == (NUM_TOKENS,)
    assert (found > 0).all()


def test_without_a_text_there_is_no_token() -> None:
    assert not tokens(None).any()
    assert not tokens("").any()
    assert not tokens("!? <br>").any()
    assert text_tokens(pl.DataFrame({"id": ["a", "b"]})).tolist() == [[0] * NUM_TOKENS] * 2
    assert text_tokens(pl.DataFrame({"title": []}, schema={"title": pl.String})).shape == (0, NUM_TOKENS)


def test_a_row_is_read_alike_alone_and_among_others() -> None:
    rows = pl.DataFrame(
        {"title": ["Red mug", None, "红色口红", "mug"], "brand": [None, "Acme", None, "Acme"]}
    )
    together = text_tokens(rows)
    for place in range(len(rows)):
        np.testing.assert_array_equal(text_tokens(rows[place]), together[[place]])
