"""An old setting or value is an error that names the new one, and every new one exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from configs.exceptions import ConfigError
from configs.load import load_config
from configs.renamed import FILTERS, RENAMED_SETTINGS, RENAMED_VALUES
from configs.schema import Config
from features.retrievers import retriever_names
from serving.recommend.check_settings import check_settings
from serving.recommend.filters import filter_names


def annotation_at(path: str) -> Any:
    """The type of a setting; `*` is any key of a mapping. Raises KeyError when there is no such setting."""
    annotation: Any = Config
    for name in path.split("."):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if name not in annotation.model_fields:
                raise KeyError(path)
            annotation = annotation.model_fields[name].annotation
        else:
            key, annotation = get_args(annotation)
            if name != "*" and get_args(key) and name not in get_args(key):
                raise KeyError(path)
    return annotation


def allowed_values(path: str) -> set[str]:
    """What may stand at a setting: the values of a Literal, or the names that a surface may hold."""
    if path.endswith(".filters"):
        return set(filter_names())
    if path.startswith("surfaces."):
        return {*retriever_names(), "null"}
    return set(get_args(annotation_at(path)))


@pytest.mark.parametrize("new", sorted({path for paths in RENAMED_SETTINGS.values() for path in paths}))
def test_every_new_setting_exists(new: str) -> None:
    annotation_at(new)


@pytest.mark.parametrize("old", sorted(RENAMED_SETTINGS))
def test_no_old_setting_exists(old: str) -> None:
    with pytest.raises(KeyError):
        annotation_at(old)


@pytest.mark.parametrize("path", sorted(RENAMED_VALUES))
def test_every_new_value_can_be_set_and_no_old_one(path: str) -> None:
    allowed = allowed_values(path)
    for old, new in RENAMED_VALUES[path].items():
        assert set(new) <= allowed
        assert old not in allowed


def test_the_filters_that_replaced_switches_exist() -> None:
    assert set(FILTERS.values()) <= allowed_values("surfaces.*.filters")


@pytest.mark.parametrize("old", sorted(RENAMED_SETTINGS))
def test_an_old_setting_names_the_new_one(old: str) -> None:
    place = old.replace("*", "home")
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[f"{place}=1"])
    told = [line for line in str(error.value).splitlines() if line.startswith(f"  {place}: re")]
    assert len(told) == 1
    for new in RENAMED_SETTINGS[old]:
        assert new.replace("*", "home") in told[0]


def test_a_file_with_an_old_section_names_each_new_setting(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(
        "data: {source: csv}\ncandidates: {people_candidates: 3, together_days: 2}\n"
        "surfaces: {home: {fill_with: nothing, exclude_cart: false}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as error:
        load_config(path)
    first, *told = str(error.value).splitlines()
    assert first == f"{path}: 5 setting(s) are wrong:"
    assert set(told) == {
        "  data.source: renamed to data.reader.",
        "  candidates.people_candidates: renamed to retrievers.num_candidates.user_knn.",
        "  candidates.together_days: renamed to retrievers.next_basket_days.",
        "  surfaces.home.fill_with: renamed to surfaces.home.fallback.",
        "  surfaces.home.exclude_cart: replaced by the filter cart in surfaces.home.filters.",
    }


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("encoder.model=set_pool", "encoder.model: set_pool was renamed to weighted_pooling."),
        (
            "training.initial_vectors=low_pass",
            "training.initial_vectors: low_pass was renamed to graph_filter.",
        ),
        ("surfaces.home.fallback=popular", "popular was renamed to popularity."),
        (
            "surfaces.home.retrievers=[encoder, together]",
            "together was renamed to co_occurrence and next_basket.",
        ),
    ],
)
def test_an_old_value_names_the_new_one(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_settings(load_config(overrides=[override]))
    assert message in str(error.value)


def test_a_typo_in_an_old_section_is_told_with_the_new_section() -> None:
    with pytest.raises(ConfigError, match=r"candidates: renamed to retrievers\."):
        load_config(overrides=["candidates.popularty_days=3"])
