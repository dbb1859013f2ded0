"""The catalogue as the endpoints show it: fields of an item, and a plain search for the shop page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import BRAND, CURRENCY, ID, PRODUCT_TYPE, TITLE

_SEARCHED: Final = (ID, TITLE, PRODUCT_TYPE, BRAND)


class Catalogue:
    """Row i is item i. Legend: N items."""

    def __init__(
        self, rows: pl.DataFrame, *, popularity: NDArray[np.floating[Any]], currency: str | None = None
    ) -> None:
        """`popularity` (N,) orders what a search finds. `currency` is for rows that name none."""
        self._rows = rows
        self._popularity = popularity
        self._fallback_currency = currency
        self._values: dict[str, list[Any]] = {}
        self.columns = tuple(rows.columns)

    @cached_property
    def currency(self) -> str | None:
        """What prices are in; None where the catalogue names several currencies, or nothing names any."""
        named = self._rows[CURRENCY].drop_nulls().unique().to_list() if CURRENCY in self.columns else []
        if not named:
            return self._fallback_currency
        return str(named[0]) if len(named) == 1 else None

    def fields(self, item: int, names: Sequence[str]) -> dict[str, Any]:
        """The values of some columns for one item."""
        return {name: self._column(name)[item] for name in names}

    def search(self, text: str, *, limit: int) -> list[int]:
        """Items whose id, title, category or brand hold every word of `text`, what sells most first."""
        words = text.lower().split()
        if not words:
            found = np.arange(len(self._rows))
        else:
            holds_all = pl.all_horizontal(
                [pl.lit(value=True), *(self._searched.str.contains(word, literal=True) for word in words)]
            )
            found = np.flatnonzero(pl.select(holds_all).to_series().to_numpy())
        best = np.argsort(-self._popularity[found], kind="stable")[:limit]
        return [int(item) for item in found[best]]

    @cached_property
    def _searched(self) -> pl.Series:
        columns = [pl.col(name).cast(pl.String) for name in _SEARCHED if name in self.columns]
        text = pl.concat_str(columns, separator=" ", ignore_nulls=True).str.to_lowercase()
        return self._rows.select(text.alias("searched")).to_series()

    def _column(self, name: str) -> list[Any]:
        if name not in self._values:
            self._values[name] = self._rows[name].to_list()
        return self._values[name]
