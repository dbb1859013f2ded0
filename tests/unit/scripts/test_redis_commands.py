"""The commands with `serving.store` a Redis server: import, a service, export, and a night's table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from command_line import RunMain
from hand_made_bundle import write_bundle
from http_shop import Shop, bought
from redis_server import RedisServer
from shop import NOW

from configs.load import load_config
from configs.schema import Config
from features.prepare import prepare
from scripts.refresh import write_log
from serving.deploy.settings import deploy_settings
from serving.recommend.pipeline import Pipeline
from serving.state.forgotten_users import forgotten_users
from serving.state.store_location import open_store, store_location


@pytest.fixture
def settings(tmp_path: Path, redis_server: RedisServer) -> list[str]:
    redis_server.empty()
    rows = [f"2023-11-0{day},u{user},cheese{user}" for user in range(5) for day in (1, 2)]
    (tmp_path / "sales.csv").write_text("timestamp,user_id,item_id\n" + "\n".join(rows) + "\n")
    lenient = ["prepare.min_item_events=1", "prepare.min_active_users=1", "prepare.min_window_users=0"]
    data = [f"data.events={tmp_path / 'sales.csv'}", "data.event_type=purchase"]
    return [*data, *lenient, f"serving.store={redis_server.url}"]


@pytest.fixture
def config(settings: list[str], tmp_path: Path) -> Config:
    config = load_config(overrides=settings, workspace=tmp_path / "shop")
    prepare(config, now=NOW)
    return config


def exported(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "events.parquet")


def test_import_service_and_export(
    config: Config, settings: list[str], shopkeeper: RunMain, redis_server: RedisServer, tmp_path: Path
) -> None:
    options = [word for one in settings for word in ("--set", one)]
    options += ["--out", str(config.workspace)]
    done = shopkeeper("events", "import", *options)
    assert (done.status, "imported 10 events into redis://127.0.0.1" in done.err) == (0, True), done.err
    assert "imported before" in shopkeeper("events", "import", *options).err
    bundle = write_bundle(tmp_path / "bundle")
    location = deploy_settings(config, bundle, run_folder=tmp_path, is_champion=False).replica.store
    with open_store(location) as store:
        shop = Shop(Pipeline.load(bundle), store)
        best = shop.recommend(user_id="u3", num_results=1, surface="home")["items"][0]["item_id"]
        assert best == "cheese3", "what was imported counts"
        assert shop.send(bought("bread1", user_id="u3", event_id="live"))["accepted"] == 1
        shop.call("DELETE", "/v1/users/u4")
    done = shopkeeper("recommend", "--user", "u3", "--num", 2, "--bundle", bundle, *options)
    assert (done.status, "bread1" in done.out) == (0, True), "what was sent counts, for a command, too"
    done = shopkeeper("events", "export", "--to", tmp_path / "out", *options)
    assert (done.status, done.out.split()[0]) == (0, "9"), done.err
    events = exported(tmp_path / "out")
    assert events.filter(pl.col("event_id") == "live")["item_id"].to_list() == ["bread1"]
    assert "u4" not in events["user_id"].to_list()
    assert not (config.workspace / "events.db").exists()


def test_a_night_begins_with_the_events_of_both_and_without_who_was_forgotten(
    config: Config, settings: list[str], tmp_path: Path
) -> None:
    location = store_location(config)
    assert forgotten_users(location) is None
    with open_store(location) as store:
        shop = Shop(Pipeline.load(write_bundle(tmp_path / "bundle")), store)
        shop.send(bought("bread1", user_id="u3", event_id="live"))
        shop.call("DELETE", "/v1/users/u4")
        log = write_log(config)
        prepare(config, now=NOW, event_log=log, forgotten=forgotten_users(location))
    tables = pl.read_parquet(config.workspace / "tables" / "events.parquet")
    assert tables.height == 9
    assert "live" in tables["event_id"].cast(pl.String).to_list()
    assert "u4" not in tables["user_id"].cast(pl.String).to_list()


def test_a_server_that_is_not_there_ends_a_command_with_the_reason(
    config: Config, settings: list[str], shopkeeper: RunMain
) -> None:
    options = [word for one in settings[:-1] for word in ("--set", one)]
    options += ["--set", "serving.store=redis://127.0.0.1:1/0", "--out", str(config.workspace)]
    done = shopkeeper("events", "import", *options)
    assert done.status == 2
    assert done.err.splitlines()[-1].startswith(
        "Error: redis://127.0.0.1:1/0 (shop:*): Redis does not answer"
    )


def test_the_whole_store_moves_to_redis_and_back(
    redis_server: RedisServer, shopkeeper: RunMain, tmp_path: Path
) -> None:
    redis_server.empty()
    with open_store(tmp_path / "events.db") as store:
        shop = Shop(Pipeline.load(write_bundle(tmp_path / "bundle")), store)
        shop.send(bought("bread1", user_id="ann", event_id="live"))
        shop.call("PUT", "/v1/items/bread1", json={"price": 3})
        shop.call("DELETE", "/v1/users/bob")
    there = ("events", "copy", "--to", redis_server.url, "--out", tmp_path)
    done = shopkeeper(*there)
    counts = "1 suppressed, 0 users, 1 items, 0 imports, 1 events"
    assert (done.status, done.out) == (
        0,
        f"{redis_server.url} (shop:*): copied and compared: {counts}\n",
    ), done.err
    assert "was the same already" in shopkeeper(*there).out
    back = ("--to", tmp_path / "back.db", "--set", f"serving.store={redis_server.url}", "--out", tmp_path)
    done = shopkeeper("events", "copy", *back)
    assert done.out == f"{tmp_path}/back.db: copied and compared: {counts}\n"
    done = shopkeeper("events", "copy", "--to", "redis://:secret@10.0.0.5", "--out", tmp_path)
    assert (done.status, "SHOPKEEPER_REDIS_PASSWORD" in done.err) == (2, True)
