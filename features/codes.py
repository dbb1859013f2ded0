"""Text as small whole numbers, for grouping: several times faster than grouping by the text."""

from __future__ import annotations

import polars as pl


def code(text: pl.Expr) -> pl.Expr:
    """A number (u32, null where null) that is the same for the same text within this process, and nothing more."""
    return text.cast(pl.Categorical).to_physical()
