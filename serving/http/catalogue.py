"""The catalogue for the endpoints, which follows changes: the fields of an item, what a condition lets
through, and a text search for the shop page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.core.columns import BRAND, CURRENCY, ID, ITEM_PRICES, PRODUCT_TYPE, TITLE
from features.core.filter_expression import filter_expression

_MAX_CONDITIONS: Final = 256
"""Conditions whose items are kept, a byte an item each."""

_MAX_CHANGES: Final = 100_000
"""Changes that the kept conditions are brought up to date with; after more they are looked at anew."""

_SEARCHED_COLUMNS: Final = (ID, TITLE, PRODUCT_TYPE, BRAND)


@dataclass(frozen=True)
class _Matching:
    """The items of a condition, after so many changes of items."""

    expression: pl.Expr
    items: NDArray[np.bool_]
    num_changes: int


class Catalogue:
    """Item indices are row numbers. Legend: N items."""

    def __init__(
        self, rows: pl.DataFrame, *, popularity: NDArray[np.floating[Any]], currency: str | None = None
    ) -> None:
        """`popularity` (N,) orders search results. `currency` is used where the catalogue has none."""
        self._rows = rows
        self._popularity = popularity
        self._default_currency = currency
        self._matching = OrderedDict[tuple[str, frozenset[str] | None], _Matching]()
        self._values: dict[str, list[Any]] = {}
        self._changed: dict[int, dict[str, Any]] = {}
        self._changes: list[int] = []
        self.deleted: set[int] = set()
        """Items that are there no more; nothing finds them"""
        self.columns = tuple(rows.columns)

    @cached_property
    def currency(self) -> str | None:
        """The currency of all prices; None where the catalogue has several currencies, or none is known."""
        named = self._rows[CURRENCY].drop_nulls().unique().to_list() if CURRENCY in self.columns else []
        if not named:
            return self._default_currency
        return str(named[0]) if len(named) == 1 else None

    @property
    def rows(self) -> pl.DataFrame:
        """One row an item, with all changes."""
        if self._changed:
            self._rows = _with_changes(self._rows, self._changed)
            self._changed = {}
        return self._rows

    def change(self, item: int, fields: Mapping[str, Any]) -> None:
        """Give an item other values. A column that is new has nothing for the other items."""
        for name, value in fields.items():
            if name not in self.columns:
                self._rows = self._rows.with_columns(pl.lit(None, dtype=column_type(name)).alias(name))
                self.columns = (*self.columns, name)
            if name in self._values:
                self._values[name][item] = value
        self._changed[item] = self._changed.get(item, {}) | dict(fields)
        self._changes.append(item)
        if len(self._changes) > _MAX_CHANGES:
            self._changes.clear()
            self._matching.clear()
        self.__dict__.pop("_search_text", None)

    def fields(self, item: int, names: Sequence[str]) -> dict[str, Any]:
        """The values of the named columns for one item."""
        return {name: self._column(name)[item] for name in names}

    def visible(self, columns: Collection[str] | None) -> tuple[str, ...]:
        """The columns of those that a caller may see; None: all."""
        return self.columns if columns is None else tuple(name for name in self.columns if name in columns)

    def matching(self, condition: str, columns: frozenset[str] | None = None) -> NDArray[np.bool_]:
        """(N,) the items for which a SQL condition over the columns that a caller may see is true. Raises
        FilterError.

        Those of the latest conditions are kept: a shop sends the same few.
        """
        found = self._matching.pop((condition, columns), None)
        if found is None:
            schema = self.rows.schema
            expression = filter_expression(condition, {name: schema[name] for name in self.visible(columns)})
            found = _Matching(expression, _is_true(expression, self.rows), len(self._changes))
        elif found.num_changes < len(self._changes):
            found = self._brought_up_to_date(found)
        self._matching[condition, columns] = found
        if len(self._matching) > _MAX_CONDITIONS:
            self._matching.popitem(last=False)
        return found.items

    def _brought_up_to_date(self, found: _Matching) -> _Matching:
        """With the items looked at again that have changed since."""
        changed = np.unique(np.array(self._changes[found.num_changes :], np.int64))
        items = found.items.copy()
        items[changed] = _is_true(found.expression, self.rows[changed])
        items.flags.writeable = False
        return _Matching(found.expression, items, len(self._changes))

    def search(self, text: str, *, limit: int) -> list[int]:
        """Indices of items whose id, title, category and brand contain every word of `text`, the best-selling
        first."""
        words = text.lower().split()
        if not words:
            found = np.arange(len(self.rows))
        else:
            has_all_words = pl.all_horizontal(
                [pl.lit(value=True), *(self._search_text.str.contains(word, literal=True) for word in words)]
            )
            found = np.flatnonzero(pl.select(has_all_words).to_series().to_numpy())
        found = found[~np.isin(found, list(self.deleted))]
        best = np.argsort(-self._popularity[found], kind="stable")[:limit]
        return [int(item) for item in found[best]]

    @cached_property
    def _search_text(self) -> pl.Series:
        columns = [pl.col(name).cast(pl.String) for name in _SEARCHED_COLUMNS if name in self.columns]
        text = pl.concat_str(columns, separator=" ", ignore_nulls=True).str.to_lowercase()
        return self.rows.select(text.alias("search_text")).to_series()

    def _column(self, name: str) -> list[Any]:
        if name not in self._values:
            self._values[name] = self.rows[name].to_list()
        return self._values[name]


def _is_true(expression: pl.Expr, rows: pl.DataFrame) -> NDArray[np.bool_]:
    """(M,) for M rows; unknown is not true."""
    mask = rows.select(expression.fill_null(value=False).alias("matches")).to_series()
    found = np.asarray(mask.to_numpy(), bool)
    found.flags.writeable = False
    return found


def _with_changes(rows: pl.DataFrame, changed: Mapping[int, Mapping[str, Any]]) -> pl.DataFrame:
    """The rows with the values of the changed items (row number -> column -> value)."""
    names = dict.fromkeys(name for fields in changed.values() for name in fields)
    columns = []
    for name in names:
        places = [item for item, fields in changed.items() if name in fields]
        values = pl.Series([changed[item][name] for item in places], dtype=rows.schema[name])
        columns.append(rows[name].clone().scatter(places, values))
    return rows.with_columns(columns)


def column_type(name: str) -> pl.DataType:
    """Of a column that the bundle's catalogue lacks."""
    return pl.Float64() if name in ITEM_PRICES else pl.String()
