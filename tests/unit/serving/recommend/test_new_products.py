"""A product that nobody has bought yet reaches the lists of those who buy such things, and changes nothing
for others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.dataset import Dataset
from features.profiles.item_statistics import ITEM_STATISTICS
from features.retrievers import retrievers_of
from features.retrievers.similar import Similar
from serving.recommend.bundle import Bundle
from serving.recommend.new_items import NewItems
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

NEW = "bread-new"
BREAD = {"id": NEW, "title": "Bread no. 11", "product_type": "Shop > Bread", "price": 2.0}


def with_new(bundle: Bundle, **fields: object) -> Bundle:
    row = pl.DataFrame([{**BREAD, **fields}], schema_overrides={"price": pl.Float64})
    return NewItems(bundle).added_to(bundle, row, now=bundle.as_of)


@pytest.fixture(scope="module")
def larger(tiny_pipeline: Pipeline) -> Pipeline:
    return Pipeline(with_new(tiny_pipeline.bundle))


def query_of(dataset: Dataset, user: int, bundle: Bundle, *, num_results: int = 20) -> Query:
    return Query(dataset.history(user), bundle.as_of + 1, user=f"u{user}", num_results=num_results)


def is_bread_buyer(dataset: Dataset, user: int, bundle: Bundle) -> bool:
    items = dataset.history(user).items[-6:].tolist()
    return any(bundle.item_ids[item].startswith("bread") for item in items)


def test_it_is_a_candidate_of_those_who_buy_such_things_and_of_no_others(
    tiny_pipeline: Pipeline, larger: Pipeline, shop_dataset: Dataset
) -> None:
    new = larger.bundle.item_index[NEW]
    proposed: dict[bool, list[bool]] = {True: [], False: []}
    for user in range(shop_dataset.num_users):
        retrieved = larger.rank(query_of(shop_dataset, user, larger.bundle)).retrievals["cold_start"]
        buys = is_bread_buyer(shop_dataset, user, tiny_pipeline.bundle)
        proposed[buys].append(new in retrieved.proposed)
    assert all(proposed[True])
    assert np.mean(proposed[False]) < 0.5, "only those who had such a thing earlier"


def test_it_stands_where_a_product_like_it_would_stand(larger: Pipeline, shop_dataset: Dataset) -> None:
    """The ranker alone would put what nobody has bought behind what everybody has."""
    new = larger.bundle.item_index[NEW]
    blind = Pipeline(replace(larger.bundle, expected_profiles=None))
    scores, places = [], []
    for user in range(shop_dataset.num_users):
        if is_bread_buyer(shop_dataset, user, larger.bundle):
            query = query_of(shop_dataset, user, larger.bundle)
            scores.append([one.score(query, np.array([new], np.int32))[0] for one in (larger, blind)])
            places.append(larger.rank(query).items.tolist().index(new))
    fair, unfair = np.array(scores).T
    assert fair.mean() > unfair.mean()
    assert (fair > unfair).mean() > 0.75, "of one in five the ranker, fitted on forty users, is not sure"
    assert np.median(places) <= 20, "behind the ten breads and their other aisle's ten, of 80 products"


def test_it_is_similar_to_what_they_had_and_the_list_says_so(larger: Pipeline, shop_dataset: Dataset) -> None:
    new = larger.bundle.item_index[NEW]
    user = next(user for user in range(99) if is_bread_buyer(shop_dataset, user, larger.bundle))
    found = larger.recommend(query_of(shop_dataset, user, larger.bundle, num_results=90)).recommendations
    (place,) = (one for one in found if one.item == new)
    assert place.reasons[0].code == "similar"
    other = place.reasons[0].item
    assert other is not None
    assert other in shop_dataset.history(user).items
    assert place.reasons[0].text == f"Similar to {larger.bundle.titles[other]}"


def test_what_is_expected_lies_among_what_its_neighbours_have(larger: Pipeline) -> None:
    bundle, new = larger.bundle, larger.bundle.item_index[NEW]
    breads = [item for name, item in bundle.item_index.items() if name.startswith("bread") and item != new]
    sold = bundle.item_profiles.popularity[breads]
    expected = bundle.ranked_profiles
    assert sold.min() < expected.popularity[new] < sold.max()
    buyers = ITEM_STATISTICS.index("buyers")
    assert 0 < expected.statistics[new, buyers] < expected.statistics[breads, buyers].max()
    assert bundle.item_profiles.popularity[new] == 0, "what it really sold decides on exploration"
    np.testing.assert_array_equal(
        expected.popularity[:new], bundle.item_profiles.popularity[:new], "of others nothing changes"
    )


def test_what_shares_no_word_with_anything_is_expected_to_sell_nothing(tiny_pipeline: Pipeline) -> None:
    bundle = with_new(tiny_pipeline.bundle, title="Zeppelin", product_type=None)
    assert bundle.ranked_profiles.popularity[-1] == 0


def test_lists_without_new_products_are_as_without_the_retriever(
    tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    bundle = tiny_pipeline.bundle
    home = bundle.surfaces["home"]
    names = tuple(name for name in retrievers_of(home) if name != "cold_start")
    surfaces = {**bundle.surfaces, "home": home.model_copy(update={"retrievers": names})}
    settings = bundle.settings.model_copy(update={"surfaces": surfaces})
    without = Pipeline(replace(bundle, settings=settings))
    for user in range(40):
        query = query_of(shop_dataset, user, bundle, num_results=60)
        assert tiny_pipeline.recommend(query) == without.recommend(query)


def test_what_was_known_of_an_item_is_replaced_when_it_is_put_with_another_text(
    tiny_pipeline: Pipeline,
) -> None:
    """`paper9` is in the catalogue, and nobody ever bought it."""
    bundle = with_new(tiny_pipeline.bundle, id="paper9", title="Cheese no. 9", product_type="Shop > Cheese")
    item, similar = bundle.item_index["paper9"], bundle.retrievers["similar"]
    assert isinstance(similar, Similar)
    names = np.array(bundle.item_ids)
    assert {name[:6] for name in names[similar.items[item][similar.items[item] >= 0]][:9]} == {"cheese"}
    rows = (similar.items == item).any(axis=1)
    assert {name[:6] for name in names[rows]} == {"cheese"}
