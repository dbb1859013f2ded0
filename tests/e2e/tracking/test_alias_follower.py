"""The alias `champion`, moved in MLflow by anybody, moves the champion that servers follow."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle, write_other_bundle
from mlflow import MlflowClient

from configs.schema import Config
from configs.settings.services import TrackingConfig
from scripts.follow_alias import first_champion
from serving.recommend.bundle import Bundle
from serving.recommend.served_bundle import ChampionPointer, read_pointer, write_pointer
from training.registry import Registry
from training.runs.record import BundleEntry
from training.runs.run import Run
from training.tracking.alias_follower import AliasFollower
from training.tracking.client import tracking_uri
from training.tracking.model_versions import register_bundle


class Shop:
    """A workspace with the bundles of two runs, both registered; monday's is the champion."""

    def __init__(self, config: Config) -> None:
        self.config, self.workspace = config, config.workspace
        monday = write_bundle(self.workspace / "bundles" / "monday")
        write_other_bundle(self.workspace / "bundles" / "tuesday", of=monday, mark="New")
        self.reports: list[str | None] = []
        self.follower = AliasFollower(config, report=self.reports.append)
        self.number = {name: self.register(name) for name in ("monday", "tuesday")}
        Registry(config).set_champion(self.run("monday"), config, self.entry("monday"))

    @property
    def client(self) -> MlflowClient:
        uri = tracking_uri(self.config)
        return MlflowClient(uri, registry_uri=uri)

    @property
    def champion(self) -> ChampionPointer:
        found = read_pointer(self.workspace)
        assert found is not None
        return found

    def run(self, name: str) -> Run:
        return Run(self.workspace / "runs" / name)

    def entry(self, name: str) -> BundleEntry:
        found = self.run(name).read().bundle
        assert found is not None
        return found

    def register(self, name: str) -> str:
        folder, run = self.workspace / "bundles" / name, self.run(name)
        run.folder.mkdir(parents=True, exist_ok=True)
        version = Bundle.open(folder).version
        number = register_bundle(run, folder, self.config, version=version)
        assert number is not None
        run.update(status="finished", bundle=BundleEntry(version=version, model_version=number, why="lost"))
        return number

    def move_alias(self, number: str) -> None:
        """As its page in MLflow does."""
        self.client.set_registered_model_alias("shopkeeper", "champion", number)


@pytest.fixture
def shop(tracked: Config) -> Shop:
    return Shop(tracked)


def test_a_moved_alias_promotes_and_moved_back_rolls_back(shop: Shop) -> None:
    assert shop.champion.alias == shop.number["monday"]
    shop.follower.look()
    assert shop.champion.run == "monday"
    shop.move_alias(shop.number["tuesday"])
    assert shop.follower.try_to_look()
    assert (shop.champion.run, shop.champion.previous) == ("tuesday", "monday")
    assert shop.champion.version == shop.entry("tuesday").version
    assert shop.entry("tuesday").champion
    assert "moved to version 2 in MLflow" in shop.entry("tuesday").why
    shop.move_alias(shop.number["monday"])
    assert shop.follower.try_to_look()
    assert (shop.champion.run, shop.champion.previous) == ("monday", "tuesday")
    assert shop.reports == [], "there was nothing to tell"


def test_of_a_command_and_a_moved_alias_the_later_decides(shop: Shop) -> None:
    shop.move_alias(shop.number["tuesday"])
    Registry(shop.config).set_champion(shop.run("monday"), shop.config, shop.entry("monday"))
    shop.follower.look()
    assert shop.champion.run == "monday"
    shop.move_alias(shop.number["tuesday"])
    shop.follower.look()
    assert shop.champion.run == "tuesday"


def test_a_command_while_mlflow_is_away_is_not_undone(shop: Shop) -> None:
    """Its alias stays where it was, which is no move."""
    gone = shop.config.model_copy(update={"tracking": TrackingConfig(uri="http://127.0.0.1:9")})
    Registry(gone).set_champion(shop.run("tuesday"), gone, shop.entry("tuesday"))
    shop.follower.look()
    assert shop.champion.run == "tuesday"


def test_a_pointer_of_an_earlier_version_stays_and_later_moves_are_followed(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shop.workspace / "bundles" / "tuesday"
    version = shop.entry("tuesday").version
    write_pointer(shop.workspace, ChampionPointer(run="tuesday", version=version, bundle=folder))
    shop.follower.look()
    assert shop.champion.run == "tuesday"
    assert "alias champion is at monday, and champion.json names tuesday" in capsys.readouterr().err
    shop.move_alias(shop.number["tuesday"])
    shop.move_alias(shop.number["monday"])
    shop.follower.look()
    assert shop.champion.run == "tuesday", "the alias is where it was at the last look"
    shop.move_alias(shop.number["tuesday"])
    shop.follower.look()
    shop.move_alias(shop.number["monday"])
    shop.follower.look()
    assert shop.champion.run == "monday"


def test_a_bundle_that_is_elsewhere_is_fetched(shop: Shop, tmp_path: Path) -> None:
    """Another workspace on the network, say, or what was deleted here."""
    bundle = shop.workspace / "bundles" / "tuesday"
    elsewhere = tmp_path / "elsewhere" / "tuesday"
    elsewhere.parent.mkdir()
    bundle.rename(elsewhere)
    version = shop.client.create_model_version(
        "shopkeeper", elsewhere.as_uri(), tags={"bundle_version": shop.entry("tuesday").version}
    )
    shop.move_alias(str(version.version))
    shop.follower.look()
    assert shop.champion.bundle == bundle
    assert Bundle.open(bundle).version == shop.champion.version
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["monday", "tuesday"]


def test_a_damaged_bundle_is_refused_once_and_followed_when_it_is_mended(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shop.workspace / "bundles" / "tuesday" / "can_be_shown.npy"
    whole = file.read_bytes()
    file.write_bytes(b"something else")
    shop.move_alias(shop.number["tuesday"])
    for _ in range(3):
        assert not shop.follower.try_to_look()
    assert shop.champion.run == "monday"
    assert capsys.readouterr().err.count("can_be_shown.npy: was changed") == 1
    assert shop.reports[-1] is not None
    assert "can_be_shown.npy: was changed" in shop.reports[-1]
    file.write_bytes(whole)
    assert shop.follower.try_to_look()
    assert shop.champion.run == "tuesday"
    assert shop.reports[-1] is None


def test_a_bundle_that_was_written_anew_is_not_the_one_of_its_older_model_version(shop: Shop) -> None:
    """As by an export of the catalogue alone: the files of the older version are gone."""
    shutil.rmtree(shop.workspace / "bundles" / "tuesday")
    write_other_bundle(
        shop.workspace / "bundles" / "tuesday", of=shop.workspace / "bundles" / "monday", mark="Newer"
    )
    number = shop.register("tuesday")
    shop.move_alias(shop.number["tuesday"])
    assert not shop.follower.try_to_look()
    assert shop.reports[-1] is not None
    assert "is no longer the bundle of model version 2" in shop.reports[-1]
    shop.move_alias(number)
    assert shop.follower.try_to_look()
    assert shop.champion.run == "tuesday"


def test_a_bundle_of_another_shop_is_refused(shop: Shop) -> None:
    """Two shops that share an MLflow server and forgot to name their models."""
    folder = shop.workspace / "bundles" / "tuesday"
    bundle = Bundle.open(folder)
    replace(bundle, manifest={**bundle.manifest, "name": "toys"}).save(folder, made_from="test")
    shop.move_alias(shop.register("tuesday"))
    assert not shop.follower.try_to_look()
    assert shop.champion.run == "monday"
    assert shop.reports[-1] is not None
    assert "of the shop 'toys'" in shop.reports[-1]
    assert "tracking.model_name" in shop.reports[-1]


def test_an_mlflow_that_is_away_is_told_once(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://ann:s3cret@127.0.0.1:{server.getsockname()[1]}"
    follower = AliasFollower(shop.config.model_copy(update={"tracking": TrackingConfig(uri=uri)}))
    for _ in range(3):
        assert not follower.try_to_look()
    said = capsys.readouterr().err
    assert said.count("the server goes on with its champion, and asks again later") == 1
    assert "s3cret" not in said
    assert shop.champion.run == "monday"


def test_a_server_without_a_champion_takes_the_one_with_the_alias(shop: Shop, tmp_path: Path) -> None:
    uri = tracking_uri(shop.config)
    fresh = shop.config.model_copy(
        update={"workspace": tmp_path / "fresh", "tracking": TrackingConfig(uri=uri)}
    )
    first_champion(fresh)
    found = read_pointer(fresh.workspace)
    assert found is not None
    assert (found.run, found.bundle) == ("monday", fresh.workspace / "bundles" / "monday")
    assert Bundle.open(found.bundle).version == shop.champion.version


def test_a_workspace_without_mlflow_gets_no_database(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    config = shop.config.model_copy(update={"workspace": tmp_path / "bare"})
    assert AliasFollower(config).try_to_look()
    assert list((tmp_path / "bare").iterdir()) == []


def test_it_follows_until_it_is_stopped(shop: Shop) -> None:
    often = TrackingConfig(follow_alias_s=0.1)
    follower = AliasFollower(shop.config.model_copy(update={"tracking": often}))
    stop = threading.Event()
    thread = threading.Thread(target=follower.run, args=(stop,))
    thread.start()
    shop.move_alias(shop.number["tuesday"])
    until = time.monotonic() + 30
    while shop.champion.run != "tuesday":
        assert time.monotonic() < until
        time.sleep(0.05)
    stop.set()
    thread.join(timeout=30)
    assert not thread.is_alive()
