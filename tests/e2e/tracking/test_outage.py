"""An MLflow that is not there is told within seconds, and costs a training nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from configs.exceptions import TrainingError
from configs.schema import Config
from configs.settings.services import TrackingConfig
from training.runs.run import Run
from training.tracking import mlflow_sync, reachable
from training.tracking.client import require_tracking, tracking_uri
from training.tracking.mlflow_sync import SyncAfterEpochs, sync

SOON = 5.0
"""Seconds. MLflow by its own settings tries for four minutes."""


@pytest.fixture
def silent_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that takes connections and never answers."""
    monkeypatch.setattr(reachable, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def tracked_at(config: Config, uri: str) -> Config:
    return config.model_copy(update={"tracking": TrackingConfig(uri=uri)})


@pytest.mark.parametrize("scheme", ["http", "http://ann:s3cret@", "postgresql+psycopg2"])
def test_a_server_that_is_not_there_is_an_error_within_seconds(
    tracked: Config, closed_port: int, scheme: str
) -> None:
    start = scheme if "://" in scheme else f"{scheme}://"
    started = time.monotonic()
    with pytest.raises(
        TrainingError, match=r"(?s)MLflow cannot be used at .*Connection refused.*tracking\.uri"
    ) as told:
        require_tracking(tracked_at(tracked, f"{start}127.0.0.1:{closed_port}/mlflow"))
    assert time.monotonic() - started < SOON
    assert "s3cret" not in str(told.value)


def test_a_server_that_never_answers_is_an_error_within_seconds(tracked: Config, silent_port: int) -> None:
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"MLflow cannot be used at .*no answer within 0\.3 s"):
        require_tracking(tracked_at(tracked, f"http://127.0.0.1:{silent_port}"))
    assert time.monotonic() - started < SOON


def test_epochs_do_not_wait_for_a_server_that_is_gone(
    run: Run, tracked: Config, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    after_epoch = SyncAfterEpochs(run, tracked_at(tracked, f"http://127.0.0.1:{closed_port}"))
    started = time.monotonic()
    for _ in range(20):
        after_epoch()
    assert time.monotonic() - started < SOON
    assert capsys.readouterr().err.count("MLflow does not follow: training goes on") == 1


def test_what_an_outage_kept_from_mlflow_comes_later(
    run: Run,
    tracked: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The outage begins after the first epoch. The pause is over when the third one ends."""
    monkeypatch.setattr(mlflow_sync, "FIRST_PAUSE", 1e-6)
    store, away = tracked.workspace / "mlflow.db", tracked.workspace / "away"
    after_epoch = SyncAfterEpochs(run, tracked)
    sync(run, tracked)
    store.rename(away)
    store.mkdir()
    run.log("validation", 1, {"loss": 1.5})
    after_epoch()
    store.rmdir()
    away.rename(store)
    run.log("validation", 2, {"loss": 1.0})
    after_epoch()
    told = capsys.readouterr().err
    assert told.count("MLflow does not follow") == told.count("MLflow answers again") == 1
    assert points(run, tracked) == [(0, 2.5), (1, 1.5), (2, 1.0)]


def test_a_slow_mlflow_is_not_called_after_every_epoch(
    run: Run, tracked: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    calls = []

    def slow(*_: object) -> None:
        calls.append(now[0])
        now[0] += 5

    monkeypatch.setattr(mlflow_sync, "_try", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    after_epoch = SyncAfterEpochs(run, tracked)
    for _ in range(100):
        now[0] += 1
        after_epoch()
    assert calls == [1001, 1051, 1101]


def test_a_run_that_mlflow_has_no_more_is_made_anew(run: Run, tracked: Config, empty_store: Path) -> None:
    sync(run, tracked)
    first = run.read().mlflow_run
    (tracked.workspace / "mlflow.db").write_bytes(empty_store.read_bytes())
    sync(run, tracked)
    assert run.read().mlflow_run != first
    assert points(run, tracked) == [(0, 2.5)]


def test_epochs_that_are_repeated_are_new_to_mlflow(run: Run, tracked: Config) -> None:
    run.log("validation", 1, {"loss": 9.0})
    sync(run, tracked)
    run.keep_curves(lambda line: line["step"] < 1)
    run.log("validation", 1, {"loss": 1.5})
    sync(run, tracked)
    assert (1, 1.5) in points(run, tracked)
    assert points(run, tracked).count((0, 2.5)) == 1


def points(run: Run, config: Config) -> list[tuple[int, float]]:
    """The learning curve in MLflow."""
    history = MlflowClient(tracking_uri(config)).get_metric_history(run.read().mlflow_run, "validation_loss")
    return [(point.step, point.value) for point in history]
