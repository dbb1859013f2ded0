"""The benchmark of training speed: scorer, verdict, peers' file, synthetic data, clock and memory."""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers.clock import Clock
from benchmarks.speed.interactions import LeaveOneOut, find_interactions
from benchmarks.speed.measured_process import RunnerFailedError, run_measured
from benchmarks.speed.page import write_page
from benchmarks.speed.peer_environments import RUNNERS, read_peers
from benchmarks.speed.score import K, Measured, ndcg, read_measurement
from benchmarks.speed.verdict import verdict

ROOT = Path(__file__).parents[3]


@pytest.fixture
def interactions() -> LeaveOneOut:
    """Three users; their targets are 3, 30 and 99."""
    rows = [[1, 2, 3, 4], [10, 20, 30, 40], [7, 8, 99, 9]]
    return LeaveOneOut([1, 2, 3], [np.array(row) for row in rows])


def row(*items: int) -> list[int]:
    return [*items, *[-1] * (K - len(items))]


def test_the_scorer_agrees_with_a_plain_reference(interactions: LeaveOneOut) -> None:
    lists = [row(5, 6, 3), [*range(101, 110), 30], row(11, 12)]
    plain = 0.0
    for listed, target in zip(lists, (3, 30, 99), strict=True):
        for place, item in enumerate(listed, start=1):
            plain += 1 / math.log2(place + 1) if item == target else 0
    assert ndcg(np.array(lists), interactions) == pytest.approx(plain / 3)
    assert plain == pytest.approx(0.5 + 1 / math.log2(11))


@pytest.mark.parametrize("wrong", [row(5, 1), row(5, 5)], ids=["what the user has", "an item twice"])
def test_lists_that_break_the_protocol_are_refused(interactions: LeaveOneOut, wrong: list[int]) -> None:
    with pytest.raises(ValueError, match="row 0"):
        ndcg(np.array([wrong, row(5), row(5)]), interactions)


def test_lists_for_other_users_are_refused(interactions: LeaveOneOut) -> None:
    with pytest.raises(ValueError, match="3 users"):
        ndcg(np.array([row(5)]), interactions)


def test_an_epoch_counts_the_latest_events_and_the_target_after_them(interactions: LeaveOneOut) -> None:
    longer = LeaveOneOut([1], [np.arange(102)])
    assert interactions.num_interactions(max_length=50) == 6
    assert longer.num_interactions(max_length=50) == 51


def test_the_first_epoch_warms_up_and_quality_is_that_of_the_last_lists_in_time() -> None:
    one = Measured("rectools", {}, [9.0, 2.0, 4.0, 3.0], [(1.0, 0.1), (6.05, 0.2), (9.0, 0.3)], 1.0, 600)
    assert one.seconds == 3
    assert one.per_second == 200
    assert (one.ndcg_after(0.5), one.ndcg_after(5), one.ndcg_after(6)) == (0.0, 0.1, 0.2)
    assert Measured("rectools", {}, [9.0], [], 1.0, 900).per_second == 100


def result(*, missing: dict[str, str] | None = None, **figures: tuple[float, float]) -> dict[str, Any]:
    """name=(interactions per second, NDCG@10)."""
    systems = [
        {
            "name": name,
            "interactions_per_second": speed,
            "ndcg_10": quality,
            "seconds_an_epoch": 1.0,
            "epochs": 2,
            "peak_gb": 1.0,
            "curve": [[6.0, quality]],
            "versions": {"torch": "2"},
        }
        for name, (speed, quality) in figures.items()
    ]
    return {"systems": systems, "missing": missing or {}, "minutes": 6.0}


def test_the_verdict_names_figure_targets_and_whether_they_are_reached() -> None:
    line, is_reached = verdict(result(shopkeeper=(20_000, 0.05), rectools=(400, 0.01), replay=(2_000, 0.02)))
    assert line == (
        "training: 20,000 interactions/s = 50.0 x RecTools (target 40): reached; 10.0 x the fastest peer, "
        "RePlay (target 5): "
        "reached; NDCG@10 .0500 after 6 minutes, the best peer's .0200: reached"
    )
    assert is_reached


@pytest.mark.parametrize(
    ("figures", "where"),
    [
        ({"rectools": (501, 0.01), "replay": (2_000, 0.02)}, "RecTools (target 40): not reached"),
        ({"rectools": (400, 0.01), "replay": (4_001, 0.02)}, "RePlay (target 5): not reached"),
        ({"rectools": (400, 0.01), "replay": (2_000, 0.06)}, "the best peer's .0600: not reached"),
    ],
)
def test_each_target_alone_can_fail(figures: dict[str, tuple[float, float]], where: str) -> None:
    line, is_reached = verdict(result(missing=None, shopkeeper=(20_000, 0.05), **figures))
    assert where in line
    assert line.count("not reached") == 1
    assert not is_reached


def test_a_peer_that_was_not_measured_leaves_its_targets_open() -> None:
    line, is_reached = verdict(
        result(
            shopkeeper=(20_000, 0.05),
            rectools=(400, 0.01),
            missing={"replay": "could not be installed: no wheel"},
        )
    )
    assert "the fastest peer (target 5 x): not measured, without replay" in line
    assert not is_reached
    line, is_reached = verdict(result(shopkeeper=(20_000, 0.05), missing={"rectools": "x", "replay": "x"}))
    assert "RecTools (target 40 x): not measured" in line
    assert not is_reached


def test_every_peer_is_pinned_and_has_its_runner() -> None:
    peers = read_peers()
    assert [peer.name for peer in peers] == ["rectools", "replay"]
    for peer in peers:
        assert peer.runner.is_file()
        assert all(re.fullmatch(r"[a-z-]+(\[[a-z]+\])?==[\d.]+", one) for one in peer.requirements), (
            peer.requirements
        )
    files = {path.name for path in RUNNERS.glob("*.py")} - {"__init__.py", "clock.py"}
    assert files == {peer.runner.name for peer in peers}
    dependencies = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + (
        ROOT / "constraints.txt"
    ).read_text(encoding="utf-8")
    assert not re.search(r"rectools|replay-rec", dependencies, re.IGNORECASE)


def test_runners_import_nothing_of_the_project_when_they_run() -> None:
    for path in RUNNERS.glob("*.py"):
        names = re.findall(r"^(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not {"configs", "features", "models", "training", "serving", "scripts", "benchmarks"} & set(
            names
        ), path


def test_the_synthetic_file_has_the_shape_of_the_published_one() -> None:
    made, origin = find_interactions(None)
    lengths = np.array([len(items) for items in made.sequences])
    assert (len(lengths), lengths.sum(), lengths.min()) == (22_363, 198_502, 5)
    assert "synthetic" in origin["name"]
    items = np.concatenate(made.sequences)
    assert 0.9 * 12_101 < len(np.unique(items)) <= 12_101
    assert (items.min(), items.max()) >= (1, 1)
    assert items.max() <= 12_101
    assert all(len(set(one.tolist())) == len(one) for one in made.sequences[:500])
    assert 4 <= np.median(lengths) <= 8 < np.percentile(lengths, 95) < 50  # published: 6 and 19


def test_the_file_is_found_and_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "Beauty.txt").write_text("5 1 2 3 4\n6 9 8\n7 3 2 1\n")
    read, origin = find_interactions(tmp_path)
    assert read.users == [5, 7]
    assert [items.tolist() for items in read.train] == [[1, 2], [3]]
    assert read.targets.tolist() == [3, 2]
    assert (origin["name"], origin["users"], origin["events"]) == ("Beauty.txt", 2, 7)


def test_the_clock_is_stopped_while_lists_are_made(tmp_path: Path, interactions: LeaveOneOut) -> None:
    """The notes of a runner whose lists take longer than its training."""
    import time

    def recommend() -> list[list[int]]:
        time.sleep(0.3)
        return [row(3), row(5), row(5)]

    settings = {"name": "x", "out": str(tmp_path), "minutes": 0.1 / 60, "marks": [0.0, 0.1 / 60]}
    clock = Clock(settings, recommend)
    clock.start(())
    clock.begin_epoch()
    assert not clock.end_step()  # lists, but no epoch is complete
    time.sleep(0.11)
    assert not clock.end_step()
    assert clock.end_epoch()
    found = read_measurement("x", tmp_path, interactions, max_length=50, peak_gb=1.0)
    assert len(found.curve) == 3
    assert [quality for _, quality in found.curve] == pytest.approx([1 / 3] * 3)
    assert found.seconds < 0.3 <= 3 * 0.3  # 0.9 s went into lists


def test_a_failed_runner_is_reported_with_the_end_of_its_output(tmp_path: Path) -> None:
    logged: list[str] = []
    command = [
        sys.executable,
        "-c",
        "import sys; print('x: hello'); print('quiet'); sys.exit('no such thing')",
    ]
    with pytest.raises(RunnerFailedError, match="no such thing"):
        run_measured(command, name="x", log_file=tmp_path / "log", threads=1, log=logged.append)
    assert logged == ["x: hello"]


def test_memory_is_that_of_the_process_and_its_descendants(tmp_path: Path) -> None:
    child = "import time; held = b'1' * 300_000_000; time.sleep(1.5)"
    command = [
        sys.executable,
        "-c",
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])",
    ]
    assert 0.3 < run_measured(command, name="x", log_file=tmp_path / "log", threads=1, log=print) < 0.6


def test_the_page_names_every_system_and_every_one_that_is_missing(tmp_path: Path) -> None:
    found = result(
        shopkeeper=(20_000, 0.05),
        rectools=(400, 0.01),
        missing={"replay": "could not be installed: no wheel"},
    ) | {
        "file": {"name": "Beauty.txt", "users": 1, "items": 2, "events": 3, "sha256": "abc" * 20},
        "hardware": {"cpu": "one", "cores": 2},
        "settings": {"seed": 0, "threads": 2},
        "command": "make benchmark-training",
        "commit": "0" * 40,
        "uncommitted_changes": False,
        "num_interactions": 9,
        "load_before": 0.1,
        "date": "2026-11-22",
    }
    write_page(found, tmp_path)
    text = (tmp_path / "benchmarks-training.md").read_text(encoding="utf-8")
    assert "| RecTools | 400 | 50.0 × faster | 1.0 | 2 | 1.0 GB | 0.0100 |" in text
    assert "RePlay was not measured: could not be installed: no wheel" in text
    assert verdict(found)[0] in text
    assert (tmp_path / "pictures" / "training_speed.png").read_bytes().startswith(b"\x89PNG")


def test_peers_are_not_installed_with_the_project() -> None:
    """They are no dependency, not even of a dependency."""
    assert importlib.util.find_spec("rectools") is None
    assert importlib.util.find_spec("replay") is None
