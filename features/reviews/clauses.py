"""Reviews ▶ clauses: a review praises one thing and complains about another, mostly in different clauses."""

from __future__ import annotations

from typing import Final

import polars as pl

_END: Final = r"[。！？!?；;…，、\n\r]+|\.+(?:\s|$)|\s[-–—]+\s"
_COMMA: Final = r",(\P{N})"
"""In 1,5 and 1,000 it ends nothing."""
_TURN: Final = r"(?i)\b(?:but|however|although|though|except|yet)\b|但是|不过|可是|然而|就是"
MAX_CLAUSES: Final = 40
"""Of a review: the first ones"""


def clauses_of(texts: pl.Series) -> pl.DataFrame:
    """(row, clause) in their order; a text without a letter or number has none."""
    found = (
        texts.cast(pl.String)
        .str.replace_all(_COMMA, "\n${1}")
        .str.replace_all(_END, "\n")
        .str.replace_all(_TURN, "\n")
        .str.split("\n")
        .list.eval(pl.element().str.strip_chars().filter(pl.element().str.contains(r"[\p{L}\p{N}]")))
        .list.head(MAX_CLAUSES)
        .alias("clause")
    )
    return found.to_frame().with_row_index("row").explode("clause").drop_nulls("clause")
