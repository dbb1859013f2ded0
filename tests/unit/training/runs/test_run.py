from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from configs.exceptions import ArtefactError
from training.runs.record import FitSummary, Resumption
from training.runs.run import Run, write_json


def fit_of(*, epochs: int) -> FitSummary:
    return FitSummary(epochs=epochs, seconds=1.5, training_seconds=1.0, interactions_per_second=100)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"number": -1, "text": "x" * 200_000})
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            write_json(path, {"number": number, "text": "x" * 200_000})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(json.loads(path.read_text(encoding="utf-8"))["number"])
    writer.join()
    assert len(seen) > 1
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_what_cannot_be_written_leaves_the_old_entries(tmp_path: Path) -> None:
    run = Run.create(tmp_path, name="shop")
    run.update(status="running", seed=7)
    for wrong in ({"status": object()}, {"status": "half done"}, {"no_such_entry": 1}):
        with pytest.raises(ValueError, match="validation error"):
            run.update(**wrong)
    assert run.read().plain() == {"status": "running", "seed": 7}
    run.update(status="finished")
    assert run.read().plain() == {"status": "finished", "seed": 7}


def test_two_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    run = Run.create(tmp_path, name="shop")
    writers = [
        threading.Thread(target=run.add_fit, args=(f"point {number}", fit_of(epochs=number)))
        for number in range(40)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert run.read().fits == {f"point {number}": fit_of(epochs=number) for number in range(40)}


def test_an_entry_that_follows_from_the_present_one_is_changed_by_one_writer_at_a_time(
    tmp_path: Path,
) -> None:
    run = Run.create(tmp_path, name="shop")

    def resume(number: int) -> None:
        resumption = Resumption(time=number, changed=[])
        run.change(lambda record: {"resumed": [*record.resumed, resumption]})

    writers = [threading.Thread(target=resume, args=(number,)) for number in range(40)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(resumption.time for resumption in run.read().resumed) == list(range(40))


def test_a_record_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    run = Run.create(tmp_path, name="shop")
    (run.folder / "run.json").write_text('{"status": "finished", "moon_phase": 3}', encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"(?s)run\.json: made by another version.*moon_phase"):
        run.read()


def test_curves_are_read_as_they_were_written(tmp_path: Path) -> None:
    run = Run.create(tmp_path, name="shop")
    assert run.curves() == []
    run.log("validation", 0, {"loss": 2.5})
    run.log("validation", 1, {"loss": 1.5})
    assert [(line["series"], line["step"], line["metrics"]) for line in run.curves()] == [
        ("validation", 0, {"loss": 2.5}),
        ("validation", 1, {"loss": 1.5}),
    ]


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = [Run.create(tmp_path, name="shop").folder for _ in range(4)]
    assert len(set(folders)) == 4


def test_the_latest_run_is_the_newest_that_finished(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"no finished run here. Make one with `shopkeeper train`"):
        Run.latest(tmp_path)
    for name, status in (
        ("20240101-000000-a", "finished"),
        ("20240102-000000-a", "finished"),
        ("20240103-000000-a", "failed"),
    ):
        (tmp_path / name).mkdir()
        Run(tmp_path / name).update(status=status)
    assert Run.latest(tmp_path).name == "20240102-000000-a"
