"""MovieLens: both published forms, titles in ISO-8859-1, demographics as attributes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from configs.schema import Config
from features.ingest.tables import Tables
from features.prepare import prepare

MakeConfig = Callable[..., Config]

RATINGS = "1::10::5::978300760\n1::11::3::978302109\n2::10::4::978300760\n2::10::4::978300760\n"
MOVIES = "10::Misérables, Les (1995)::Drama|Musical\n11::Toy Story (1995)::Animation\nno movie\n"
USERS = "1::F::1::10::48067\n2::M::56::16::02139-1234\n3::M::25\n"


def test_the_files_of_ml_1m(tmp_path: Path, make_config: MakeConfig, workspace: Path, now: datetime) -> None:
    for name, text in (("ratings.dat", RATINGS), ("movies.dat", MOVIES), ("users.dat", USERS)):
        (tmp_path / name).write_bytes(text.encode("iso-8859-1"))
    config = make_config(
        tmp_path / "ratings.dat",
        f"data.items={tmp_path / 'movies.dat'}",
        f"data.users={tmp_path / 'users.dat'}",
        reader="movielens",
    )
    report = prepare(config, now=now)
    tables = Tables.open(workspace / "tables")
    events = tables.events.select("user_id", "item_id", "event_type", "rating").collect().rows()
    assert sorted(events) == [
        ("1", "10", "review", 5.0),
        ("1", "11", "review", 3.0),
        ("2", "10", "review", 4.0),
    ]
    assert report.dropped == {"duplicate event": 1}
    assert tables.items.select("id", "title", "product_type").sort("id").collect().rows() == [
        ("10", "Misérables, Les (1995)", "Drama > Musical"),
        ("11", "Toy Story (1995)", "Animation"),
    ]
    attributes = {
        user: json.loads(text)
        for user, text in tables.users.select("user_id", "attributes").collect().iter_rows()
    }
    assert attributes == {
        "1": {"gender": "F", "age": "under 18", "occupation": "K-12 student", "region": "4"},
        "2": {"gender": "M", "age": "56+", "occupation": "self-employed", "region": "0"},
    }
    rejected = tables.rejected.select("table", "file", "line", "reason").collect().rows()
    assert rejected == [
        ("items", "movies.dat", 3, "too few fields"),
        ("users", "users.dat", 3, "too few fields"),
    ]


def test_the_csv_files_of_the_later_editions(
    tmp_path: Path, make_config: MakeConfig, workspace: Path, now: datetime
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text(
        "userId,movieId,rating,timestamp\n"
        "1,10,3.5,964982703\n"
        "1,11,good,964982703\n"
        "2,12,4.0,\n"
        "1,11,2.0,964982704\n",
        encoding="utf-8",
    )
    movies = tmp_path / "movies.csv"
    movies.write_text(
        'movieId,title,genres\n10,"American President, The (1995)",Comedy|Drama\n11,Nothing,(no genres '
        "listed)\n",
        encoding="utf-8",
    )
    prepare(make_config(ratings, f"data.items={movies}", reader="movielens"), now=now)
    tables = Tables.open(workspace / "tables")
    assert tables.events.select("item_id", "rating").collect().rows() == [("10", 3.5), ("11", 2.0)]
    assert tables.items.select("title", "product_type").collect().rows() == [
        ("American President, The (1995)", "Comedy > Drama"),
        ("Nothing", None),
    ]
    assert sorted(tables.rejected.select("line", "reason").collect().rows()) == [
        (3, "rating is not a number"),
        (4, "timestamp is missing"),
    ]


@pytest.mark.parametrize("rating", ["five", "nan", "inf", ""])
def test_a_rating_that_is_no_number_is_rejected(
    tmp_path: Path, make_config: MakeConfig, workspace: Path, now: datetime, rating: str
) -> None:
    path = tmp_path / "ratings.dat"
    path.write_text(f"1::10::{rating}::978300760\n{RATINGS}", encoding="utf-8")
    prepare(make_config(path, reader="movielens"), now=now)
    assert Tables.open(workspace / "tables").rejected.select("line", "reason").collect().rows() == [
        (1, "rating is not a number")
    ]


def test_the_type_of_the_events_can_be_set(tmp_path: Path, make_config: MakeConfig, now: datetime) -> None:
    path = tmp_path / "ratings.dat"
    path.write_text(RATINGS, encoding="utf-8")
    assert prepare(
        make_config(path, "data.event_type=purchase", reader="movielens"), now=now
    ).event_types == {"purchase": 3}
