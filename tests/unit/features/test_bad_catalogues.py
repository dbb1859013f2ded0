"""A shop whose catalogue makes no sense in places still gets its rows of hot, new and reduced products."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from configs.load import load_config
from configs.schema import Config
from features.dataset import Dataset
from features.interactions import Interactions
from features.prepare import prepare
from features.profiles.stage import stages
from features.retriever import UserContext
from features.retrievers import fit_retrievers
from features.splits import split_points

START = datetime(2024, 1, 1, tzinfo=UTC)
ITEMS = pl.DataFrame(
    {
        "id": ["round", "back", "alone", "dearer", "no price", "reduced", "free", "later", "unread"],
        "product_type": ["A > B > A", "B > A > B", "C", "A", None, "A > A", "", "A", "A"],
        "price": [5.0, 5.0, 5.0, 5.0, None, 5.0, 5.0, 5.0, None],
        "sale_price": [None, None, None, 9.0, 2.0, 4.0, 0.0, None, None],
        "availability_date": [None, "2024-01-01", "", None, "soon", None, None, "2030-01-01", None],
    }
)


@pytest.fixture(scope="module")
def interactions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Interactions, Config, list[str]]:
    folder = tmp_path_factory.mktemp("bad")
    random = np.random.default_rng(1)
    number = 1_500
    sold = ITEMS["id"].to_numpy()[random.integers(0, 8, number)]
    events = pl.DataFrame(
        {
            "event_type": np.where(np.arange(number) % 50 == 49, "refund", "purchase"),
            "timestamp": [(START + timedelta(hours=hour)).isoformat() for hour in range(number)],
            "user_id": [f"u{user}" for user in random.integers(0, 40, number)],
            "item_id": sold,
        }
    )
    events.write_csv(folder / "events.csv")
    ITEMS.write_csv(folder / "items.csv")
    overrides = [
        "data.reader=csv",
        f"data.events={folder / 'events.csv'}",
        f"data.items={folder / 'items.csv'}",
        "split.window_days=7",
        "surfaces={home: {retrievers: [popularity], strangers: popular_among}, "
        "hot: {retrievers: [trending, new_arrivals, deals]}}",
    ]
    config = load_config(overrides=overrides, workspace=folder / "shop")
    prepare(config, now=START + timedelta(days=90))
    dataset = Dataset.open(folder / "shop" / "dataset")
    full = split_points(dataset, config.split)[2]
    ids = pl.read_parquet(dataset.folder / "items.parquet")["id"].to_list()
    return Interactions.before(dataset, full, config), config, ids


def test_each_retriever_gives_what_makes_sense(
    interactions: tuple[Interactions, Config, list[str]],
) -> None:
    fitted_on, config, ids = interactions
    found = fit_retrievers(fitted_on, config)
    nobody = UserContext(None, 0, None, np.empty(0, np.int32))  # type: ignore[arg-type]

    def shown(name: str) -> list[str]:
        return [ids[item] for item in found[name].for_user(nobody).best(20).tolist()]

    assert shown("deals") == ["reduced"], "not above the price, without one, or for nothing"
    assert shown("new_arrivals") == ["unread"], "in the catalogue, and nobody had it; one comes in 2030"
    assert set(shown("popular_among")) == set(ITEMS["id"]) - {"unread"}
    assert all(np.isfinite(one.for_user(nobody).scores).all() for one in found.values())
    stage = stages(fitted_on, config)
    assert stage is not None
    assert dict(zip(ids, stage, strict=True))["unread"] == "introduction"
