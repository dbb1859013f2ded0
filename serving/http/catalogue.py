"""The catalogue for the endpoints: the fields of an item, and a text search for the shop page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import BRAND, CURRENCY, ID, PRODUCT_TYPE, TITLE

_SEARCHED_COLUMNS: Final = (ID, TITLE, PRODUCT_TYPE, BRAND)


class Catalogue:
    """Item indices are row numbers. Legend: N items."""

    def __init__(
        self, rows: pl.DataFrame, *, popularity: NDArray[np.floating[Any]], currency: str | None = None
    ) -> None:
        """`popularity` (N,) orders search results. `currency` is used where the catalogue has none."""
        self._rows = rows
        self._popularity = popularity
        self._default_currency = currency
        self._values: dict[str, list[Any]] = {}
        self.columns = tuple(rows.columns)

    @cached_property
    def currency(self) -> str | None:
        """The currency of all prices; None where the catalogue has several currencies, or none is known."""
        named = self._rows[CURRENCY].drop_nulls().unique().to_list() if CURRENCY in self.columns else []
        if not named:
            return self._default_currency
        return str(named[0]) if len(named) == 1 else None

    def fields(self, item: int, names: Sequence[str]) -> dict[str, Any]:
        """The values of the named columns for one item."""
        return {name: self._column(name)[item] for name in names}

    def search(self, text: str, *, limit: int) -> list[int]:
        """Indices of items whose id, title, category and brand contain every word of `text`, the best-selling
        first."""
        words = text.lower().split()
        if not words:
            found = np.arange(len(self._rows))
        else:
            has_all_words = pl.all_horizontal(
                [pl.lit(value=True), *(self._search_text.str.contains(word, literal=True) for word in words)]
            )
            found = np.flatnonzero(pl.select(has_all_words).to_series().to_numpy())
        best = np.argsort(-self._popularity[found], kind="stable")[:limit]
        return [int(item) for item in found[best]]

    @cached_property
    def _search_text(self) -> pl.Series:
        columns = [pl.col(name).cast(pl.String) for name in _SEARCHED_COLUMNS if name in self.columns]
        text = pl.concat_str(columns, separator=" ", ignore_nulls=True).str.to_lowercase()
        return self._rows.select(text.alias("search_text")).to_series()

    def _column(self, name: str) -> list[Any]:
        if name not in self._values:
            self._values[name] = self._rows[name].to_list()
        return self._values[name]
