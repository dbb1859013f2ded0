from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configs.load import load_config
from configs.schema import Config
from configs.settings.recommend import SurfaceConfig
from serving.recommend.served_bundle import ChampionPointer, write_pointer
from training.evaluation.comparable_runs import (
    evaluation_differences,
    has_same_settings,
    is_readable,
    present_champion,
)
from training.runs.run import Run, write_settings


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(workspace=tmp_path)


def run_called(name: str, config: Config) -> Run:
    run = Run(config.workspace / "runs" / name)
    run.folder.mkdir(parents=True)
    run.update(status="finished", dataset="0123456789abcdef")
    write_settings(run, config)
    return run


def test_the_champion_is_another_run_that_is_there(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, run = run_called("champion", config), run_called("run", config)
    assert present_champion(run, config) is None
    bundle = config.workspace / "bundles" / champion.name
    write_pointer(config.workspace, ChampionPointer(run=champion.name, version="1", bundle=bundle))
    assert present_champion(run, config) == champion
    assert present_champion(champion, config) is None
    shutil.rmtree(champion.folder)
    assert present_champion(run, config) is None
    assert "is missing, so it cannot be compared" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("file", ["run.json", "config.yaml"])
def test_a_champion_of_another_version_is_not_readable(
    config: Config, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    """Its record counts as much as its settings: an export that failed on it would fail for ever."""
    champion = run_called("champion", config)
    assert is_readable(champion, config)
    (champion.folder / file).write_text('{"moon_phase": 3}', encoding="utf-8")
    assert not is_readable(champion, config)
    assert "the champion champion is of another version" in capsys.readouterr().err


def test_what_two_evaluations_differ_in(config: Config) -> None:
    first, second = run_called("first", config), run_called("second", config)
    assert evaluation_differences(first, second, config) == []
    second.update(dataset="fedcba9876543210")
    write_settings(second, load_config(overrides=["evaluation.seed=5"], workspace=config.workspace))
    assert evaluation_differences(first, second, config) == ["data", "evaluation"]


@pytest.mark.parametrize(
    ("override", "is_same"),
    [
        ("training.learning_rate=0.5", False),
        ("ranker.hidden_dim=3", False),
        ("split.window_days=3", False),
        ("evaluation.headline_k=10", False),
        ("surfaces={home: {filters: []}}", False),
        ("surfaces={home: {strangers: popular_among}, checkout: {retrievers: [co_occurrence]}}", False),
        ("data.events=other.csv", True),
        ("training.device=cpu", True),
        ("evaluation.bootstrap_samples=77", True),
        ("export.exact_below=3", True),
        ("serving.port=8123", True),
        ("gate.confidence=0.9", True),
        ("name=other", True),
    ],
)
def test_settings_are_the_same_where_the_model_does_not_depend_on_them(override: str, is_same: bool) -> None:
    assert has_same_settings(load_config(), load_config(overrides=[override])) is is_same


@pytest.mark.parametrize(("surface", "is_same"), [("product", False), ("cart", False), ("checkout", True)])
def test_so_are_pages_that_no_ranker_learns_from(surface: str, is_same: bool) -> None:
    config = load_config()
    surfaces = {**config.surfaces, surface: SurfaceConfig(retrievers=("co_occurrence",))}
    assert has_same_settings(config, config.model_copy(update={"surfaces": surfaces})) is is_same
