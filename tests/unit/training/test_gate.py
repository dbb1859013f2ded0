"""The gate decides from figures alone: no run, no file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from configs.settings.lifecycle import EvaluationConfig, GateConfig
from training.evaluation.bands import POPULARITY_BANDS
from training.evaluation.user_figures import UserFigures
from training.gate import Rival, decide

CONFIG = EvaluationConfig(bootstrap_samples=200)
GATE = GateConfig()
NUM_USERS = 40
FIRST = "the first champion"


def figures(*, first_user: int = 0, **systems: float) -> UserFigures:
    """The same figure of each system for every user."""
    users = np.arange(first_user, first_user + NUM_USERS, dtype=np.int32)
    parts = ("all", "repeat", "new")
    hits = np.zeros((NUM_USERS, len(POPULARITY_BANDS)), np.int64)
    return UserFigures(
        k=CONFIG.headline_k,
        users=dict.fromkeys(parts, users),
        values={name: dict.fromkeys(parts, np.full(NUM_USERS, figure)) for name, figure in systems.items()},
        history_lengths=np.arange(NUM_USERS, dtype=np.int64),
        relevant_UB=np.ones((NUM_USERS, len(POPULARITY_BANDS)), np.int64),
        hits_UB=dict.fromkeys(systems, hits),
    )


@pytest.mark.parametrize("pipeline", [0.1, 0.2])
def test_a_pipeline_that_is_no_better_than_its_best_retriever_loses(pipeline: float) -> None:
    decision = decide(
        figures(pipeline=pipeline, popularity=0.1, encoder=0.2),
        None,
        without_rival=FIRST,
        config=CONFIG,
        gate=GATE,
    )
    assert not decision.is_champion
    assert "best retriever alone encoder 0.2000" in decision.why
    assert "a retriever alone is as good, so the champion stays" in decision.why


def test_without_a_rival_the_retrievers_alone_decide() -> None:
    decision = decide(figures(pipeline=0.3, encoder=0.2), None, without_rival=FIRST, config=CONFIG, gate=GATE)
    assert decision.is_champion
    assert decision.why == (
        f"pipeline capped_recall_{CONFIG.headline_k} 0.3000, best retriever alone encoder 0.2000: {FIRST}"
    )


@pytest.mark.parametrize(
    ("champions", "wins", "margin"),
    [(0.25, True, "+0.0500"), (0.3, False, "+0.0000"), (0.4, False, "-0.1000")],
)
def test_only_a_better_run_replaces_the_champion(champions: float, wins: bool, margin: str) -> None:
    rival = Rival("before", figures(pipeline=champions, encoder=0.2))
    decision = decide(
        figures(pipeline=0.3, encoder=0.2), rival, without_rival=FIRST, config=CONFIG, gate=GATE
    )
    assert decision.is_champion is wins
    assert f"against the champion {margin}" in decision.why
    assert decision.why.endswith("the new champion" if wins else "the champion stays")


def noisy(*, gain: float, spread: float = 0.1) -> tuple[UserFigures, UserFigures]:
    """(a challenger, a champion) whose users differ by `gain` on average, some more and some less."""
    champion, challenger = figures(pipeline=0.3, encoder=0.1), figures(pipeline=0.3, encoder=0.1)
    steps = np.linspace(-spread, spread, NUM_USERS)
    values = {**challenger.values, "pipeline": dict.fromkeys(("all", "repeat", "new"), 0.3 + gain + steps)}
    return replace(challenger, values=values), champion


@pytest.mark.parametrize(
    ("gain", "is_same_settings", "passes", "said"),
    [
        (0.005, False, False, "no clear difference, so the champion stays"),
        (0.1, False, True, "the new champion"),
        (-0.1, False, False, "worse, so the champion stays"),
        (0.0, True, True, "the new champion, with the same settings on newer data"),
        (-0.005, True, True, "the new champion, with the same settings on newer data"),
        (0.1, True, True, "the new champion"),
        (-0.09, True, False, "clearly worse on newer data"),
    ],
)
def test_other_settings_must_win_and_newer_data_must_not_lose(
    gain: float, is_same_settings: bool, passes: bool, said: str
) -> None:
    challenger, champion = noisy(gain=gain)
    rival = Rival("before", champion, is_same_settings=is_same_settings)
    decision = decide(challenger, rival, without_rival=FIRST, config=CONFIG, gate=GATE)
    assert decision.is_champion is passes
    assert said in decision.why
    assert decision.over_champion is not None
    assert decision.over_champion.mean == pytest.approx(gain)


def test_the_confidence_of_the_interval_is_a_setting() -> None:
    challenger, champion = noisy(gain=0.015)
    decisions = [
        decide(
            challenger,
            Rival("before", champion),
            without_rival=FIRST,
            config=CONFIG,
            gate=GateConfig(confidence=confidence),
        )
        for confidence in (0.6, 0.99)
    ]
    assert [decision.is_champion for decision in decisions] == [True, False]


def test_figures_over_other_users_are_never_compared() -> None:
    rival = Rival("before", figures(first_user=1, pipeline=0.1, encoder=0.2))
    with pytest.raises(AssertionError, match="over different users"):
        decide(figures(pipeline=0.3, encoder=0.2), rival, without_rival=FIRST, config=CONFIG, gate=GATE)
