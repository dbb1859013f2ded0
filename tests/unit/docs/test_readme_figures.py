"""The figures of the README and of the overview of benchmarks are those of the kept results."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks.speed.verdict import OURS

ROOT = Path(__file__).parents[3]


PAGES = ("README.md", "docs/benchmarks-overview.md")


def row(page: str, start: str) -> str:
    """The page's line of results that begins so."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    (found,) = [line for line in lines if line.startswith(f"| {start}")]
    return found


def seeds_of(name: str) -> tuple[list[dict[str, list[float]]], int]:
    paths = sorted((ROOT / "docs" / "results" / "published").glob(f"{name}-seed*.json"))
    return [json.loads(path.read_text(encoding="utf-8"))["systems"]["model"] for path in paths], len(paths)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("start", "name", "metrics", "form"),
    [
        ("Amazon Beauty", "beauty", ("ndcg_10", "recall_10"), "**{} / {}**, mean of {} seeds"),
        ("MovieLens-1M", "ml-1m", ("ndcg_10",), "**{}** with SASRec"),
        ("MovieLens-1M", "ml-1m-gru4rec", ("ndcg_10",), "**{}** with GRU4Rec, {} seed each"),
        ("Gowalla", "gowalla", ("recall_20", "ndcg_20"), "**{} / {}**, mean of {} seeds"),
    ],
)
def test_a_figure_is_the_mean_of_the_kept_seeds(
    page: str, start: str, name: str, metrics: tuple[str, ...], form: str
) -> None:
    found, count = seeds_of(name)
    means = [f"{fmean(one[metric][0] for one in found):.4f}".removeprefix("0") for metric in metrics]
    assert form.format(*means, count) in row(page, start)


@pytest.mark.parametrize("page", PAGES)
def test_the_speed_is_that_of_the_kept_run(page: str) -> None:
    kept = json.loads((ROOT / "docs" / "results" / "training-speed.json").read_text(encoding="utf-8"))
    speed = {system["name"]: system["interactions_per_second"] for system in kept["systems"]}
    times = {name: int(speed[OURS] / figure) for name, figure in speed.items()}
    assert f"**{times['rectools']} times** RecTools, {times['replay']} times RePlay" in row(
        page, "training SASRec"
    )


def test_the_servers_speed_is_that_of_the_kept_run() -> None:
    kept = json.loads((ROOT / "docs" / "results" / "serving.json").read_text(encoding="utf-8"))["measured"]
    speed = {name: f"{one['per_second']:,.0f}" for name, one in kept.items()}
    line = row("README.md", "the live server")
    assert f"**{speed['warm']}** lists a second for users who come back, {speed['cold']} when each" in line
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    assert f"{speed['cold']} lists a second when each is for another user, {speed['warm']} when" in page
