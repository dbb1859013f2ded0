"""What the ranker is trained on is what it is served: the live store's history gives the same numbers as the
dataset's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from features.dataset import Dataset
from serving.recommend.feature_groups.user import User
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from serving.state.event_transfer import import_events
from serving.state.store import EventStore


def test_candidates_and_their_features_are_the_same_live_and_in_training(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, prepared_shop: Path, tmp_path: Path
) -> None:
    import_events(prepared_shop / "tables", tmp_path / "events.db")
    people = pl.read_parquet(shop_dataset.folder / "users.parquet")["user_id"].to_list()
    columns = tiny_pipeline.columns.names
    varied = np.zeros(len(columns), bool)
    with EventStore.open(tmp_path / "events.db") as store:
        for user, who in enumerate(people[:40]):
            as_of = tiny_pipeline.bundle.as_of
            page = np.array([user % 5], np.int32)
            live = Query(
                store.history(who, tiny_pipeline.bundle.item_index, limit=5_000), as_of, page_items=page
            )
            trained = Query(shop_dataset.history(user), as_of, page_items=page)
            found, expected = tiny_pipeline.candidates(live)[0], tiny_pipeline.candidates(trained)[0]
            np.testing.assert_array_equal(found.items, expected.items)
            for name in columns:
                np.testing.assert_allclose(
                    found.feature(name), expected.feature(name), rtol=1e-5, atol=1e-6, err_msg=name
                )
            assert np.isfinite(found.features).all()
            varied |= found.features.std(axis=0) > 0
    of_candidates = [name for name in columns if name not in User.columns and name != "has_page"]
    same = {name for name in of_candidates if not varied[columns.index(name)]}
    assert same <= {"deal_quarter", "deal_window"}  # this shop never changes a price
