"""A user's mistakes at the command line: one clear error with its remedy, exit status 2, nothing
half-written."""

from __future__ import annotations

import re
import shutil
import socket
import time
from pathlib import Path

import pytest
import shop
from command_line import RunMain
from hand_made_bundle import write_bundle
from worked_example import tree

from configs.load import dump_config

HEADER = "event_type,timestamp,user_id,item_id\n"


@pytest.fixture
def prepared(prepared_shop: Path, tmp_path: Path) -> Path:
    """A workspace of its own with tables and dataset."""
    for folder in ("tables", "dataset"):
        shutil.copytree(prepared_shop / folder, tmp_path / "shop" / folder)
    return tmp_path / "shop"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def refused(run: RunMain, message: str, *arguments: object, folder: Path) -> None:
    """The command fails with this message and leaves the folder as it was."""
    before = tree(folder)
    done = run(*arguments)
    assert done.status == 2, done
    assert re.search(message, done.err, re.DOTALL), done.err
    assert "Traceback" not in done.err
    assert done.err.count("Error: ") == 1
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "--config", "no_such.yaml"], r"no_such\.yaml: no such file.*configs/\*\.yaml"),
        (["train", "--set", "training.learning_rat=1"], r"no such setting\. Did you mean 'learning_rate'\?"),
        (
            ["train", "--set", "encoder.dim=10", "--set", "encoder.num_heads=4"],
            r"dim=10 is not divisible.*set num_heads",
        ),
        (["train", "--set", "training.seed"], r"expected key=value"),
        (["prepare"], r"data\.reader=csv needs the path of the events: set data\.events"),
        (["prepare", "--set", "data.events=absent.csv"], r"absent\.csv: no such file"),
        (["train"], r"dataset: no dataset here.*shopkeeper prepare"),
        (["evaluate"], r"no finished run here.*shopkeeper train"),
        (["export"], r"no finished run here.*shopkeeper train"),
        (["export", "--run", "yesterday"], r"--run yesterday: no such run.*There: none"),
        (["recommend", "--user", "ann"], r"no champion here yet.*shopkeeper export"),
        (["serve"], r"no champion here yet.*shopkeeper export"),
        (["serve", "--bundle", "absent"], r"absent: no bundle here.*shopkeeper export"),
        (["events", "import"], r"tables: no tables here.*shopkeeper prepare"),
        (["events", "export", "--to", "out"], r"there is no event store.*shopkeeper events import"),
    ],
)
def test_a_step_too_early_or_a_setting_amiss(
    shopkeeper: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(shopkeeper, message, *arguments, "--out", tmp_path / "shop", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"events\.csv: is empty.*header"),
        (HEADER, r"events\.csv: has no rows"),
        (
            "event_type,timestamp,user_id\npurchase,2024-01-01,ann\n",
            r"no column 'item_id'.*event_columns: \{item_id",
        ),
        (HEADER + "purchase,2024-01-01,ann,tea\n", r"No-go: there are 1 item events.*Bring more data"),
        (HEADER + "purchase,01.02.2024,ann,tea\n" * 2, r"'01\.02\.2024'.*data\.timestamp_format"),
    ],
)
def test_a_file_that_cannot_be_used(shopkeeper: RunMain, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "events.csv").write_text(text)
    settings = ("--set", f"data.events={tmp_path / 'events.csv'}", "--out", tmp_path / "shop")
    refused(shopkeeper, message, "prepare", *settings, folder=tmp_path)


def test_new_data_that_is_bad_leaves_the_old_tables(
    shopkeeper: RunMain, prepared: Path, tmp_path: Path
) -> None:
    (tmp_path / "events.csv").write_text(HEADER + "purchase,2024-01-01,ann,tea\n")
    settings = ("--set", f"data.events={tmp_path / 'events.csv'}", "--out", prepared)
    refused(shopkeeper, "No-go", "prepare", *settings, folder=tmp_path)


def test_a_file_where_a_folder_should_be(shopkeeper: RunMain, tmp_path: Path) -> None:
    raw = shop.write_shop(tmp_path / "raw")
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "shop.yaml").write_text(dump_config(shop.make_config(raw, tmp_path / "taken")))
    refused(
        shopkeeper,
        r"taken.*(Not a directory|File exists)",
        "prepare",
        "--config",
        tmp_path / "shop.yaml",
        folder=tmp_path,
    )


def test_a_folder_of_someone_else_is_never_replaced(shopkeeper: RunMain, tmp_path: Path) -> None:
    raw = shop.write_shop(tmp_path / "raw")
    (tmp_path / "shop" / "tables").mkdir(parents=True)
    (tmp_path / "shop" / "tables" / "kitchen.txt").write_text("oak")
    (tmp_path / "shop.yaml").write_text(dump_config(shop.make_config(raw, tmp_path / "shop")))
    message = r"tables exists and is not a tables folder of Shopkeeper: choose another folder"
    refused(shopkeeper, message, "prepare", "--config", tmp_path / "shop.yaml", folder=tmp_path)


def test_a_broken_mlflow_database_is_told_before_training(shopkeeper: RunMain, prepared: Path) -> None:
    (prepared / "mlflow.db").write_text("this is no database, but long enough to be looked at as one " * 50)
    message = r"MLflow cannot be used at sqlite:///.*mlflow\.db.*tracking\.enabled=false"
    refused(shopkeeper, message, "train", "--set", "split.window_days=14", "--out", prepared, folder=prepared)


def test_a_folder_in_the_place_of_the_mlflow_database(shopkeeper: RunMain, prepared: Path) -> None:
    (prepared / "mlflow.db").mkdir()
    message = r"MLflow cannot be used.*unable to open database file"
    refused(shopkeeper, message, "train", "--set", "split.window_days=14", "--out", prepared, folder=prepared)


def test_an_mlflow_server_that_is_not_there_is_told_before_training(
    shopkeeper: RunMain, prepared: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = ("--set", f"tracking.uri={uri}", "--set", "split.window_days=14", "--out", prepared)
    started = time.monotonic()
    refused(shopkeeper, rf"MLflow cannot be used at {uri}.*refused", "train", *settings, folder=prepared)
    assert time.monotonic() - started < 60  # MLflow's own tries take five minutes; its import is in here


def test_too_short_a_time_for_the_windows(shopkeeper: RunMain, prepared: Path) -> None:
    message = r"spans 83\.\d days, but split\.window_days=50 needs.*--set split\.window_days="
    refused(shopkeeper, message, "train", "--set", "split.window_days=50", "--out", prepared, folder=prepared)


@pytest.mark.parametrize("command", ["serve", "recommend"])
def test_a_bundle_whose_file_was_changed(
    shopkeeper: RunMain, bundle: Path, tmp_path: Path, command: str
) -> None:
    with (bundle / "can_be_shown.npy").open("r+b") as file:
        file.seek(200)
        file.write(b"\xff")
    message = r"can_be_shown\.npy: was changed after the bundle was written.*shopkeeper export"
    refused(shopkeeper, message, command, "--bundle", bundle, "--out", tmp_path / "shop", folder=tmp_path)


def test_a_surface_that_the_bundle_has_not(shopkeeper: RunMain, bundle: Path, tmp_path: Path) -> None:
    message = r"--surface 'front': this bundle has home, product, similar, cart, buy_again"
    arguments = ("recommend", "--surface", "front", "--bundle", bundle, "--out", tmp_path / "shop")
    refused(shopkeeper, message, *arguments, folder=tmp_path)


def test_a_port_in_use_is_told_before_ray_is_loaded(
    shopkeeper: RunMain, bundle: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shopkeeper(
            "serve", "--bundle", bundle, "--set", f"serving.port={port}", "--out", tmp_path / "shop"
        )
    assert done.status == 2
    assert re.search(rf"Port {port} on 127\.0\.0\.1 is in use.*--set serving\.port={port + 1}", done.err)


def test_an_address_that_other_machines_reach_is_refused(
    shopkeeper: RunMain, bundle: Path, tmp_path: Path
) -> None:
    done = shopkeeper(
        "serve", "--bundle", bundle, "--set", "serving.host=0.0.0.0", "--out", tmp_path / "shop"
    )
    assert done.status == 2
    assert "set serving.host=127.0.0.1" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recomend"], "No such command"),
        (["train", "--epochs", "3"], "No such option"),
        (["recommend", "--num", "0"], "greater than or equal to 1"),
        (["events", "export"], "Missing option"),
    ],
)
def test_a_command_that_is_mistyped(shopkeeper: RunMain, arguments: list[str], message: str) -> None:
    done = shopkeeper(*arguments)
    assert done.status == 2
    assert message in done.err
