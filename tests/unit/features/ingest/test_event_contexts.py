"""Where events came from goes from the files to the retriever."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from configs.load import load_config
from features.dataset import Dataset
from features.ingest.event_contexts import CONTEXT, context_table, with_contexts
from features.interactions import Interactions
from features.prepare import prepare
from features.splits import split_point_at

START = datetime(2024, 1, 1, tzinfo=UTC)


def test_combinations_are_coded_by_frequency_and_constant_columns_are_left_out() -> None:
    events = pl.LazyFrame(
        {
            "country": ["AT", "DE", "AT", None, None],
            "device": ["phone", None, "phone", None, "phone"],
            "channel": ["web"] * 5,
        }
    )
    table = context_table(events)
    assert table.columns == ["country"], "a device or none tells nothing apart: there is one"
    assert table["country"].to_list() == ["AT", "DE"]
    assert with_contexts(events, table).collect()[CONTEXT].to_list() == [1, 2, 1, 0, 0]
    nothing = events.select("channel")
    assert not context_table(nothing).width
    assert with_contexts(nothing, context_table(nothing)).collect()[CONTEXT].to_list() == [0] * 5


def test_target_events_keep_where_they_came_from(tmp_path: Path) -> None:
    """Rows of a file in no order of users: each target event has the country that its row names."""
    random = np.random.default_rng(3)
    number = 1_200
    rows = pl.DataFrame(
        {
            "event_type": random.choice(["purchase", "view_item"], number, p=[0.8, 0.2]),
            "timestamp": [START.timestamp() + 3600 * hour for hour in range(number)],
            "user_id": [f"u{user}" for user in random.integers(0, 40, number)],
            "item_id": [f"i{item}" for item in random.integers(0, 8, number)],
            "price": np.full(number, 3.0),
        }
    )
    country = pl.concat_str(pl.lit("country of "), pl.col("item_id"))
    rows = rows.with_columns(pl.when(pl.col("item_id") != "i7").then(country).alias("country"))
    rows.write_csv(tmp_path / "events.csv")
    config = load_config(
        overrides=[f"data.events={tmp_path / 'events.csv'}", "data.reader=csv", "split.window_days=4"],
        workspace=tmp_path / "shop",
    )
    prepare(config, now=datetime(2024, 3, 1, tzinfo=UTC))
    dataset = Dataset.open(tmp_path / "shop" / "dataset")
    point = split_point_at(dataset, int(np.quantile(dataset.times, 0.7)), name="test")
    interactions = Interactions.before(dataset, point, config)
    found = interactions.contexts()
    assert found is not None
    assert found.table.columns == ["country"]
    names = np.array([None, *found.table["country"].to_list()])
    ids = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_numpy()[interactions.events.items]
    expected = [None if one == "i7" else f"country of {one}" for one in ids]
    assert len(expected) > 200
    assert names[found.codes].tolist() == expected
