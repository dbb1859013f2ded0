"""A SQL condition over the columns of a table: the filter of a request, or the rule of a segment.

`product_type like 'Garden > Pots%' and price between 10 and 50`: sqlglot parses it, and the kinds of nodes
that stand here become a Polars expression; everything else is refused, with what could stand there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any, Final

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log whatever a caller wrote

MAX_CHARACTERS: Final = 2_000
MAX_NODES: Final = 500

LANGUAGE: Final = "=, <>, <, <=, >, >=, between, in, like, ilike, is null, and, or, not, and parentheses"

_COMPARISONS: Final[Mapping[type[exp.Expr], Callable[[Any, Any], Any]]] = {
    exp.EQ: eq,
    exp.NEQ: ne,
    exp.LT: lt,
    exp.LTE: le,
    exp.GT: gt,
    exp.GTE: ge,
}
_ARGUMENTS: Final = {"this", "expression", "expressions", "low", "high", "negate"}
"""Parts of nodes that are read; a node with another one would be read wrongly."""

_KINDS: Final = {str: "a text", float: "a number", bool: "true or false"}


class FilterError(ValueError):
    """What is wrong with a filter, as a sentence without its full stop."""


def filter_expression(text: str, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    """The condition as an expression over a table's `columns` (name → type).

    A comparison with a missing value is neither true nor false, as in SQL; the caller keeps the rows for
    which the whole is true. Raises FilterError.
    """
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"has {len(text):,} characters, and at most {MAX_CHARACTERS:,} are allowed")
    try:
        tree = sqlglot.parse_one(text, dialect="postgres")
        if sum(1 for _ in tree.walk()) > MAX_NODES:
            raise FilterError(f"is too long: at most {MAX_NODES} names, values and operators are allowed")
        return _Translation(columns).condition(tree)
    except SqlglotError as error:
        raise FilterError(f"cannot be read{_place(error)}: it is a condition with {LANGUAGE}") from None
    except RecursionError:
        raise FilterError("is nested too deeply") from None


class _Translation:
    """Of a tree's nodes, over the columns of one table."""

    def __init__(self, columns: Mapping[str, pl.DataType]) -> None:
        self._columns = columns
        self._by_lower = {name.lower(): name for name in columns}

    def condition(self, node: exp.Expr) -> pl.Expr:
        """A node that is true or false."""
        if {name for name, value in node.args.items() if value} - _ARGUMENTS:
            raise _unknown(node)
        found = self._condition(node)
        return ~found if node.args.get("negate") else found

    def _condition(self, node: exp.Expr) -> pl.Expr:
        """The same, without a `not` that belongs to the node."""
        match node:
            case exp.Paren():
                return self.condition(node.this)
            case exp.And() | exp.Or():
                join = and_ if isinstance(node, exp.And) else or_
                return reduce(join, [self.condition(part) for part in node.flatten()])
            case exp.Not():
                return ~self.condition(node.this)
            case exp.Between():
                column, kind = self._column(node.this)
                low, high = (self._value(node.args[end], kind=kind) for end in ("low", "high"))
                return column.is_between(low, high)
            case exp.In() if node.expressions:
                column, kind = self._column(node.this)
                values = [self._value(one, kind=kind) for one in node.expressions]
                return reduce(or_, [column == value for value in values])
            case exp.Like() | exp.ILike():
                column, kind = self._column(node.this)
                if kind is not str:
                    raise FilterError(f"{node.this.sql()} is {_KINDS[kind]}, and like is for texts")
                pattern = self._value(node.expression, kind=str)
                return column.str.contains(_regex(str(pattern), ignore_case=isinstance(node, exp.ILike)))
            case exp.Is() if isinstance(node.expression, exp.Null):
                return self._column(node.this)[0].is_null()
            case exp.Column() if self._column(node)[1] is bool:
                return self._column(node)[0]
        if compare := _COMPARISONS.get(type(node)):
            return self._comparison(node, compare)
        raise _unknown(node)

    def _comparison(self, node: exp.Expr, compare: Callable[[Any, Any], Any]) -> pl.Expr:
        left, right = node.this, node.expression
        if not isinstance(left, exp.Column) and not isinstance(right, exp.Column):
            raise FilterError(f"{_short(node)} compares no column with a value")
        if isinstance(left, exp.Column):
            column, kind = self._column(left)
            found: pl.Expr = compare(column, self._value(right, kind=kind))
        else:
            column, kind = self._column(right)
            found = compare(pl.lit(self._value(left, kind=kind)), column)
        return found

    def _column(self, node: exp.Expr) -> tuple[pl.Expr, type]:
        """An expression, and the kind of its values: str, float or bool."""
        if not isinstance(node, exp.Column) or node.table:
            raise FilterError(f"{_short(node)} stands where the name of a column is needed")
        name = self._by_lower.get(node.name.lower())
        if name is None:
            raise FilterError(
                f"names the column {node.name!r}, which is none of those that it may name: "
                f"{', '.join(self._columns)}"
            )
        column, kind = pl.col(name), self._columns[name]
        if kind.is_numeric():
            return column.cast(pl.Float64), float
        if kind == pl.Boolean:
            return column, bool
        return column.cast(pl.String), str

    def _value(self, node: exp.Expr, *, kind: type) -> str | float | bool:
        """A constant of the kind that the column beside it has."""
        found: str | float | bool | None = None
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            found = -float(node.this.this)
        elif isinstance(node, exp.Literal):
            found = str(node.this) if node.is_string else float(node.this)
        elif isinstance(node, exp.Boolean):
            found = bool(node.this)
        if found is None or not isinstance(found, kind):
            raise FilterError(f"{_short(node)} stands beside a column that holds {_KINDS[kind]}")
        return found


def _regex(pattern: str, *, ignore_case: bool) -> str:
    """The regular expression of a LIKE pattern: % is any text, _ any character, a backslash takes the next
    one literally."""
    parts = [
        ".*" if part == "%" else "." if part == "_" else re.escape(part.removeprefix("\\") or part)
        for part in re.findall(r"\\.|[^\\]|\\$", pattern, flags=re.DOTALL)
    ]
    return f"(?s{'i' if ignore_case else ''})^{''.join(parts)}$"


def _unknown(node: exp.Expr) -> FilterError:
    return FilterError(f"{_short(node)} is not a condition here: it may use {LANGUAGE}")


def _short(node: exp.Expr) -> str:
    text = node.sql()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _place(error: SqlglotError) -> str:
    """Where reading stopped, if that is known."""
    column = error.errors[0].get("col") if isinstance(error, ParseError) and error.errors else None
    return f" at character {column}" if column else ""
