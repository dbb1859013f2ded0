"""Somebody who is in the table of the user k-NN is no neighbour of their own, in training as in serving."""

from __future__ import annotations

from pathlib import Path

from hand_made_bundle import AS_OF, ITEM_IDS, write_bundle
from random_shop import DAY, Row, fitted_pipeline

from configs.schema import Config
from features.dataset import Dataset
from features.splits import split_points
from serving.http.schemas import RecommendRequest
from serving.http.service import Service
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.state.event_log import Event
from serving.state.store import EventStore
from training.queries import query_at


def test_what_was_brought_back_does_not_return_as_bought_by_similar_people(tmp_path: Path) -> None:
    """u0 had item 0 and item 3, and brings item 3 back after the export. Nobody else had either."""
    rows: list[list[Row]] = [
        [(AS_OF - DAY, "purchase", 0), (AS_OF - DAY + 1, "purchase", 3)],
        [(AS_OF - DAY, "purchase", 7)],
    ]
    pipeline = fitted_pipeline(Bundle.open(write_bundle(tmp_path / "bundle")), rows)
    with EventStore.open(tmp_path / "events.db") as store:
        done = [("u0", *row) for row in rows[0]] + [("u0", AS_OF + 1, "refund", 3), ("eve", *rows[0][0])]
        events = [
            Event(f"e{number}", 0, kind, at, user_id=user, item_id=ITEM_IDS[item])
            for number, (user, at, kind, item) in enumerate(done)
        ]
        store.append_now(events, received_at=AS_OF)
        service = Service(pipeline, store, max_events_kept=100, clock=lambda: AS_OF + 2)

        def similar(user: str) -> list[str]:
            answer = service.recommend(RecommendRequest(user_id=user, surface="shelf"))
            return [item.item_id for item in answer.items if item.source == "user_knn"]

        assert similar("eve") == [ITEM_IDS[3]], "u0 is somebody else to eve"
        assert similar("u0") == []


def test_the_ranker_is_fitted_on_what_the_others_had(
    tiny_pipeline: Pipeline, shop_dataset: Dataset, shop_config: Config
) -> None:
    """A request of the evaluation says whose it is, by the key that the server has."""
    full = split_points(shop_dataset, shop_config.split)[2]
    query = query_at(shop_dataset, full, 3)
    assert query.user is not None
    assert query.user.startswith("c")
    table = tiny_pipeline.bundle.retrievers["user_knn"]
    context = tiny_pipeline.know(query).context
    own = context.profile.own
    others = table.scored(own.codes, own.num_events, user=query.user)  # type: ignore[attr-defined]
    found = tiny_pipeline.know(query).retrieved["user_knn"]
    everybody = table.scored(own.codes, own.num_events)  # type: ignore[attr-defined]
    assert found.items.tolist() == others.items.tolist()
    assert found.scores.tolist() == others.scores.tolist()
    assert found.scores.sum() > everybody.scores.sum(), "their own row takes no share of the weights"
