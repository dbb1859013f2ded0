from __future__ import annotations

from pathlib import Path

from configs.load import load_config
from serving.recommend.held_bundle import HeldBundle
from serving.recommend.served_bundle import ChampionPointer, write_pointer
from training.retention import delete_old_bundles
from training.runs.run import Run


def run_of(workspace: Path, day: int, *, is_nightly: bool) -> Run:
    run = Run(workspace / "runs" / f"2024010{day}-shop")
    for folder in (run.folder / "bundle-test", workspace / "bundles" / run.name):
        folder.mkdir(parents=True)
    for name in ("encoder-full.pt", "resume.pt", "metrics.jsonl"):
        (run.folder / name).touch()
    run.update(status="finished", is_nightly=is_nightly)
    return run


def test_old_nights_go_but_no_champion_of_late_and_nothing_that_is_served_or_that_a_person_trained(
    tmp_path: Path,
) -> None:
    by_hand = run_of(tmp_path, 1, is_nightly=False)
    nights = [run_of(tmp_path, day, is_nightly=True) for day in range(2, 10)]
    champion, previous, earlier, served, *others = nights
    bundle = tmp_path / "bundles" / champion.name
    pointer = ChampionPointer(champion.name, "1", bundle, previous.name, earlier=(earlier.name,))
    write_pointer(tmp_path, pointer)
    server = HeldBundle()
    server.hold(tmp_path / "bundles" / served.name)
    config = load_config(overrides=["refresh.keep_bundles=5"], workspace=tmp_path)
    deleted = delete_old_bundles(config)
    assert deleted == [run.name for run in reversed(others[:3])]
    for run in (by_hand, *nights[:4], nights[-1]):
        assert (tmp_path / "bundles" / run.name).is_dir()
        assert (run.folder / "encoder-full.pt").is_file()
    for run in others[:3]:
        assert not (tmp_path / "bundles" / run.name).exists()
        assert sorted(path.name for path in run.folder.iterdir()) == ["metrics.jsonl", "run.json"]
    assert delete_old_bundles(config) == []
    server.hold(bundle)
    tighter = load_config(overrides=["refresh.keep_bundles=2"], workspace=tmp_path)
    assert delete_old_bundles(tighter) == [others[3].name, served.name]
