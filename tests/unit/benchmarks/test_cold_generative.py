"""Semantic ids, the constrained beam against exhaustive scoring, and what one more list is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.cold.decoder import Decoder, NextItems, beam_search, fit_decoder, next_item_loss
from benchmarks.cold.measure import Users
from benchmarks.cold.overlap import measure_overlap
from benchmarks.cold.semantic_ids import SemanticIds, Trie
from benchmarks.cold.split import ColdSplit
from models.encoder import UserTensors
from training.encoder.validation import ValidationBatch

NUM_ITEMS, WIDTH = 60, 8
WARM = np.arange(NUM_ITEMS) < 50


def vectors() -> NDArray[np.float32]:
    """Five groups of twelve; the items 3 and 4, and those from 52 on, cannot be told apart."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((5, WIDTH))[np.arange(NUM_ITEMS) % 5]
    found = (centres + 0.3 * generator.standard_normal((NUM_ITEMS, WIDTH))).astype(np.float32)
    found[4], found[52:] = found[3], found[52]
    return found


def semantic_ids(
    vectors_NX: NDArray[np.float32] | None = None, *, popularity: NDArray[np.float64] | None = None
) -> SemanticIds:
    popularity = np.arange(NUM_ITEMS, dtype=np.float64) if popularity is None else popularity
    found = vectors() if vectors_NX is None else vectors_NX
    return SemanticIds.of(found, fitted_on_N=WARM, popularity_N=popularity, seed=0, levels=2, num_codes=16)


def decoder_of(ids: SemanticIds) -> Decoder:
    """One whose every weight matters."""
    torch.manual_seed(1)
    decoder = Decoder(ids, seed=1).eval()
    for parameter in decoder.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape)
    return decoder


def test_every_item_has_an_id_of_its_own_the_same_with_the_same_seed() -> None:
    ids = semantic_ids()
    assert ids.codes_NL.shape == (NUM_ITEMS, 3)
    assert len(np.unique(ids.codes_NL, axis=0)) == NUM_ITEMS
    assert np.array_equal(semantic_ids().codes_NL, ids.codes_NL)
    same_code = ids.codes_NL[:, 0] == ids.codes_NL[:, 0][:, None]
    same_group = np.arange(NUM_ITEMS) % 5 == (np.arange(NUM_ITEMS) % 5)[:, None]
    assert same_code[same_group].mean() > 5 * same_code[~same_group].mean(), "alike begin alike"


def test_of_items_that_collide_the_popular_one_is_first() -> None:
    ids = semantic_ids()
    assert ids.codes_NL[3, :2].tolist() == ids.codes_NL[4, :2].tolist()
    assert ids.codes_NL[[4, 3], 2].tolist() == sorted(ids.codes_NL[[4, 3], 2])
    assert ids.codes_NL[4, 2] < ids.codes_NL[3, 2], "item 4 is the more popular"


def test_an_item_without_events_has_an_id_and_changes_no_code_of_others() -> None:
    moved = vectors()
    moved[~WARM] = moved[0]
    ids, other = semantic_ids(), semantic_ids(moved)
    assert np.array_equal(ids.codes_NL[WARM, :2], other.codes_NL[WARM, :2]), "codes are of warm items alone"
    assert other.codes_NL[55, :2].tolist() == other.codes_NL[0, :2].tolist(), "it begins as what it is like"


def test_there_may_be_fewer_items_than_codes() -> None:
    few = np.eye(3, 4, dtype=np.float32)[[0, 1, 2, 2]]
    ids = SemanticIds.of(few, fitted_on_N=np.ones(4, bool), popularity_N=np.ones(4), seed=0)
    assert len(np.unique(ids.codes_NL, axis=0)) == 4


def log_probability(
    decoder: Decoder, ids: SemanticIds, query_X: Tensor, item: int, shown: list[int]
) -> float:
    """Code by code, among the codes that an item that is shown has after the same prefix."""
    total, own = 0.0, ids.codes_NL[item].tolist()
    for depth in range(len(own)):
        prefix = [torch.tensor([[code]]) for code in own[:depth]]
        logits = decoder.logits(query_X[None], prefix, depth=depth)[0, 0]
        same = [one for one in shown if ids.codes_NL[one, :depth].tolist() == own[:depth]]
        rivals = sorted({int(ids.codes_NL[one, depth]) for one in same})
        total += float(logits[own[depth]] - torch.logsumexp(logits[rivals], dim=0))
    return total


@torch.no_grad()
def test_a_wide_beam_finds_what_scoring_every_item_finds() -> None:
    ids = semantic_ids()
    decoder, shown_N = decoder_of(ids), np.arange(NUM_ITEMS) % 7 != 0
    shown = np.flatnonzero(shown_N).tolist()
    trie = Trie.of(ids.codes_NL, shown_N=shown_N)
    query_BX = torch.randn(4, WIDTH)
    allowed_BN = torch.rand(4, NUM_ITEMS) < 0.6
    items_BW, scores_BW = beam_search(decoder, trie, query_BX, allowed_BN, width=NUM_ITEMS)
    for row in range(4):
        plain = {
            item: log_probability(decoder, ids, query_BX[row], item, shown=shown)
            for item in shown
            if allowed_BN[row, item]
        }
        is_there = scores_BW[row] > -torch.inf
        assert items_BW[row, is_there].tolist() == sorted(plain, key=lambda item: -plain[item])
        assert scores_BW[row, is_there].tolist() == pytest.approx(
            sorted(plain.values(), reverse=True), abs=1e-4
        )
        every = [log_probability(decoder, ids, query_BX[row], item, shown=shown) for item in shown]
        assert sum(np.exp(every)) == pytest.approx(1, abs=1e-4)


def test_a_narrow_beam_writes_nothing_that_may_not_be_shown_and_loses_no_place_on_it() -> None:
    ids = semantic_ids()
    trie = Trie.of(ids.codes_NL, shown_N=WARM)
    allowed_BN = torch.zeros(3, NUM_ITEMS, dtype=torch.bool)
    allowed_BN[0, [7, 31]] = True
    allowed_BN[1, 45:] = True
    items_BW, scores_BW = beam_search(decoder_of(ids), trie, torch.randn(3, WIDTH), allowed_BN, width=5)
    found = [set(row[score > -torch.inf].tolist()) for row, score in zip(items_BW, scores_BW, strict=True)]
    assert found == [{7, 31}, set(range(45, 50)), set()]


def test_training_lowers_the_loss_and_is_the_same_with_the_same_seed() -> None:
    ids = semantic_ids()
    warm = Trie.of(ids.codes_NL, shown_N=WARM)
    torch.manual_seed(2)
    query_SX = torch.randn(400, WIDTH)
    item_P = (query_SX @ torch.from_numpy(vectors()[WARM]).T).argmax(dim=1)
    taught = NextItems(query_SX, torch.arange(400), item_P)
    codes = torch.from_numpy(ids.codes_NL)
    decoder, again = Decoder(ids, seed=0), Decoder(ids, seed=0)
    losses = fit_decoder(decoder, taught, codes, warm, seed=0)
    assert min(losses) < 0.8 * losses[0]
    assert fit_decoder(again, taught, codes, warm, seed=0) == losses
    with torch.no_grad():
        assert all(
            torch.equal(one, other)
            for one, other in zip(decoder.parameters(), again.parameters(), strict=True)
        )


def test_no_cold_item_is_a_wrong_answer_in_training() -> None:
    """The loss and its gradient do not know the codes that only cold items have."""
    ids = semantic_ids()
    only_cold = [
        (depth, code)
        for depth in range(3)
        for code in set(ids.codes_NL[~WARM, depth]) - set(ids.codes_NL[WARM, depth])
    ]
    assert only_cold, "of eight equal ones the last have a last code that no warm item has"
    decoder = decoder_of(ids)
    taught = NextItems(torch.randn(50, WIDTH), torch.arange(50), torch.arange(50))
    warm = Trie.of(ids.codes_NL, shown_N=WARM)
    loss = next_item_loss(decoder, taught, torch.arange(50), torch.from_numpy(ids.codes_NL), warm)
    loss.backward()  # type: ignore[no-untyped-call]
    for depth, code in only_cold:
        bias = decoder.biases[depth].grad
        assert bias is not None
        assert bias[code] == 0


def test_hits_of_one_more_list_are_counted_against_longer_lists_of_the_others() -> None:
    num_items = 2000
    targets = torch.tensor([5, 25, 500, 1999, 7])
    batch = ValidationBatch(
        items_BL=torch.zeros(1, 1, dtype=torch.int64),
        event_types_BL=torch.zeros(1, 1, dtype=torch.int64),
        ages_BL=torch.zeros(1, 1),
        lengths_B=torch.ones(1, dtype=torch.int64),
        user=UserTensors(torch.zeros(1, 1, 0), torch.zeros(1, 1, 0, dtype=torch.int64)),
        users_B=(0,),
        target_row_P=torch.zeros(5, dtype=torch.int64),
        target_item_P=targets,
        excluded_row_X=torch.tensor([0]),
        excluded_item_X=torch.tensor([7]),
    )
    cold_N = np.arange(num_items) == 1999
    split = ColdSplit(timeline=None, end=None, cold_N=cold_N, warm_N=~cold_N)  # type: ignore[arg-type]
    rank = torch.arange(num_items, dtype=torch.float32)

    def first_items(batch: ValidationBatch) -> Tensor:
        return -rank[None]

    def no_list(batch: ValidationBatch) -> Tensor:
        return torch.full((1, num_items), -torch.inf)

    def last_items(batch: ValidationBatch) -> Tensor:
        return rank[None]

    found = measure_overlap(last_items, (first_items, no_list), Users([batch]), split)
    warm, cold = (
        {name: values.tolist() for name, values in found[kind].items()} for kind in ("warm_20", "cold_20")
    )
    assert warm == {"targets": [3], "found": [0], "alone": [0], "others": [1], "with": [1], "longer": [2]}
    assert cold == {"targets": [1], "found": [1], "alone": [1], "others": [0], "with": [1], "longer": [0]}
    assert found["warm_300"]["others"].tolist() == [2]
