"""Reviews as hashed n-grams: what the sentiment network reads.

A token is a word where a script has spaces, a single character where it has none (Chinese), or one of the
marks that carry sentiment. A hash needs no vocabulary (Weinberger et al. 2009, arXiv:0902.2206).

Shapes: M texts, L places, G kinds of n-gram.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

LARGEST: Final = 2**31 - 1
"""Of a hash. The network has fewer embeddings, and takes the remainder."""
MAX_TOKENS: Final = 192
"""Places of a text. Of a longer one the beginning and the end are read: there people say what they think."""
NUM_LAST: Final = 64
"""Places that are the end of a longer text"""
NUM_KINDS: Final = 4
"""The token, it with the next one, it with the next two, and the beginning of a word"""
BEGINNING: Final = 5
"""Characters of a word that stand for its stem"""

_MAX_CHARACTERS: Final = 20_000
"""Of a text: a longer one is cut there"""
_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_TOKEN: Final = rf"[{_UNSPACED}]|[\p{{L}}\p{{M}}\p{{N}}'’&&[^{_UNSPACED}]]+|[!?。~]"


def tokens_of(texts: pl.Series) -> pl.DataFrame:
    """(row, token, hash) of each text's tokens in their order: at most `MAX_TOKENS` of each."""
    found = (
        texts.cast(pl.String)
        .str.slice(0, _MAX_CHARACTERS)
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"[’`]", "'")
        .str.extract_all(_TOKEN)
        .fill_null([])
        .alias("token")
    )
    kept = pl.when(pl.col("token").list.len() > MAX_TOKENS).then(
        pl.concat_list(pl.col("token").list.head(MAX_TOKENS - NUM_LAST), pl.col("token").list.tail(NUM_LAST))
    )
    rows = (
        found.to_frame()
        .select(kept.otherwise(pl.col("token")))
        .with_row_index("row")
        .explode("token")
        .drop_nulls("token")
    )
    distinct = rows["token"].unique(maintain_order=True)
    hashes = np.array([_hash(word) for word in distinct.to_list()], np.int32)
    return rows.with_columns(
        pl.col("token").replace_strict(distinct, hashes, return_dtype=pl.Int32).alias("hash")
    )


def review_tokens(tokens: pl.DataFrame, *, num_texts: int) -> NDArray[np.int32]:
    """(M, L, G) the hashed n-grams of what `tokens_of` found of M texts; 0 where there is no more. L is the
    length of the longest, at least 1."""
    row_P = tokens["row"].to_numpy().astype(np.int64)
    starts = np.searchsorted(row_P, row_P)
    place_P = np.arange(len(row_P)) - starts
    longest = int(place_P.max(initial=0)) + 1
    found_MLG = np.zeros((num_texts, longest, NUM_KINDS), np.int32)
    hash_ML = np.zeros((num_texts, longest + 2), np.int64)
    hash_ML[row_P, place_P] = tokens["hash"].to_numpy()
    present_ML = hash_ML[:, :longest] > 0
    pair_ML = _together(hash_ML[:, :longest], hash_ML[:, 1 : longest + 1])
    three_ML = _together(pair_ML, hash_ML[:, 2:] + 7)
    found_MLG[:, :, 0] = hash_ML[:, :longest]
    found_MLG[:, :, 1] = np.where(present_ML, pair_ML, 0)
    found_MLG[:, :, 2] = np.where(present_ML, three_ML, 0)
    found_MLG[row_P, place_P, 3] = _stems(tokens["token"])
    return found_MLG


def _stems(tokens: pl.Series) -> NDArray[np.int32]:
    """(P,) the hash of the beginning of each word; 0 for a single character."""
    begins = tokens.str.slice(0, BEGINNING)
    distinct = begins.unique(maintain_order=True)
    hashes = np.array([_hash(f"<{one}") if len(one) > 1 else 0 for one in distinct.to_list()], np.int32)
    return begins.replace_strict(distinct, hashes, return_dtype=pl.Int32).to_numpy()


def _together(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """One hash of two, from 1."""
    mixed: NDArray[np.int64] = (left * 1_000_003 + right * 8_191 + 12_345) % LARGEST
    found: NDArray[np.int64] = 1 + (mixed * 48_271) % LARGEST % (LARGEST - 1)
    return found


def _hash(text: str) -> int:
    """From 1: the same in every process and version, as Python's own is not."""
    return 1 + zlib.crc32(text.encode()) % (LARGEST - 1)
