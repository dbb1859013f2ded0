"""The ranker's ablation on synthetic lists in which one feature decides, and the page's table of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.ablation import UserCandidates, capped_recall
from benchmarks.ablation_table import ablation_lines
from configs.load import load_config
from configs.schema import Config
from training.ranker.lists import RankedList

FEATURES = ("price_distance", "encoder_score", "encoder_rank", "popularity")
DECISIVE = FEATURES.index("encoder_score")


@pytest.fixture
def config() -> Config:
    return load_config(
        overrides=[
            "ranker.learning_rate=0.05",
            "ranker.hidden_dim=0",
            "evaluation.headline_k=2",
            "evaluation.cutoffs=[2]",
        ]
    )


def one_list(seed: int) -> RankedList:
    features = np.random.default_rng(seed).normal(size=(20, len(FEATURES))).astype(np.float32)
    relevant = np.zeros(20, bool)
    relevant[np.argsort(-features[:, DECISIVE])[:2]] = True
    return RankedList(features, relevant, np.zeros(20, np.float32))


def user(seed: int) -> UserCandidates:
    """Twenty candidates, ten of them in the history; the first relevant one comes from the encoder alone."""
    one = one_list(seed)
    from_encoder = one.relevant & (np.cumsum(one.relevant) == 1)
    return UserCandidates(
        features=one.features,
        in_history=np.arange(20) < 10,
        is_relevant=one.relevant,
        num_relevant={"all": 2, "repeat": int(one.relevant[:10].sum()), "new": int(one.relevant[10:].sum())},
        retrieved_by={"encoder": from_encoder, "popularity": ~from_encoder},
    )


def test_recall_falls_without_the_decisive_columns_and_without_a_retriever_of_relevant_items(
    config: Config,
) -> None:
    lists = [one_list(seed) for seed in range(100)], [one_list(seed) for seed in range(100, 110)]
    users = [user(seed) for seed in range(200, 240)]

    def recall(*left_out: str, retriever: str | None = None) -> dict[str, NDArray[np.float64]]:
        return capped_recall(
            lists, users, config, is_left_out=np.isin(FEATURES, left_out), retriever=retriever
        )

    complete, without_noise = recall(), recall("price_distance")
    without_decisive = recall("encoder_score", "encoder_rank")
    without_encoder = recall(retriever="encoder")
    assert complete["all"].mean() > 0.7
    assert without_noise["all"].mean() > 0.7
    assert without_decisive["all"].mean() < 0.4
    assert without_encoder["all"].mean() == pytest.approx(complete["all"].mean() - 0.4, abs=0.15)
    assert np.isnan(complete["new"]).tolist() == [one.num_relevant["new"] == 0 for one in users]


def test_the_table_has_a_row_for_each_omission() -> None:
    figures = {part: [-0.01, -0.02, 0.003] for part in ("all", "repeat", "new")}
    rows = [{"without": "nothing", **figures}, {"without": "retriever: user_knn", **figures}]
    lines = ablation_lines(
        {"model": "sasrec", "commit": "0123456789ab", "uncommitted_changes": False, "ablation": rows}
    )
    assert lines[-1] == "| retriever: user_knn | " + " | ".join(["-0.0100 (-0.0200 to +0.0030)"] * 3) + " |"
    assert "commit 0123456789." in lines[0]
