"""Pairs and triples of items in one basket: the same as mlxtend's, exact p-values, and bounded."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from mlxtend.frequent_patterns import association_rules, fpgrowth
from scipy.stats import fisher_exact

from features.profiles import association_rules as rules
from features.profiles import itemsets
from features.profiles.association_rules import Pairs, associated_pairs, frequent_pairs
from features.profiles.itemsets import Triples, associated_triples, frequent_triples
from features.profiles.significance import discoveries, log_p_value
from features.profiles.transactions import Transactions

NUM_ITEMS = 15


def transactions(baskets: list[list[int]], *, users: list[int] | None = None, num_items: int) -> Transactions:
    """Baskets of users in turn, each of another one where nothing is said."""
    number = np.repeat(np.arange(len(baskets)), [len(basket) for basket in baskets])
    owner = np.arange(len(baskets)) if users is None else np.array(users)
    items = np.array(list(itertools.chain(*baskets)), np.int32)
    return Transactions.of(number, owner[number].astype(np.int32), items, num_items=num_items)


def drawn_baskets(num_baskets: int = 300) -> list[list[int]]:
    """Items 0 to 4 are often together; the others are not."""
    generator = np.random.default_rng(0)
    baskets = []
    for _ in range(num_baskets):
        popular = generator.random(NUM_ITEMS) < np.linspace(0.4, 0.05, NUM_ITEMS)
        if generator.random() < 0.3:
            popular[:5] |= generator.random(5) < 0.7
        baskets.append(np.flatnonzero(popular).tolist() or [0])
    return baskets


@pytest.fixture(scope="module")
def drawn() -> Transactions:
    return transactions(drawn_baskets(), num_items=NUM_ITEMS)


@pytest.fixture(scope="module")
def of_mlxtend() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Its frequent itemsets of at least 6 of the 300 baskets, and the rules between single items."""
    table = np.zeros((300, NUM_ITEMS), bool)
    for row, basket in enumerate(drawn_baskets()):
        table[row, basket] = True
    frequent = fpgrowth(pd.DataFrame(table), min_support=6 / 300, max_len=3)
    return frequent, association_rules(frequent, metric="support", min_threshold=0)


def both_ways(pairs: Pairs) -> dict[tuple[int, int], tuple[float, float, float]]:
    """(if, then) → support, confidence, lift."""
    found = {}
    confidence = pairs.confidence
    for place in range(len(pairs)):
        left, right = int(pairs.left[place]), int(pairs.right[place])
        support, lift = pairs.support[place], pairs.lift[place]
        found[left, right] = (support, confidence[0][place], lift)
        found[right, left] = (support, confidence[1][place], lift)
    return found


def test_pairs_are_those_of_mlxtend(
    drawn: Transactions, of_mlxtend: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    table = of_mlxtend[1]
    single = table[(table.antecedents.map(len) == 1) & (table.consequents.map(len) == 1)]
    theirs = {
        (next(iter(row.antecedents)), next(iter(row.consequents))): (row.support, row.confidence, row.lift)
        for row in single.itertuples()
    }
    ours = both_ways(frequent_pairs(drawn, min_together=6))
    assert len(ours) > 100
    assert set(ours) == set(theirs)
    for pair, figures in ours.items():
        assert figures == pytest.approx(theirs[pair]), pair


def test_triples_are_those_of_mlxtend(
    drawn: Transactions, of_mlxtend: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    frequent, table = of_mlxtend
    theirs = {
        tuple(sorted(row.itemsets)): row.support for row in frequent.itertuples() if len(row.itemsets) == 3
    }
    found = frequent_triples(drawn, frequent_pairs(drawn, min_together=6), min_together=6)
    ours = dict(zip(map(tuple, found.items.tolist()), found.support.tolist(), strict=True))
    assert len(ours) > 30
    assert ours == pytest.approx(theirs)
    to_one = table[(table.antecedents.map(len) == 2) & (table.consequents.map(len) == 1)]
    confidence = {
        (tuple(sorted(row.antecedents | row.consequents)), next(iter(row.consequents))): row.confidence
        for row in to_one.itertuples()
    }
    for row, triple in enumerate(found.items.tolist()):
        for place, item in enumerate(triple):
            assert found.confidence[row, place] == pytest.approx(confidence[tuple(triple), item])


def test_the_p_value_is_fishers() -> None:
    for together, left, right, total in [(3, 5, 4, 40), (1, 2, 2, 5), (30, 200, 180, 1000), (0, 3, 3, 9)]:
        rest = total - left - right + together
        table = [[together, left - together], [right - together, rest]]
        expected = fisher_exact(table, alternative="greater").pvalue
        assert np.exp(log_p_value(together, left, right, total)) == pytest.approx(expected, rel=1e-9)


def test_a_floor_for_many_tests_leaves_less_than_one_for_each() -> None:
    """scipy's own adjustment over all of the tests, of which ours gets the smallest."""
    from scipy.stats import false_discovery_control

    generator = np.random.default_rng(1)
    p_values = np.concatenate([generator.random(900), generator.random(100) / 1000])
    expected = false_discovery_control(p_values) <= 0.05
    low = p_values <= 0.05
    found = discoveries(np.log(p_values[low]), num_tests=1000, false_discovery_rate=0.05)
    np.testing.assert_array_equal(found, expected[low])
    assert 0 < found.sum() < low.sum()


def test_chance_gives_no_rule_and_a_habit_of_one_user_neither() -> None:
    generator = np.random.default_rng(2)
    chance = [generator.choice(60, 5, replace=False).tolist() for _ in range(400)]
    assert len(frequent_pairs(transactions(chance, num_items=64), min_together=3)) > 100
    assert len(associated_pairs(transactions(chance, num_items=64))) <= 3
    with_habit = [*chance, *[[60, 61]] * 9, *[[62, 63]] * 9]
    users = [*range(400), *[400] * 9, *range(401, 410)]
    found = associated_pairs(transactions(with_habit, users=users, num_items=64))
    assert (62, 63) in set(zip(found.left.tolist(), found.right.tolist(), strict=True))
    assert 60 not in found.left


def test_a_third_item_must_bring_something_of_its_own() -> None:
    """0, 1 and 2 are one purchase. 5 stands with 3 and with 4, and those two are together by themselves."""
    generator = np.random.default_rng(3)
    others = [generator.choice(np.arange(6, 30), 3, replace=False).tolist() for _ in range(200)]
    baskets = [*others, *[[0, 1, 2]] * 8, *[[3, 4]] * 8, *[[3, 5]] * 8, *[[4, 5]] * 8]
    sets = transactions(baskets, num_items=30)
    found = associated_triples(sets, associated_pairs(sets))
    assert found.items.tolist() == [[0, 1, 2]]
    assert found.together.tolist() == [8]
    assert found.lift[0] == pytest.approx(8 / 232 / (8 / 232) ** 3)


def test_baskets_of_a_thousand_items_take_no_time_and_larger_ones_do_not_count() -> None:
    generator = np.random.default_rng(4)
    thousand = [generator.choice(3000, 1000, replace=False).tolist() for _ in range(36)]
    warm = transactions([[0, 1, 2]] * 4, num_items=3000)
    associated_triples(warm, associated_pairs(warm))  # compiles
    began = time.perf_counter()
    sets = transactions([*thousand, *[list(range(1001))] * 9], num_items=3000)
    assert len(sets) == 36
    pairs = associated_pairs(sets)
    assert time.perf_counter() - began < 20
    assert len(pairs) < 100, "what the large ones hold is no rule"


@pytest.mark.parametrize("baskets", [[], [[1, 2, 3]], [[1]]])
def test_an_empty_shop_and_one_basket_have_no_rules(baskets: list[list[int]]) -> None:
    sets = transactions(baskets, num_items=5)
    pairs = associated_pairs(sets)
    assert len(pairs) == len(associated_triples(sets, pairs)) == 0
    assert pairs.support.shape == pairs.lift.shape == (0,)


def test_more_pairs_than_fit_are_fewer_and_more_frequent(
    drawn: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_pair = frequent_pairs(drawn, min_together=3)
    monkeypatch.setattr(rules, "MAX_PAIRS", 20)
    monkeypatch.setattr(itemsets, "MAX_TRIPLES", 40)
    pairs = frequent_pairs(drawn, min_together=3)
    assert 0 < len(pairs) <= 20
    assert pairs.min_together > 3
    assert pairs.together.min() >= pairs.min_together
    triples: Triples = frequent_triples(drawn, every_pair, min_together=3)
    assert 0 < len(triples) <= 40
