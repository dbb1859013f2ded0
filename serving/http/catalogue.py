"""The catalogue for the endpoints: the fields of an item, and a text search for the shop page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import BRAND, CURRENCY, ID, PRODUCT_TYPE, TITLE
from serving.recommend.filter_expression import filter_expression

_MAX_CONDITIONS: Final = 256
"""Conditions whose items are kept, a byte an item each."""

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
        self._matching = OrderedDict[str, NDArray[np.bool_]]()
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

    def matching(self, condition: str) -> NDArray[np.bool_]:
        """(N,) the items for which a SQL condition over the columns is true. Raises FilterError.

        Those of the latest conditions are kept: a shop sends the same few.
        """
        found = self._matching.pop(condition, None)
        if found is None:
            expression = filter_expression(condition, self._rows.schema)
            mask = self._rows.select(expression.fill_null(value=False).alias("matches")).to_series()
            found = np.asarray(mask.to_numpy(), bool)
            found.flags.writeable = False
        self._matching[condition] = found
        if len(self._matching) > _MAX_CONDITIONS:
            self._matching.popitem(last=False)
        return found

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
