"""Filters are SQL: the same rows as SQLite finds, and whatever else is written is refused with a reason."""

from __future__ import annotations

import contextlib
import sqlite3

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.core.filter_expression import FilterError, filter_expression

ROWS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d", "e"],
        "title": ["Tea pot", "tea 100%", None, "x_y\nz", "It's (new) \\ [1]"],
        "price": [1.0, 20.0, None, 50.5, -3.0],
        "stock": [1, 2, 3, None, 5],
        "Sale": [True, False, None, True, False],
    }
)
TEXTS = ("Tea pot", "tea%", "%100_", "x_y_z", "%", "_", "", "It's (new)%", "é", "%(new)%[1]", "x.y%", "X\ny")


def matching(condition: str) -> list[str]:
    expression = filter_expression(condition, ROWS.schema)
    return ROWS.filter(expression)["item_id"].to_list()


@pytest.fixture(scope="module")
def sqlite() -> sqlite3.Connection:
    """The same rows."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA case_sensitive_like = ON")
    connection.execute("CREATE TABLE t (item_id TEXT, title TEXT, price REAL, stock INT, Sale BOOLEAN)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", ROWS.rows())
    return connection


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


numbers = st.one_of(st.integers(-5, 60), st.sampled_from([0.5, 50.5, -3.0])).map(str)
texts = st.sampled_from(TEXTS).map(quoted)
signs = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])
number_columns = st.sampled_from(["price", "stock"])
leaves = st.one_of(
    st.tuples(number_columns, signs, numbers).map(" ".join),
    st.tuples(numbers, signs, number_columns).map(" ".join),
    st.tuples(st.just("title"), signs, texts).map(" ".join),
    st.tuples(st.sampled_from(["title like", "title not like", "not title like"]), texts).map(" ".join),
    st.tuples(number_columns, st.sampled_from(["", "not "]), numbers, numbers).map(
        lambda c: f"{c[0]} {c[1]}between {c[2]} and {c[3]}"
    ),
    st.tuples(number_columns, st.lists(numbers, min_size=1, max_size=3)).map(
        lambda c: f"{c[0]} in ({', '.join(c[1])})"
    ),
    st.lists(texts, min_size=1, max_size=3).map(lambda values: f"title not in ({', '.join(values)})"),
    st.sampled_from(["price is null", "title is not null", "Sale", "not Sale", "Sale = true"]),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda c: f"({' '.join(c)})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
    ),
    max_leaves=6,
)


@given(conditions)
def test_the_rows_are_those_that_sqlite_finds(sqlite: sqlite3.Connection, condition: str) -> None:
    expected = sqlite.execute(f"SELECT item_id FROM t WHERE {condition} ORDER BY item_id").fetchall()
    assert matching(condition) == [row[0] for row in expected]


def test_like_and_names_do_not_depend_on_case_where_sql_says_so() -> None:
    assert matching("title like 'tea%'") == ["b"]
    assert matching("title ilike 'TEA%'") == ["a", "b"]
    assert matching("PRICE > 1 and sale") == ["d"]
    assert matching("title like '%100\\%'") == ["b"], "a backslash takes the next character as it is"
    assert matching("title like '%\\\\ [1]'") == ["e"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "cannot be read"),
        ("price >", "cannot be read at character"),
        ("price between 1 and", "cannot be read"),
        ("'open", "cannot be read"),
        ("colour = 'red'", "'colour', which is none of those that it may name: item_id, title, price"),
        ("t.price = 1", "stands where the name of a column is needed"),
        ("price", "is not a condition here"),
        ("1 = 1", "compares no column with a value"),
        ("length(title) > 3", "compares no column with a value"),
        ("title = item_id", "stands beside a column that holds a text"),
        ("price > '1'", "stands beside a column that holds a number"),
        ("price = null", "stands beside a column that holds a number"),
        ("Sale = 1", "stands beside a column that holds true or false"),
        ("price like '1'", "like is for texts"),
        ("price between symmetric 3 and 1", "is not a condition here"),
        ("title like 'a' escape 'b'", "is not a condition here"),
        ("title like any ('a', 'b')", "stands beside a column that holds a text"),
        ("price in (select 1)", "is not a condition here"),
        ("exists (select 1)", "is not a condition here"),
        ("select 1", "is not a condition here"),
        ("drop table t", "is not a condition here"),
        ("price > 1; drop table t", "is not a condition here"),
        ("title = E'a'", "stands beside"),
        ("x" * 2_001, "at most 2,000 are allowed"),
        ("(" * 900 + "Sale" + ")" * 900, ""),
        (" or ".join(["price=1"] * 180), "is too long"),
    ],
)
def test_everything_else_is_refused(condition: str, said: str) -> None:
    with pytest.raises(FilterError) as error:
        matching(condition)
    assert said in str(error.value)


words = st.sampled_from(
    (
        "price",
        "title",
        "Sale",
        "and",
        "or",
        "not",
        "in",
        "like",
        "between",
        "is",
        "null",
        "(",
        ")",
        ",",
        "=",
        "'a'",
        "1",
    )
)


@given(st.one_of(st.text(max_size=60), st.lists(words).map(" ".join)))
def test_rubbish_crashes_nothing(text: str) -> None:
    with contextlib.suppress(FilterError):
        matching(text)
