"""A training goes on when the MLflow server that follows it dies, and MLflow gets everything afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from configs.schema import Config
from configs.settings.services import TrackingConfig
from training.runs.run import Run
from training.tracking.mlflow_sync import sync
from training.train import train

EPOCHS = 4


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has answered, with its own files in the folder: its database can be read without it."""
    folder.mkdir(exist_ok=True)
    options = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    root = (folder / "artifacts").as_uri()
    store = ("--backend-store-uri", store_of(folder), "--no-serve-artifacts", "--default-artifact-root", root)
    command = [sys.executable, "-m", "mlflow", "server", *options, *store]
    with (folder / "log").open("a") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        while not answers(port):
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.2)
        yield server
    finally:
        stop(server, port)


def store_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def answers(port: int) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
    except (URLError, OSError):
        return False
    return True


def stop(server: subprocess.Popen[bytes], port: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(timeout=60)
    while answers(port):
        time.sleep(0.05)


def test_a_server_that_dies_during_a_training_gets_everything_later(
    shop_config: Config, prepared_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "dataset").symlink_to(prepared_shop / "dataset")
    config = shop_config.model_copy(
        update={
            "workspace": tmp_path / "shop",
            "tracking": TrackingConfig(uri=f"http://127.0.0.1:{port}"),
            "training": shop_config.training.model_copy(update={"max_epochs": EPOCHS, "patience": EPOCHS}),
        }
    )
    with mlflow_server(tmp_path / "server", port) as server:
        killer = threading.Thread(target=stop_after_an_epoch, args=(server, port, config))
        killer.start()
        run = train(config)
        killer.join()
    seconds = time.time() - run.curves()[0]["time"]
    told = capsys.readouterr().err
    assert seconds < 90, "MLflow's own tries take four minutes an epoch"
    assert told.count("MLflow could not be brought up to date") == 1
    assert run.read().status == "finished"
    assert run.name.endswith(f"-{config.name}-{config.encoder.model}")
    uri = store_of(tmp_path / "server")
    sync(run, config.model_copy(update={"tracking": TrackingConfig(uri=uri)}))
    client, run_id = MlflowClient(uri), str(run.read().mlflow_run)
    assert [point.step for point in client.get_metric_history(run_id, "validation_loss")] == [0, 1, 2, 3]
    assert client.get_run(run_id).info.status == "FINISHED"
    assert client.get_run(run_id).data.params["training.max_epochs"] == str(EPOCHS)


def stop_after_an_epoch(server: subprocess.Popen[bytes], port: int, config: Config) -> None:
    while not any(Run(folder).curves() for folder in (config.workspace / "runs").glob("*/")):
        time.sleep(0.01)
    stop(server, port)
