"""What a catalogue says of an item, as terms to compare it by. Shapes: N items."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.core.columns import BRAND, PRODUCT_TYPE, TITLE
from features.profiles.item_content import PATH_SEPARATOR

ROW: Final = "row"
TERM: Final = "term"

_TAG: Final = r"</?[A-Za-z!][^<>]*>"
_ENTITY: Final = r"&(?:[A-Za-z]+|#[0-9]+|#[xX][0-9A-Fa-f]+);"
_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー々〆"
"""Characters of Chinese, Japanese and Korean, of a class of a regular expression"""
_WORD: Final = rf"[\p{{L}}\p{{M}}\p{{N}}--[{_UNSPACED}]]+"
_RUN: Final = rf"[{_UNSPACED}]+"
_TEXT: Final = "text"


def content_terms(catalogue: pl.DataFrame) -> pl.DataFrame:
    """(row, term) of each catalogue row, each once: the words of its title, the levels of its category path
    and its brand. A term begins with the column that it is from.

    There are no spaces between Chinese words: of a run of Chinese, Japanese or Korean characters, every two
    that stand together are a term (character bigrams), and so is one that stands alone. Markup is no text.
    """
    rows = catalogue.with_row_index(ROW)
    found = []
    for name in (TITLE, PRODUCT_TYPE, BRAND):
        if name in catalogue.columns:
            texts = rows.select(ROW, _plain(pl.col(name)).alias(_TEXT)).drop_nulls(_TEXT)
            terms = _words(texts) if name == TITLE else _parts(texts, is_path=name == PRODUCT_TYPE)
            found.append(terms.with_columns(pl.concat_str(pl.lit(f"{name}:"), TERM).alias(TERM)))
    nothing = pl.DataFrame(schema={ROW: pl.UInt32, TERM: pl.String})
    return pl.concat([nothing, *found]).unique(maintain_order=True)


def _plain(text: pl.Expr) -> pl.Expr:
    """In lower case, without tags and character references; full-width letters are as others."""
    bare = text.cast(pl.String).str.replace_all(_TAG, " ").str.replace_all(_ENTITY, " ")
    return bare.str.normalize("NFKC").str.to_lowercase()


def _words(texts: pl.DataFrame) -> pl.DataFrame:
    """(row, term) of texts (row, text)."""
    words = _each(texts, pl.col(_TEXT).str.extract_all(_WORD))
    runs = _each(texts, pl.col(_TEXT).str.extract_all(_RUN))
    run = pl.col(TERM)
    pairs = pl.concat_list(run.str.extract_all(".."), run.str.slice(1).str.extract_all(".."))
    bigrams = _each(runs, pl.when(run.str.len_chars() > 1).then(pairs).otherwise(pl.concat_list(run)))
    return pl.concat([words, bigrams])


def _parts(texts: pl.DataFrame, *, is_path: bool) -> pl.DataFrame:
    """(row, term) of texts that are a path, or one name."""
    text = pl.col(_TEXT)
    found = _each(texts, text.str.split(PATH_SEPARATOR) if is_path else pl.concat_list(text))
    return found.with_columns(pl.col(TERM).str.strip_chars()).filter(pl.col(TERM) != "")


def _each(rows: pl.DataFrame, terms: pl.Expr) -> pl.DataFrame:
    """(row, term) for each of the `terms`, which are a list of texts."""
    return rows.select(ROW, terms.alias(TERM)).explode(TERM).drop_nulls(TERM)
