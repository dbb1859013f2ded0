"""What every retriever must keep. They are found by walking `features/retrievers`: adding one is adding a
file."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from added_file import AddFile
from scipy import sparse

from configs.exceptions import ConfigError
from configs.load import load_config
from configs.schema import Config
from features import retrievers
from features.dataset import Dataset
from features.histories import History
from features.interactions import Interactions
from features.retriever import Retrieval, Retriever, ScoredItems, UserContext, Wording, saved_fields
from features.retrievers import check_retrievers, fit_retrievers, retriever_class, retriever_names
from features.splits import SplitPoint, split_point_at, split_points
from serving.recommend.bundle import Bundle
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query
from training.evaluation.replay import lists_alone
from training.evaluation.systems import system_label

NAMES = retriever_names()


@pytest.fixture(scope="module")
def interactions(shop_dataset: Dataset, shop_config: Config, tiny_pipeline: Pipeline) -> Interactions:
    """The small shop's, with what training made."""
    full = split_points(shop_dataset, shop_config.split)[2]
    return interactions_at(shop_dataset, full, shop_config, tiny_pipeline)


def interactions_at(dataset: Dataset, point: SplitPoint, config: Config, pipeline: Pipeline) -> Interactions:
    return Interactions.before(dataset, point, config, trained=pipeline.bundle.retrievers)


@pytest.fixture(params=NAMES)
def fitted(request: pytest.FixtureRequest, interactions: Interactions, shop_config: Config) -> Retriever:
    return retriever_class(request.param).fit(interactions, shop_config)


@pytest.fixture
def users(tiny_pipeline: Pipeline, shop_dataset: Dataset) -> list[UserContext]:
    queries = [Query(shop_dataset.history(user), tiny_pipeline.bundle.as_of) for user in range(30)]
    return [tiny_pipeline.know(query).context for query in queries]


@pytest.fixture
def stranger(tiny_pipeline: Pipeline) -> UserContext:
    return tiny_pipeline.know(Query(History.empty(), tiny_pipeline.bundle.as_of)).context


def asked(retriever: Retriever, user: UserContext, *, page: list[int]) -> Retrieval:
    """What it finds for a user on a page."""
    items = np.array(page, np.int32)
    for_user, for_page = retriever.for_user(user), retriever.for_page(items)
    proposed = np.concatenate([for_page.best(20), for_user.best(20)])
    return Retrieval(user, for_user, items, for_page, proposed)


def state(retriever: Retriever) -> dict[str, Any]:
    """Its arrays, plain."""
    values = {field.name: getattr(retriever, field.name) for field in fields(retriever)}  # type: ignore[arg-type]
    return {
        name: value.toarray() if sparse.issparse(value) else np.asarray(value)
        for name, value in values.items()
        if sparse.issparse(value) or isinstance(value, np.ndarray)
    }


def assert_same_state(one: Retriever, other: Retriever) -> None:
    for name, value in state(one).items():
        np.testing.assert_array_equal(value, state(other)[name], err_msg=name)


def test_there_are_retrievers_each_named_after_its_module() -> None:
    assert set(NAMES) >= {"popularity", "repurchase", "co_occurrence", "next_basket", "user_knn", "encoder"}
    for name in NAMES:
        one = retriever_class(name)
        assert one.name == name
        assert one.label
        assert set(one.time_columns) <= set(one.columns)
        assert one.num_candidates > 0
    columns = [column for name in NAMES for column in retriever_class(name).columns]
    assert len(columns) == len(set(columns)), "no two retrievers give a column of one name"


def test_it_finds_known_items_with_finite_scores(
    fitted: Retriever, users: list[UserContext], shop_dataset: Dataset
) -> None:
    found_any = False
    for number, user in enumerate(users):
        retrieval = asked(fitted, user, page=[number])
        for found in (retrieval.for_user, retrieval.for_page):
            assert_valid(found, num_items=shop_dataset.num_items)
            found_any |= len(found.items) > 0
    assert found_any, "it gives something for somebody"


def assert_valid(found: ScoredItems, *, num_items: int) -> None:
    assert (np.diff(found.items) > 0).all(), "ascending and distinct"
    assert ((found.items >= 0) & (found.items < num_items)).all()
    assert np.isfinite(found.scores).all()
    best = found.best(10)
    assert len(best) == min(10, len(found.items))
    assert (np.diff(found.at(best)) <= 1e-6).all(), "best first"


def test_its_columns_are_those_it_names_and_finite(
    fitted: Retriever, users: list[UserContext], stranger: UserContext
) -> None:
    items = np.arange(40, dtype=np.int32)
    for user in [*users[:5], stranger]:
        features = fitted.features(items, asked(fitted, user, page=[3, 4]))
        assert set(features) == set(fitted.columns)
        for name, column in features.items():
            assert np.broadcast_to(column, len(items)).shape == (40,), name
            assert np.isfinite(column).all(), name
        none = fitted.features(items[:0], asked(fitted, user, page=[]))
        assert all(np.size(column) in (0, 1) for column in none.values())


def test_it_gives_a_reason_for_whatever_it_proposes(
    fitted: Retriever, users: list[UserContext], tiny_pipeline: Pipeline
) -> None:
    wording = Wording(titles=tiny_pipeline.bundle.titles, done="bought")
    for user in users:
        retrieval = asked(fitted, user, page=[5])
        proposed = np.unique(retrieval.proposed)
        reasons = fitted.reasons(proposed, retrieval, wording)
        assert set(reasons) == set(proposed.tolist())
        assert all(reason.text and reason.code for reason in reasons.values())


def test_saved_and_loaded_it_gives_the_same_numbers(
    fitted: Retriever, users: list[UserContext], shop_dataset: Dataset, tmp_path: Path
) -> None:
    """And it has the shapes that it names, where it is saved as arrays."""
    fitted.save(tmp_path / fitted.name)
    loaded = type(fitted).load(tmp_path / fitted.name)
    assert_same_state(loaded, fitted)
    loaded.require_shapes(tmp_path / fitted.name, num_items=shop_dataset.num_items)
    if type(fitted).save is Retriever.save:
        assert set(fitted.shapes) == {one.name for one in saved_fields(type(fitted))}
    items = np.arange(40, dtype=np.int32)
    for user in users[:5]:
        one, other = (asked(retriever, user, page=[7]) for retriever in (fitted, loaded))
        np.testing.assert_array_equal(one.proposed, other.proposed)
        for name, column in fitted.features(items, one).items():
            np.testing.assert_array_equal(column, loaded.features(items, other)[name], err_msg=name)


def test_fitting_is_deterministic(fitted: Retriever, interactions: Interactions, shop_config: Config) -> None:
    assert_same_state(type(fitted).fit(interactions, shop_config), fitted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_it_sees_nothing_at_or_after_the_split_point(
    name: str, share: float, shop_dataset: Dataset, shop_config: Config, tiny_pipeline: Pipeline
) -> None:
    """Fitted on a data set that ends at the split point it is the same to the last bit."""
    as_of = int(np.quantile(shop_dataset.times, share, method="nearest"))
    fits = []
    for dataset in (shop_dataset, ended_at(shop_dataset, as_of)):
        point = split_point_at(dataset, as_of, name="test")
        made = interactions_at(dataset, point, shop_config, tiny_pipeline)
        fits.append(retriever_class(name).fit(made, shop_config))
    assert_same_state(*fits)


def ended_at(dataset: Dataset, as_of: int) -> Dataset:
    past = np.asarray(dataset.times) < as_of
    arrays: dict[str, Any] = {
        name: np.asarray(getattr(dataset, name))[past]
        for name in ("items", "event_types", "times", "baskets", "prices")
    }
    offsets = np.searchsorted(dataset.users[past], np.arange(dataset.num_users + 1)).astype(np.int64)
    return replace(dataset, **arrays, offsets=offsets)


def test_a_user_of_whom_nothing_is_known_gets_nothing_of_their_own(
    fitted: Retriever, stranger: UserContext, users: list[UserContext]
) -> None:
    found = fitted.for_user(stranger)
    if len(found.items):
        same = all(np.array_equal(fitted.for_user(user).best(20), found.best(20)) for user in users)
        assert same, "only what is the same for everybody is for a stranger"
    assert not len(fitted.for_page(np.empty(0, np.int32)).items)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "encoder"])
def test_an_empty_shop_gives_empty_lists(
    name: str, interactions: Interactions, shop_config: Config, users: list[UserContext]
) -> None:
    """The encoder is not fitted here, and training refuses a shop without events."""
    empty = replace(
        interactions,
        users=np.empty(0, np.int32),
        events=History.empty(),
        weights=np.empty(0, np.float32),
        catalogue=pl.DataFrame,
        trained={},
    )
    fitted = retriever_class(name).fit(empty, shop_config)
    stranger = replace(users[0], history=History.empty(), profile=no_profile(users[0]))
    assert not len(fitted.for_user(stranger).items)
    assert not len(fitted.for_page(np.array([1, 2], np.int32)).items)
    features = fitted.features(np.arange(5, dtype=np.int32), asked(fitted, users[0], page=[1]))
    assert all(np.isfinite(column).all() for column in features.values())


def no_profile(user: UserContext) -> Any:
    profile = user.profile
    nothing = np.empty(0, np.int32)
    own = profile.own
    empty = replace(own, **{field.name: getattr(own, field.name)[:0] for field in fields(own)})
    return replace(profile, own=empty, recent_items=nothing, session_items=nothing, cart_items=nothing)


def test_adding_a_retriever_is_adding_one_file(
    added_file: AddFile,
    tiny_pipeline: Pipeline,
    shop_dataset: Dataset,
    shop_config: Config,
    tmp_path: Path,
) -> None:
    """The documentation's example is fitted, saved, loaded, proposes, has its column and gives its reason,
    without another line."""
    toy = added_file(retrievers, "class Classics", name="classics")
    assert toy in retriever_names()
    check_retrievers(load_config(overrides=["surfaces={home: {retrievers: [classics]}}"]))
    full = split_points(shop_dataset, shop_config.split)[2]
    fitted = fit_retrievers(interactions_at(shop_dataset, full, shop_config, tiny_pipeline), shop_config)
    bundle = tiny_pipeline.bundle
    surfaces = {name: one.model_copy(update={"retrievers": None}) for name, one in bundle.surfaces.items()}
    settings = bundle.settings.model_copy(update={"surfaces": surfaces})
    manifest = {"name": "toy", "as_of": bundle.as_of}
    changed = replace(bundle, manifest=manifest, settings=settings, retrievers=fitted, ranker=None)
    changed.save(tmp_path / "bundle", made_from="test")
    pipeline = Pipeline(Bundle.open(tmp_path / "bundle"))
    assert pipeline.columns.groups[toy] == ("classic_age",)
    candidates, _ = pipeline.candidates(Query(shop_dataset.history(0), bundle.as_of))
    proposed = candidates.retrievals[toy].proposed
    assert len(proposed) > 0
    ages = candidates.feature("classic_age")[np.isin(candidates.items, proposed[:5])]
    assert ages.min() >= np.sort(candidates.feature("classic_age"))[len(candidates.items) // 2 :].min()
    ranked = pipeline.rank(Query(History.empty(), bundle.as_of))
    assert toy in lists_alone(pipeline, ranked)
    assert system_label(toy) == "classics of the shop"
    wording = Wording(titles=bundle.titles, done="bought")
    reasons = pipeline.bundle.retrievers[toy].reasons(proposed, candidates.retrievals[toy], wording)
    assert reasons[int(proposed[0])].text == f"A classic: {bundle.titles[proposed[0]]}"


@pytest.mark.parametrize(
    "override",
    [
        "surfaces={home: {retrievers: [magic]}}",
        "surfaces={home: {fallback: magic}}",
        "surfaces={home: {strangers: magic}}",
        "retrievers.num_candidates={magic: 3}",
    ],
)
def test_a_retriever_that_does_not_exist_is_refused_by_name(override: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no retriever 'magic'. There are: association_rules, "):
        check_retrievers(load_config(overrides=[override]))
