"""The test of a published protocol against a plain, slow implementation that reads the raw file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.published_protocol import CUTOFFS, PublishedTest, UserMetrics
from configs.load import load_config
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.prepare import prepare
from features.splits import split_points
from training.encoder.build_model import build_model
from training.encoder.validation import ValidationBatch
from training.evaluation.ranking_metrics import user_metrics

BEAUTY = Path(__file__).parents[3] / "configs" / "benchmarks" / "beauty.yaml"
MAX_LENGTH = 4
COLD = "99"


@pytest.fixture(scope="module")
def tiny(session_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Dataset]:
    small = [
        "prepare.min_item_events=10",
        "encoder.dim=8",
        "encoder.num_layers=1",
        f"history.max_length={MAX_LENGTH}",
    ]
    config = load_config(
        BEAUTY,
        overrides=[f"data.events={session_file}", "evaluation.bootstrap_samples=10", *small],
        workspace=tmp_path_factory.mktemp("w"),
    )
    prepare(config, now=datetime(2026, 1, 1, tzinfo=UTC))
    return config, Dataset.open(config.workspace / "dataset")


@pytest.fixture(scope="module")
def test_of(tiny: tuple[Config, Dataset]) -> PublishedTest:
    config, dataset = tiny
    return PublishedTest(dataset, split_points(dataset, config.split), config=config)


@pytest.fixture(scope="module")
def histories(tiny: tuple[Config, Dataset], session_file: Path) -> dict[int, NDArray[np.int32]]:
    """User index → all items, oldest first, from the raw file; users with three items or more."""
    folder = tiny[1].folder
    user_ids = {user: row for row, user in enumerate(pl.read_parquet(folder / "users.parquet")["user_id"])}
    item_ids = {item: row for row, item in enumerate(pl.read_parquet(folder / "items.parquet")["id"])}
    raw = [line.split() for line in session_file.read_text().splitlines()]
    return {
        user_ids[user]: np.array([item_ids[item] for item in items], np.int32)
        for user, *items in raw
        if len(items) > 2
    }


def plain(
    histories: dict[int, NDArray[np.int32]], scores_of: Callable[[int], NDArray[np.float64]]
) -> dict[int, tuple[dict[str, float], float]]:
    """User → (metrics, MRR), from a sorted list; among equal scores the target comes last."""
    found = {}
    for user, items in histories.items():
        scores, target = scores_of(user).copy(), items[-1]
        scores[items[:-1]] = -np.inf
        ranked = [item for item in range(len(scores)) if scores[item] > -np.inf]
        ranked.sort(key=lambda item: (-scores[item], item == target))
        values = user_metrics(np.array(ranked, np.int32), np.array([target]), cutoffs=CUTOFFS)
        found[user] = (values, 1 / (ranked.index(target) + 1) if target in ranked else 0.0)
    return found


def require_same(found: UserMetrics, expected: dict[int, tuple[dict[str, float], float]]) -> None:
    assert sorted(found.users.tolist()) == sorted(expected)
    for place, user in enumerate(found.users.tolist()):
        metrics, mrr = expected[user]
        assert found.metrics["mrr"][place] == pytest.approx(mrr)
        for name, values in found.metrics.items():
            assert name == "mrr" or values[place] == pytest.approx(metrics[name]), (user, name)


def test_every_user_with_three_events_is_tested_with_the_validation_item_in_the_history(
    test_of: PublishedTest, histories: dict[int, NDArray[np.int32]]
) -> None:
    found = {}
    for batch in test_of.batches:
        for row, user in enumerate(batch.users_B):
            read = batch.items_BL[row, : batch.lengths_B[row]].tolist()
            out = set(batch.excluded_item_X[batch.excluded_row_X == row].tolist())
            found[user] = (read, out, batch.target_item_P[batch.target_row_P == row].tolist())
    wanted = {
        user: (items[:-1][-MAX_LENGTH:].tolist(), set(items[:-1].tolist()), [items[-1]])
        for user, items in histories.items()
    }
    assert found == wanted
    assert test_of.num_cold_targets == 1


def test_ties_cold_targets_and_seen_items_count_as_in_the_plain_ranking(
    test_of: PublishedTest, histories: dict[int, NDArray[np.int32]]
) -> None:
    num_items, known = test_of.dataset.num_items, test_of.known_N.numpy()

    def few(user: int) -> NDArray[np.float64]:
        """Four different scores, so that most items have the same score as others."""
        return ((np.arange(num_items) * 7 + user * 3) % 4).astype(np.float64)

    def of_batch(batch: ValidationBatch) -> torch.Tensor:
        return torch.from_numpy(np.stack([few(user) for user in batch.users_B]))

    evaluated = test_of._evaluate(
        "ties", of_batch, can_be_shown_N=test_of.known_N, device=torch.device("cpu")
    )
    require_same(evaluated, plain(histories, lambda user: np.where(known, few(user), -np.inf)))


def test_the_encoder_is_evaluated_as_one_user_after_the_other_would_be(
    tiny: tuple[Config, Dataset], test_of: PublishedTest, histories: dict[int, NDArray[np.int32]]
) -> None:
    config, dataset = tiny
    torch.manual_seed(0)
    encoder = build_model(dataset, config).eval()
    known = test_of.known_N.numpy()

    @torch.no_grad()
    def alone(user: int) -> NDArray[np.float64]:
        vectors_ND = encoder.item_vectors(torch.arange(dataset.num_items)) * test_of.known_N[:, None]
        items = torch.from_numpy(histories[user][:-1][-MAX_LENGTH:].astype(np.int64))[None]
        event_types, ages = torch.full_like(items, EVENT_TYPE_CODE["purchase"]), torch.zeros(items.shape)
        query_D = encoder.query_vectors(vectors_ND[items], event_types, ages, torch.tensor([items.shape[1]]))[
            0
        ]
        return np.where(known, (vectors_ND @ query_D).double().numpy(), -np.inf)

    evaluated = test_of.evaluate_encoder(encoder, device=torch.device("cpu"))
    require_same(evaluated, plain(histories, alone))
    cold_user = next(user for user, items in histories.items() if not known[items[-1]])
    assert evaluated.metrics["recall_20"][evaluated.users.tolist().index(cold_user)] == 0


def test_the_baselines_are_fitted_on_the_events_before_the_validation_item(
    test_of: PublishedTest, histories: dict[int, NDArray[np.int32]], tiny: tuple[Config, Dataset]
) -> None:
    evaluated = test_of.evaluate_baselines()
    everyone = [tiny[1].history(user).items for user in range(tiny[1].num_users)]
    past = np.concatenate([items[:-2] if len(items) > 2 else items for items in everyone])
    counts = np.bincount(past, minlength=tiny[1].num_items).astype(np.float64)
    require_same(evaluated["popularity"], plain(histories, lambda user: counts))
    assert all((values == 0).all() for values in evaluated["repurchase"].metrics.values()), (
        "the purchase history is removed from the lists"
    )
    assert (
        evaluated["next_basket"].metrics["ndcg_10"].mean() > evaluated["popularity"].metrics["ndcg_10"].mean()
    )
    assert evaluated["co_occurrence"].summary(tiny[0])["recall_20"][0] == pytest.approx(
        evaluated["co_occurrence"].metrics["recall_20"].mean()
    )


def test_with_seen_items_allowed_repurchase_ranks_by_count(
    tiny: tuple[Config, Dataset], histories: dict[int, NDArray[np.int32]]
) -> None:
    config = tiny[0].model_copy(
        update={"evaluation": tiny[0].evaluation.model_copy(update={"exclude_seen": False})}
    )
    evaluated = PublishedTest(
        tiny[1], split_points(tiny[1], config.split), config=config
    ).evaluate_baselines()["repurchase"]
    hits = dict(zip(evaluated.users.tolist(), evaluated.metrics["recall_20"].tolist(), strict=True))
    assert hits == {user: float(items[-1] in items[:-1]) for user, items in histories.items()}
    assert sum(hits.values()) >= 1
