"""What two items are to each other: complements, which are bought with one another, or substitutes, which are
bought instead of one another. Shapes: N items, P pairs, W words.

Two items are **complements** when both are bought in one basket more often than chance would have it. They
are **substitutes** when they are not, and are looked at in one session more often than chance would have it,
or are alike: of one leaf category, with at least half of their titles' words in common, or of one title.
Variants of one product (`item_group_id`) are neither: they are one thing.

That substitutes are what is looked at together, and complements what is bought together, is the definition of
McAuley, Pandey & Leskovec 2015, doi:10.1145/2783258.2783381.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.core.columns import ITEM_GROUP_ID, TITLE
from features.histories import IntArray, TimeArray
from features.interactions import Interactions
from features.profiles.association_rules import MIN_TOGETHER, Pairs, associated_pairs
from features.profiles.item_groups import item_groups
from features.profiles.transactions import baskets, sessions

ALIKE: Final = 0.5
"""The share of two titles' words that both have (Jaccard's index), from which they are alike."""

_WORD: Final = r"[\p{L}\p{N}]+"


@dataclass(frozen=True)
class ItemRelations:
    """The pairs of a shop. No pair is in both."""

    complements: Pairs
    """As they stand in baskets"""
    substitutes: Pairs
    """Those that are looked at together, as they stand in sessions: what was chosen between"""


def item_relations(interactions: Interactions, *, min_together: int = MIN_TOGETHER) -> ItemRelations:
    """What the events and the catalogue before the split point say."""
    catalogue = interactions.catalogue()
    bought, looked_at = (
        associated_pairs(one, min_together=min_together)
        for one in (baskets(interactions), sessions(interactions))
    )
    if ITEM_GROUP_ID in catalogue.columns:
        groups = item_groups(catalogue)
        bought, looked_at = (one.take(~_same(groups, one)) for one in (bought, looked_at))
    return ItemRelations(
        complements=bought,
        substitutes=looked_at.take(~np.isin(_keys(looked_at), _keys(bought))),
    )


def are_alike(categories: IntArray, catalogue: pl.DataFrame, pairs: Pairs) -> NDArray[np.bool_]:
    """(P,) whether two items are of one leaf category (N,) with titles that are alike, or of one title. Of
    complements, these are two kinds of one thing, of which people take both."""
    if TITLE not in catalogue.columns or not len(pairs):
        return np.zeros(len(pairs), bool)
    words = _words(catalogue[TITLE])
    lengths = np.asarray(words.sum(axis=1)).ravel()
    shared = np.asarray(words[pairs.left].multiply(words[pairs.right]).sum(axis=1)).ravel()
    either = lengths[pairs.left] + lengths[pairs.right] - shared
    needed = np.where(_same(categories, pairs), ALIKE, 1.0)
    alike: NDArray[np.bool_] = (shared > 0) & (shared >= needed * either)
    return alike


def _same(codes: IntArray, pairs: Pairs) -> NDArray[np.bool_]:
    """(P,) whether both items have the same code (N,) and any."""
    same: NDArray[np.bool_] = (codes[pairs.left] == codes[pairs.right]) & (codes[pairs.left] >= 0)
    return same


def _words(titles: pl.Series) -> sparse.csr_array:
    """(N, W) 1 where a title has a word."""
    split = titles.cast(pl.String).str.to_lowercase().str.extract_all(_WORD).list.unique()
    table = pl.DataFrame({"row": np.arange(len(titles)), "word": split}).explode("word").drop_nulls("word")
    word = table["word"].rank("dense").to_numpy().astype(np.int64) - 1
    shape = (len(titles), int(word.max(initial=-1)) + 1)
    return sparse.csr_array((np.ones(len(word), np.float32), (table["row"].to_numpy(), word)), shape=shape)


def _keys(pairs: Pairs) -> TimeArray:
    return pairs.left.astype(np.int64) << 32 | pairs.right.astype(np.int64)
