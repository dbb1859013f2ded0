"""MovieLens ratings (GroupLens): the `::` files of ml-1m and ml-10m, the CSV files of ml-20m, 25m, 32m and
ml-latest.

`data.events` is ratings.dat or ratings.csv, `data.items` movies.dat or movies.csv, `data.users` ml-1m's
users.dat.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from configs.settings.data import DataConfig
from features.readers.csv_rows import read_csv_rows
from features.readers.field_rows import named_columns, one_file, read_fields, read_latin1_lines, with_numbers
from features.readers.published_counts import Counts, compare_with_published
from features.readers.raw_table import FILE, ROW, RawTable, RawTables

_RATINGS: Final = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float64, "timestamp": pl.Int64}
_MOVIES: Final = {"id": pl.String, "title": pl.String, "genres": pl.String}
_USERS: Final = {
    "user_id": pl.String,
    "gender": pl.String,
    "age": pl.String,
    "occupation": pl.String,
    "zip": pl.String,
}

AGES: Final = {
    "1": "under 18",
    "18": "18-24",
    "25": "25-34",
    "35": "35-44",
    "45": "45-49",
    "50": "50-55",
    "56": "56+",
}
"""From ml-1m's README: an age is the first year of its band."""
OCCUPATIONS: Final = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health "
    "care", "executive/managerial", "farmer", "homemaker", "K-12 "
                                                                         "student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip
"""From ml-1m's README: an occupation's number is its place here."""


def read_movielens(data: DataConfig) -> RawTables:
    """Ratings as events of the type `review`, or of `data.event_type`, with the rating.

    A movie's genres, which the files list in alphabetical order, become its product_type: `Action > Crime >
    Thriller`.
    """
    path = one_file(data.events, reader=data.reader, table="events")
    ratings, rejected = _ratings(path)
    found = Counts(
        len(ratings) + len(rejected), users=ratings["user_id"].n_unique(), items=ratings["item_id"].n_unique()
    )
    event_id = pl.concat_str(["user_id", "item_id", "timestamp"], separator="/").alias("event_id")
    frame = ratings.with_columns(event_id, pl.lit("review").alias("event_type"))
    return RawTables(
        events=RawTable(name="events", where=str(path), frame=frame, rejected=rejected),
        items=_movies(one_file(data.items, reader=data.reader, table="items")) if data.items else None,
        users=_users(one_file(data.users, reader=data.reader, table="users")) if data.users else None,
        remarks=(compare_with_published(data.reader, path, found),),
    )


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _ratings(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    if not _is_csv(path):
        return read_fields(path, "events", schema=_RATINGS, separator="::")
    rows, rejected = read_csv_rows(path, "events")
    names = {
        "user_id": ("userId",),
        "item_id": ("movieId",),
        "rating": ("rating",),
        "timestamp": ("timestamp",),
    }
    rows = named_columns(rows, path, names, optional=frozenset())
    rows, no_numbers = with_numbers(rows, "events", {"rating": pl.Float64, "timestamp": pl.Int64})
    return rows, pl.concat([rejected, no_numbers])


def _movies(path: Path) -> RawTable:
    if _is_csv(path):
        rows, rejected = read_csv_rows(path, "items")
        names = {"id": ("movieId",), "title": ("title",), "genres": ("genres",)}
        rows = named_columns(rows, path, names, optional=frozenset())
    else:
        rows, rejected = read_fields(
            path, "items", schema=_MOVIES, separator="::", lines_of=read_latin1_lines
        )
    genres = pl.col("genres").replace("(no genres listed)", None).str.replace_all("|", " > ", literal=True)
    frame = rows.select("id", "title", genres.alias("product_type"), FILE, ROW)
    return RawTable(name="items", where=str(path), frame=frame, rejected=rejected)


def _users(path: Path) -> RawTable:
    """Gender, age band, occupation and region (the first digit of an American zip code) as attributes."""
    rows, rejected = read_fields(path, "users", schema=_USERS, separator="::", lines_of=read_latin1_lines)
    occupations = {str(number): name for number, name in enumerate(OCCUPATIONS)}
    frame = rows.select(
        "user_id",
        "gender",
        pl.col("age").replace(AGES),
        pl.col("occupation").replace(occupations),
        pl.col("zip").str.slice(0, 1).alias("region"),
        FILE,
        ROW,
    )
    return RawTable(name="users", where=str(path), frame=frame, rejected=rejected)
