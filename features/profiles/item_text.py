"""The texts of items as hashed words and n-grams: what the text encoder of an item tower reads.

A hash needs no vocabulary, so that an item that arrives today is read without the dataset, and any language
alike: words where a script has spaces, single characters where it has none (Chinese, Japanese, Thai).

Shapes: M rows, T tokens of an item, P words of all rows, G n-grams of a word.
"""

from __future__ import annotations

import html
import zlib
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import BRAND, DESCRIPTION, PRODUCT_TYPE, TITLE

_LARGEST: Final = 2**31 - 1
"""Of a token. A model has fewer embeddings, and takes the remainder."""
NUM_WORDS: Final = 32
"""Words of an item, in their order: of each column as many as `_FIELDS` says, together no more than these."""
NUM_NGRAMS: Final = 64
"""Character trigrams of an item's words"""
NUM_TOKENS: Final = NUM_WORDS + NUM_NGRAMS

_FIELDS: Final = {TITLE: 20, BRAND: 4, PRODUCT_TYPE: 8, DESCRIPTION: NUM_WORDS}
"""Column → how many of its words are read"""
_MAX_CHARACTERS: Final = 4_000
"""Of a text. What comes after is beyond `NUM_WORDS` anyway."""
_NO_TEXT: Final = r"(?is)<(script|style)\b.*?</(script|style)\s*>|<[/!a-z][^<>]*>"
_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD: Final = rf"[{_UNSPACED}]|[\p{{L}}\p{{M}}\p{{N}}&&[^{_UNSPACED}]]+"
_MAX_WORD: Final = 24
"""Characters of a word whose trigrams are read"""


def text_tokens(rows: pl.DataFrame) -> NDArray[np.int32]:
    """(M, T) tokens of catalogue rows (title, brand, product_type, description: what is absent has none): the
    hashes of up to `NUM_WORDS` words, then of the words' character trigrams; 0 where there is no more."""
    tokens_MT = np.zeros((len(rows), NUM_TOKENS), np.int32)
    words = _words(rows)
    if words.is_empty():
        return tokens_MT
    distinct = words["word"].unique(maintain_order=True)
    hashed, ngrams_PG = _hashed(distinct.to_list())
    which = words.select(
        pl.col("word").replace_strict(distinct, np.arange(len(distinct)), return_dtype=pl.Int64)
    )
    row_P, word_P = words["row"].to_numpy().astype(np.int64), which.to_series().to_numpy()
    place_P = _place_in_row(row_P)
    tokens_MT[row_P, place_P] = hashed[word_P]
    grams_PG = ngrams_PG[word_P]
    is_gram = grams_PG > 0
    gram_row = np.repeat(row_P, is_gram.sum(axis=1))
    gram_place = _place_in_row(gram_row)
    fits = gram_place < NUM_NGRAMS
    tokens_MT[gram_row[fits], NUM_WORDS + gram_place[fits]] = grams_PG[is_gram][fits]
    return tokens_MT


def _place_in_row(row_P: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P,) 0, 1, 2 … within each run of the same number."""
    starts = np.flatnonzero(np.diff(row_P, prepend=-1))
    found: NDArray[np.int64] = np.arange(len(row_P)) - np.repeat(starts, np.diff(starts, append=len(row_P)))
    return found


def _words(rows: pl.DataFrame) -> pl.DataFrame:
    """(row, word) of each row's first words, in their order."""
    fields = [
        without_html(rows[name])
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.extract_all(_WORD)
        .list.head(count)
        .fill_null([])
        for name, count in _FIELDS.items()
        if name in rows.columns
    ]
    if not fields:
        return pl.DataFrame(schema={"row": pl.UInt32, "word": pl.String})
    together = pl.DataFrame([field.alias(str(place)) for place, field in enumerate(fields)])
    return (
        together.select(pl.concat_list(pl.all()).list.head(NUM_WORDS).alias("word"))
        .with_row_index("row")
        .explode("word")
        .drop_nulls("word")
    )


def without_html(texts: pl.Series) -> pl.Series:
    """Without HTML tags; `&eacute;` is é."""
    texts = texts.cast(pl.String).str.slice(0, _MAX_CHARACTERS).str.replace_all(_NO_TEXT, " ")
    has_entity = texts.str.contains(r"&#?\w+;").fill_null(value=False)
    if has_entity.any():
        texts = texts.scatter(
            has_entity.arg_true(), [html.unescape(text) for text in texts.filter(has_entity)]
        )
    return texts


def _hashed(words: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Distinct words (P) → (P,) the hash of each, (P, G) those of its trigrams, then 0."""
    hashed = np.array([_hash(word) for word in words], np.int32)
    ngrams_PG = np.zeros((len(words), _MAX_WORD), np.int32)
    for place, word in enumerate(words):
        if len(word) > 1:
            marked = f"<{word[: _MAX_WORD - 2]}>"
            grams = [_hash(f"#{marked[start : start + 3]}") for start in range(len(marked) - 2)]
            ngrams_PG[place, : len(grams)] = grams
    return hashed, ngrams_PG


def _hash(text: str) -> int:
    """From 1: the same in every process and version, as Python's own is not."""
    return 1 + zlib.crc32(text.encode()) % _LARGEST
