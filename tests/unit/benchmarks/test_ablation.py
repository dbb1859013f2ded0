"""An ablation of lists made by hand, in which one feature says everything, and the page's table of it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ablation import Asked, measured
from benchmarks.quality_page import ablation_lines
from configs.load import load_config
from configs.schema import Config
from serving.recommend.feature_names import FEATURE_GROUPS, FEATURES
from training.ranker.lists import RankedList

TELLING = FEATURES.index("encoder_score")


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
    relevant[np.argsort(-features[:, TELLING])[:2]] = True
    return RankedList(features, relevant, np.zeros(20, np.float32))


def asked(seed: int) -> Asked:
    one = one_list(seed)
    from_encoder = one.relevant & (np.cumsum(one.relevant) == 1)
    return Asked(
        features=one.features,
        is_own=np.arange(20) < 10,
        is_relevant=one.relevant,
        num_relevant={"all": 2, "repeat": int(one.relevant[:10].sum()), "new": int(one.relevant[10:].sum())},
        proposed={"encoder": from_encoder, "popular": ~from_encoder},
    )


def test_what_tells_is_missed_and_what_does_not_is_not(config: Config) -> None:
    lists = [one_list(seed) for seed in range(100)], [one_list(seed) for seed in range(100, 110)]
    users = [asked(seed) for seed in range(200, 240)]
    whole = measured(lists, users, config, groups=(), source=None)
    without_noise = measured(lists, users, config, groups=("prices",), source=None)
    without_it = measured(lists, users, config, groups=("encoder",), source=None)
    without_source = measured(lists, users, config, groups=(), source="encoder")
    assert whole["all"].mean() > 0.7
    assert without_noise["all"].mean() > 0.7
    assert without_it["all"].mean() < 0.4
    assert without_source["all"].mean() == pytest.approx(whole["all"].mean() - 0.4, abs=0.15)
    assert np.isnan(whole["new"]).tolist() == [one.num_relevant["new"] == 0 for one in users]


def test_every_feature_stands_in_one_group() -> None:
    named = [name for names in FEATURE_GROUPS.values() for name in names]
    assert len(named) == len(set(named)) == len(FEATURES)


def test_the_table_has_a_line_for_each_thing_left_out() -> None:
    figures = {part: [-0.01, -0.02, 0.003] for part in ("all", "repeat", "new")}
    rows = [{"without": "nothing", **figures}, {"without": "source: people", **figures}]
    lines = ablation_lines(
        {"model": "sasrec", "commit": "0123456789ab", "uncommitted_changes": False, "ablation": rows}
    )
    assert lines[-1] == "| source: people | " + " | ".join(["-0.0100 (-0.0200 to +0.0030)"] * 3) + " |"
    assert "commit 0123456789." in lines[0]
