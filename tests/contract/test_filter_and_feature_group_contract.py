"""What every filter and every group of ranker columns must keep. Both are found by walking their packages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from added_file import AddFile

from configs.exceptions import ConfigError
from configs.load import load_config
from configs.settings.recommend import SurfaceConfig
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from features.histories import History
from serving.recommend import feature_groups as groups_package
from serving.recommend import filters as filters_package
from serving.recommend.check_settings import check_settings
from serving.recommend.feature_group import CandidateContext
from serving.recommend.feature_groups import feature_group_names, feature_groups
from serving.recommend.filter import FilterContext
from serving.recommend.filters import filter_names, filters_of
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

ALWAYS = {"unavailable", "excluded", "condition", "purchased", "viewed"}
PURCHASE, VIEW = EVENT_TYPE_CODE["purchase"], EVENT_TYPE_CODE["view_item"]
ALL_FILTERS = filters_of(SurfaceConfig(filters=filter_names()))


@pytest.mark.parametrize("name", feature_group_names())
def test_a_group_gives_its_columns_and_they_are_finite(
    name: str, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    (group,) = feature_groups((name,))
    assert group.name == name
    assert set(group.time_columns) <= set(group.columns)
    bundle, items = tiny_pipeline.bundle, np.arange(shop_dataset.num_items, dtype=np.int32)
    histories = [History.empty(), *(shop_dataset.history(user) for user in range(5))]
    for history in histories:
        known = tiny_pipeline.know(Query(history, bundle.as_of))
        context = CandidateContext(known.context.profile, bundle.item_profiles, bundle.as_of)
        found = group.compute(items, context)
        assert set(found) == set(group.columns)
        for column, values in found.items():
            assert np.broadcast_to(values, len(items)).shape == items.shape, column
            assert np.isfinite(values).all(), column
        again = group.compute(items, context)
        assert all(np.array_equal(again[column], values) for column, values in found.items())


def test_no_two_groups_or_retrievers_give_a_column_of_one_name(tiny_pipeline: Pipeline) -> None:
    names = tiny_pipeline.columns.names
    assert len(names) == len(set(names))
    assert set(feature_group_names()) <= set(tiny_pipeline.columns.groups)


@pytest.mark.parametrize("one", ALL_FILTERS, ids=lambda one: one.name)
def test_a_filter_takes_away_items_and_says_why(
    one: type, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    (found,) = [each for each in ALL_FILTERS if each is one]
    assert found.name in filter_names()
    assert found.reason
    bundle = tiny_pipeline.bundle
    page, excluded = np.array([1, 2], np.int32), np.array([3], np.int32)
    history = shop_dataset.history(0)
    query = Query(
        replace(history, event_types=np.where(np.arange(len(history)) % 2, PURCHASE, VIEW).astype(np.int8)),
        bundle.as_of,
        page_items=page,
        exclude=excluded,
        matches=np.arange(shop_dataset.num_items) != 5,
        exclude_purchased_days=10_000,
        exclude_viewed_days=10_000,
    )
    profile = replace(tiny_pipeline.know(query).context.profile, cart_items=np.array([4], np.int32))
    mask = np.zeros(shop_dataset.num_items, bool)
    groups = np.full(shop_dataset.num_items, -1, np.int32)
    groups[[1, 6]] = 0
    mask[found.removed(FilterContext(query, profile, bundle.recommendable, lambda: groups))] = True
    assert mask.any(), "something of this request is its business"
    nothing = Query(History.empty(), bundle.as_of)
    stranger = tiny_pipeline.know(nothing).context.profile
    nobody = np.zeros(shop_dataset.num_items, bool)
    nobody[found.removed(FilterContext(nothing, stranger, bundle.recommendable))] = True
    assert (nobody == ~bundle.recommendable).all() if found.name == "unavailable" else not nobody.any()


def test_a_surface_has_its_own_filters_and_those_that_always_hold() -> None:
    assert {one.name for one in filters_of(SurfaceConfig(filters=()))} == ALWAYS
    assert "cart" in {one.name for one in filters_of(SurfaceConfig())}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("surfaces={home: {filters: [magic]}}", r"surfaces\.home\.filters: there is no filter 'magic'.*cart"),
        ("ranker.feature_groups=[magic]", r"ranker\.feature_groups: there is no group 'magic'.*category"),
        ("surfaces={home: {retrievers: [magic]}}", r"there is no retriever 'magic'"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_those_that_do(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_settings(load_config(overrides=[override]))


def test_adding_a_feature_group_is_adding_one_file(
    added_file: AddFile, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    """The documentation's example becomes a column of the candidates."""
    name = added_file(groups_package, "class Loyalty", name="loyalty")
    bundle = tiny_pipeline.bundle
    settings = bundle.settings.model_copy(update={"feature_groups": None})
    pipeline = Pipeline(replace(bundle, settings=settings, ranker=None))
    assert pipeline.columns.groups[name] == ("item_share",)
    candidates, known = pipeline.candidates(Query(shop_dataset.history(0), bundle.as_of))
    own = known.context.profile.own
    shares = candidates.feature("item_share")
    assert (shares > 0).sum() == np.isin(candidates.items, own.codes).sum() > 0
    check_settings(load_config(overrides=["ranker.feature_groups=[loyalty]"]))


def test_adding_a_filter_is_adding_one_file(
    added_file: AddFile, tiny_pipeline: Pipeline, shop_dataset: Dataset
) -> None:
    """With the documentation's example a surface shows nothing that was bought before."""
    name = added_file(filters_package, "class Bought", name="bought")
    bundle = tiny_pipeline.bundle
    home = bundle.surfaces["home"].model_copy(update={"filters": (name,)})
    settings = bundle.settings.model_copy(update={"surfaces": {**bundle.surfaces, "home": home}})
    query = Query(shop_dataset.history(0), bundle.as_of)
    bought = tiny_pipeline.know(query).context.profile.own.codes
    shown = [place.item for place in tiny_pipeline.recommend(query).recommendations]
    assert np.isin(shown, bought).any()
    without = Pipeline(replace(bundle, settings=settings)).recommend(query).recommendations
    assert without
    assert not np.isin([place.item for place in without], bought).any()
