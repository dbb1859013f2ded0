"""Each loss against the sum that its docstring names, written out in Python loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.losses import full_softmax, gbce, sampled_softmax
from models.ranker import RankerNetwork

NUM_ITEMS = 9
DIM = 4

sizes = st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(0, 10_000))
"""(queries, pairs, seed)"""


def example(
    num_queries: int, num_pairs: int, seed: int, *, scale: float = 1.0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(queries (S, D), the query of each pair (P,), its target (P,), item vectors (N, D))"""
    generator = torch.Generator().manual_seed(seed)
    return (
        scale * torch.randn(num_queries, DIM, generator=generator),
        torch.randint(num_queries, (num_pairs,), generator=generator),
        torch.randint(NUM_ITEMS, (num_pairs,), generator=generator),
        torch.randn(NUM_ITEMS, DIM, generator=generator),
    )


def dot(left: Tensor, right: Tensor) -> float:
    return float(sum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True)))


def slow_full(query: Tensor, pair_query: Tensor, targets: Tensor, items: Tensor) -> float:
    losses: list[float] = []
    for owner, target in zip(pair_query.tolist(), targets.tolist(), strict=True):
        logits = [dot(query[owner], item) for item in items]
        losses.append(math.log(sum(math.exp(logit) for logit in logits)) - logits[target])
    return sum(losses) / len(losses)


def slow_sampled(
    query: Tensor, pair_query: Tensor, targets: Tensor, items: Tensor, negatives: Tensor, log_expected: Tensor
) -> float:
    losses: list[float] = []
    for owner, target in zip(pair_query.tolist(), targets.tolist(), strict=True):
        positive = dot(query[owner], items[target])
        total = math.exp(positive)
        for negative, correction in zip(negatives.tolist(), log_expected.tolist(), strict=True):
            if negative != target:
                total += math.exp(dot(query[owner], items[negative]) - correction)
        losses.append(math.log(total) - positive)
    return sum(losses) / len(losses)


def call_sampled(
    query: Tensor, pair_query: Tensor, targets: Tensor, items: Tensor, negatives: Tensor, log_expected: Tensor
) -> Tensor:
    return sampled_softmax(
        query, pair_query, targets, items[targets], negatives, items[negatives], log_expected
    )


@given(sizes)
@settings(max_examples=40, deadline=None)
def test_full_softmax_is_the_mean_cross_entropy_of_the_pairs(size: tuple[int, int, int]) -> None:
    given_ = example(*size)
    assert float(full_softmax(*given_)) == pytest.approx(slow_full(*given_), rel=1e-4, abs=1e-5)


@given(sizes, st.sets(st.integers(0, NUM_ITEMS - 1), min_size=1), st.floats(-3, 3))
@settings(max_examples=60, deadline=None)
def test_sampled_softmax_is_the_corrected_sum_without_the_pairs_own_target(
    size: tuple[int, int, int], drawn: set[int], correction: float
) -> None:
    query, pair_query, targets, items = example(*size)
    negatives = torch.tensor(sorted(drawn))
    log_expected = correction * torch.rand(len(drawn), generator=torch.Generator().manual_seed(size[2]))
    found = call_sampled(query, pair_query, targets, items, negatives, log_expected)
    expected = slow_sampled(query, pair_query, targets, items, negatives, log_expected)
    assert float(found) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@given(sizes)
@settings(max_examples=40, deadline=None)
def test_with_every_item_drawn_for_certain_sampled_softmax_is_full_softmax(
    size: tuple[int, int, int],
) -> None:
    query, pair_query, targets, items = example(*size)
    full = torch.arange(NUM_ITEMS)
    sampled = call_sampled(query, pair_query, targets, items, full, torch.zeros(NUM_ITEMS))
    assert float(sampled) == pytest.approx(
        float(full_softmax(query, pair_query, targets, items)), rel=1e-4, abs=1e-4
    )


@given(sizes, st.sets(st.integers(0, NUM_ITEMS - 1), min_size=1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_gbce_is_binary_cross_entropy_with_the_positive_raised_to_its_power(
    size: tuple[int, int, int], drawn: set[int], calibration: float
) -> None:
    query, pair_query, targets, items = example(*size)
    negatives = torch.tensor(sorted(drawn))
    share = min(len(drawn) / (NUM_ITEMS - 1), 1.0)
    power = share * (calibration * (1 - 1 / share) + 1 / share)
    losses: list[float] = []
    for owner, target in zip(pair_query.tolist(), targets.tolist(), strict=True):
        total = -power * math.log(1 / (1 + math.exp(-dot(query[owner], items[target]))))
        others = [negative for negative in negatives.tolist() if negative != target]
        total -= sum(
            math.log(1 - 1 / (1 + math.exp(-dot(query[owner], items[negative])))) for negative in others
        )
        losses.append(total / (len(drawn) + 1))
    found = gbce(
        query,
        pair_query,
        targets,
        items[targets],
        negatives,
        items[negatives],
        num_items=NUM_ITEMS,
        calibration=calibration,
    )
    assert float(found) == pytest.approx(sum(losses) / len(losses), rel=1e-3, abs=1e-4)


def test_a_pair_of_twice_the_weight_counts_as_two_pairs() -> None:
    query, pair_query, targets, items = example(3, 4, seed=4)
    weights, twice = torch.tensor([1.0, 2.0, 1.0, 1.0]), torch.tensor([0, 1, 1, 2, 3])
    negatives, expected = torch.tensor([0, 3, 5]), torch.tensor([0.1, 0.2, 0.3])
    by_loss: dict[str, Callable[..., Tensor]] = {
        "full": lambda pairs, goals, **rest: full_softmax(query, pairs, goals, items, **rest),
        "sampled": lambda pairs, goals, **rest: sampled_softmax(
            query, pairs, goals, items[goals], negatives, items[negatives], expected, **rest
        ),
        "gbce": lambda pairs, goals, **rest: gbce(
            query,
            pairs,
            goals,
            items[goals],
            negatives,
            items[negatives],
            num_items=NUM_ITEMS,
            calibration=0.75,
            **rest,
        ),
    }
    for loss in by_loss.values():
        torch.testing.assert_close(
            loss(pair_query, targets, pair_weight_P=weights), loss(pair_query[twice], targets[twice])
        )


def test_a_negative_that_is_the_target_is_left_out_whatever_it_weighs() -> None:
    query, pair_query, _, items = example(2, 5, seed=1)
    targets = torch.full((5,), 4)
    with_target, without = torch.tensor([1, 4, 7]), torch.tensor([1, 7])
    for correction in (0.0, -2.0, 2.0):
        found = call_sampled(
            query, pair_query, targets, items, with_target, torch.tensor([0.1, correction, 0.3])
        )
        expected = call_sampled(query, pair_query, targets, items, without, torch.tensor([0.1, 0.3]))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_correction_makes_the_sampled_sum_an_estimate_of_the_whole_one() -> None:
    """E[sum over the drawn of e^(logit - log chance)] is the sum over the catalogue, so the loss comes near
    the full one."""
    query, pair_query, targets, items = example(3, 6, seed=2, scale=0.5)
    generator = torch.Generator().manual_seed(0)
    chances = torch.linspace(0.3, 0.9, NUM_ITEMS)
    losses = []
    for _ in range(400):
        drawn = torch.nonzero(torch.rand(NUM_ITEMS, generator=generator) < chances).squeeze(1)
        losses.append(
            float(call_sampled(query, pair_query, targets, items, drawn, chances[drawn].log()))
            if len(drawn)
            else 0.0
        )
    assert np.mean(losses) == pytest.approx(float(full_softmax(query, pair_query, targets, items)), rel=0.05)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_gradients_stay_finite_however_sure_the_model_is(scale: float) -> None:
    query, pair_query, targets, items = example(3, 6, seed=3, scale=scale)
    for negatives in (torch.arange(NUM_ITEMS), targets[:1], torch.tensor([0])):
        query_, items_ = query.clone().requires_grad_(), items.clone().requires_grad_()
        loss = call_sampled(query_, pair_query, targets, items_, negatives, torch.zeros(len(negatives)))
        loss = loss + full_softmax(query_, pair_query, targets, items_)
        binary = items_[targets], negatives, items_[negatives]
        loss = loss + gbce(query_, pair_query, targets, *binary, num_items=NUM_ITEMS, calibration=0.75)
        torch.autograd.backward(loss)
        assert torch.isfinite(loss)
        for gradient in (query_.grad, items_.grad):
            assert gradient is not None
            assert torch.isfinite(gradient).all()


NAMES = ("full_softmax", "sampled_softmax", "in_batch_softmax", "gbce")


def confident(scale: float, *, per_query: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Like `example`, of cosine vectors. With one target per query its score is `scale`, and each of the 60
    targets has a rival among them with a score 5 less, so that the losses are small but not nothing."""
    generator = torch.Generator().manual_seed(1)
    items = torch.randn(300, 16, generator=generator)
    cosine = max(1 - 5 / scale, 0.0)
    beside = items[30:60] - (items[30:60] * items[:30]).sum(1, keepdim=True) * items[:30] / (
        items[:30] ** 2
    ).sum(1, keepdim=True)
    normalize = torch.nn.functional.normalize
    items[30:60] = cosine * normalize(items[:30]) + (1 - cosine**2) ** 0.5 * normalize(beside)
    items = normalize(items)
    pair_query, targets = torch.arange(60) // per_query, torch.randperm(60, generator=generator)
    query = torch.zeros(60 // per_query, 16).index_add_(0, pair_query, items[targets])
    return scale * normalize(query), pair_query, targets, items


def loss_of(
    name: str, query: Tensor, pair_query: Tensor, targets: Tensor, items: Tensor, *, exactly: bool
) -> Tensor:
    """The loss that `training.loss` names, from `models.losses` or in float64 over a plain table."""
    negatives = torch.unique(targets) if name == "in_batch_softmax" else torch.arange(0, 300, 2)
    log_expected = torch.linspace(-6, -0.1, len(negatives))
    pairs = query, pair_query, targets
    sampled_ = items[targets], negatives, items[negatives]
    if not exactly and name == "full_softmax":
        return full_softmax(*pairs, items)
    if not exactly and name == "gbce":
        return gbce(*pairs, *sampled_, num_items=300, calibration=0.75)
    if not exactly:
        return sampled_softmax(*pairs, *sampled_, log_expected)
    scores = (query.double() @ items.double().T)[pair_query]
    positive = scores.gather(1, targets[:, None])
    if name == "full_softmax":
        return torch.nn.functional.cross_entropy(scores, targets)
    is_own = negatives == targets[:, None]
    if name == "gbce":
        share = len(negatives) / 299
        power = share * (0.75 * (1 - 1 / share) + 1 / share)
        others = torch.nn.functional.softplus(scores[:, negatives]).masked_fill(is_own, 0.0).sum(dim=1)
        own = power * torch.nn.functional.softplus(-positive.squeeze(1))
        return ((own + others) / (len(negatives) + 1)).mean()
    corrected = (scores[:, negatives] - log_expected.double()).masked_fill(is_own, -torch.inf)
    return (torch.logsumexp(torch.cat([positive, corrected], dim=1), dim=1) - positive.squeeze(1)).mean()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1.0, 14.0, 20.0, 100.0])
@pytest.mark.parametrize("per_query", [1, 3], ids=["one target", "a basket"])
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
        ),
    ],
)
def test_in_bf16_training_a_loss_is_the_exact_one(
    name: str, scale: float, per_query: int, device: str
) -> None:
    """The cosine models of the benchmarks start with a scale of 14, and the largest that is learnt is 100.
    Inputs are float32, as layer norms and tables give them, and no loss may round them. A loss near e^-5 is a
    difference of numbers near 100, which float32 knows to 1e-5."""
    query, pair_query, targets, items = (part.to(device) for part in confident(scale, per_query=per_query))
    found = []
    for exactly in (True, False):
        leaves = query.clone().requires_grad_(), items.clone().requires_grad_()
        with torch.autocast(device, dtype=torch.bfloat16), torch.device(device):
            loss = loss_of(name, leaves[0], pair_query, targets, leaves[1], exactly=exactly)
        found.append((loss, *torch.autograd.grad(loss, leaves)))
    (exact, *exact_gradients), (ours, *gradients) = found
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(exact.item(), rel=1e-3, abs=2e-5)
    for mine, theirs in zip(gradients, exact_gradients, strict=True):
        assert torch.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > 0.99
        assert float(mine.norm()) == pytest.approx(float(theirs.norm()), rel=0.02)


@pytest.mark.parametrize("hidden_dim", [0, 4])
def test_the_ranker_scores_lists_of_any_shape_and_standardises_its_features(hidden_dim: int) -> None:
    torch.manual_seed(0)
    network = RankerNetwork(num_features=3, hidden_dim=hidden_dim)
    torch.nn.init.normal_(network.linear.weight)
    features = torch.randn(50, 3) * torch.tensor([1.0, 100.0, 0.0]) + torch.tensor([0.0, 5.0, 2.0])
    network.fit_scale(features)
    scores = network(features)
    assert scores.shape == (50,)
    torch.testing.assert_close(network(features.view(5, 10, 3)), scores.view(5, 10))
    plain = RankerNetwork(num_features=3, hidden_dim=hidden_dim)
    plain.load_state_dict({**network.state_dict(), "mean": torch.zeros(3), "deviation": torch.ones(3)})
    by_hand = (features - features.mean(0)) / features.std(0).clamp(min=1e-6)
    torch.testing.assert_close(plain(by_hand), scores)


@pytest.mark.parametrize("hidden_dim", [0, 4])
def test_a_column_that_was_the_same_everywhere_says_nothing(hidden_dim: int) -> None:
    """A shop without categories has such columns, whose one value is another one in a later window."""
    torch.manual_seed(0)
    features = torch.randn(100_000, 3)
    features[:, 1] = 11.4
    network = RankerNetwork(num_features=3, hidden_dim=hidden_dim)
    network.fit_scale(features)
    torch.nn.init.normal_(network.linear.weight)
    later = features[:50].clone()
    later[:, 1] = 11.6
    torch.testing.assert_close(network(later), network(features[:50]))
    assert network(features[:50]).std() > 0
