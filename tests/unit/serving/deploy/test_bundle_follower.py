"""A new champion answers from one request to the next, and one that cannot answer is refused."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hand_made_bundle import AS_OF, write_bundle, write_other_bundle
from onnx import TensorProto, helper, numpy_helper

from configs.settings.services import ServingConfig
from features.core.columns import MICROSECONDS_PER_DAY
from serving.deploy import bundle_follower
from serving.deploy.bundle_follower import BundleFollower
from serving.deploy.warm_bundle import warm_service
from serving.http.app import build_app
from serving.http.bundle_status import BundleStatus
from serving.http.service import Service
from serving.recommend.bundle import Bundle
from serving.recommend.held_bundle import HeldBundle, is_held
from serving.recommend.pipeline import Pipeline
from serving.recommend.ranker import Ranker
from serving.recommend.served_bundle import next_pointer, read_pointer, write_pointer
from serving.state.store import EventStore


class Replica:
    """The app of a server process over a workspace, and what follows its champion."""

    def __init__(self, workspace: Path, store: EventStore) -> None:
        self.workspace, self.store, self.status, self.held = workspace, store, BundleStatus(), HeldBundle()
        self.num_loads = 0
        self.turn = workspace / "turn"
        self.turn.touch()
        self.service = self.service_of(Pipeline.load(workspace / "bundles" / "monday"))
        self.app = build_app(self.service, ServingConfig(), status=self.status)
        self.follower = self.follower_with(self.load)

    def follower_with(self, load: Callable[[Path], Service]) -> BundleFollower:
        return BundleFollower(
            self.service,
            workspace=self.workspace,
            status=self.status,
            load=load,
            held=self.held,
            turn=self.turn,
            refused_alias=self.workspace / "refused_alias",
        )

    def service_of(self, pipeline: Pipeline) -> Service:
        return Service(
            pipeline,
            self.store,
            max_events_kept=100,
            user_state_mb=16,
            user_state_seconds=300,
            retriever_deadline_ms=50,
            clock=lambda: AS_OF + MICROSECONDS_PER_DAY,
        )

    def load(self, folder: Path) -> Service:
        self.num_loads += 1
        return warm_service(folder, service_of=self.service_of, turn=self.workspace)

    def look(self, *, times: int = 2) -> None:
        async def looks() -> None:
            for _ in range(times):
                await self.follower.look()

        asyncio.run(looks())

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return asyncio.run(call(self.app, method, path, **arguments))

    def readyz(self) -> dict[str, Any]:
        answer = self.call("GET", "/readyz")
        assert answer.status_code == 200
        return dict(answer.json())

    def metric(self, name: str) -> float:
        text = self.call("GET", "/metrics").text
        return float(text.partition(f"\n{name} ")[2].split()[0])

    def titles(self, **body: Any) -> list[str]:
        answer = self.call("POST", "/v1/recommend", json={"return_fields": ["title"], **body})
        assert answer.status_code == 200, answer.text
        return [item["fields"]["title"] for item in answer.json()["items"]]

    def promote(self, name: str) -> str:
        """Returns the version of the bundle."""
        folder = self.workspace / "bundles" / name
        version = str(json.loads((folder / "manifest.json").read_text())["fingerprint"])
        before = read_pointer(self.workspace)
        write_pointer(self.workspace, next_pointer(before, run=name, version=version, bundle=folder))
        return version


async def call(app: Any, method: str, path: str, **arguments: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.request(method, path, **arguments)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of them. Read only."""
    folder = tmp_path_factory.mktemp("shop") / "bundles"
    write_other_bundle(folder / "tuesday", of=write_bundle(folder / "monday"), mark="New")
    return folder


@pytest.fixture
def replica(bundles: Path, tmp_path: Path) -> Iterator[Replica]:
    """It answers with monday's bundle, the champion."""
    shutil.copytree(bundles, tmp_path / "shop" / "bundles")
    with EventStore.open(tmp_path / "events.db") as store:
        made = Replica(tmp_path / "shop", store)
        made.promote("monday")
        made.look()
        yield made


def purchase(item_id: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "purchase", "user_id": "ann", "item_id": item_id, **more}


def test_everything_that_is_answered_comes_from_the_new_bundle(replica: Replica) -> None:
    events = [purchase("cheese3", event_id="1"), purchase("cheese4", event_id="2")]
    assert replica.call("POST", "/v1/events", json={"events": events}).json()["accepted"] == 2
    before = replica.call("POST", "/v1/recommend", json={"user_id": "ann"}).json()
    first = replica.readyz()["version"]
    assert replica.titles(user_id="ann", surface="buy_again") == ["Cheese3", "Cheese4"]
    version = replica.promote("tuesday")
    replica.look()
    assert first != version == replica.readyz()["version"]
    again = replica.titles(user_id="ann", surface="buy_again")
    assert set(again) == {"New Cheese3", "New Cheese4"}, "the history has the numbers of the new bundle"
    assert all(title.startswith("New ") for title in replica.titles(user_id="ann"))
    found = replica.call("GET", "/v1/items/bread1").json()
    assert found["fields"]["title"] == "New Bread1"
    text = replica.call("GET", "/metrics").text
    assert f'shopkeeper_bundle_info{{name="hand-made",version="{version}"}} 1.0' in text
    assert text.count("shopkeeper_bundle_info{") == 1
    assert replica.metric("shopkeeper_bundle_swaps_total") == 1
    assert 0 < replica.metric("shopkeeper_bundle_swap_seconds") < 60
    assert is_held(replica.workspace / "bundles" / "tuesday")
    clicked = {**purchase("bread3"), "recommendation_id": before["recommendation_id"]}
    assert replica.call("POST", "/v1/events", json={"events": [clicked]}).json()["accepted"] == 1


def test_what_was_put_and_deleted_stays_so(replica: Replica) -> None:
    put = replica.call("PUT", "/v1/items/tea-7", json={"title": "Green tea", "price": 2.5})
    assert put.status_code == 200, put.text
    assert replica.call("DELETE", "/v1/items/fruit0").status_code in (200, 204)
    version = replica.promote("tuesday")
    replica.look()
    assert replica.readyz()["version"] == version
    assert replica.call("GET", "/v1/items/tea-7").json()["fields"]["title"] == "Green tea"
    assert replica.call("GET", "/v1/items/fruit0").status_code == 404
    assert replica.metric("shopkeeper_new_items") == 1
    assert "New Fruit0" not in replica.titles(num_results=31)


def test_a_list_that_another_bundle_began_does_not_go_on(replica: Replica) -> None:
    page = {"num_results": 5, "cursor": "*"}
    cursor = replica.call("POST", "/v1/recommend", json=page).json()["cursor"]
    assert replica.call("POST", "/v1/recommend", json=page | {"cursor": cursor}).status_code == 200
    replica.promote("tuesday")
    replica.look()
    assert replica.call("POST", "/v1/recommend", json=page | {"cursor": cursor}).status_code == 409
    assert replica.call("POST", "/v1/recommend", json=page).status_code == 200


def test_what_is_put_while_the_new_bundle_is_loaded_is_not_lost(replica: Replica) -> None:
    def load(folder: Path) -> Service:
        fresh = replica.load(folder)
        asyncio.run(replica.store.items.change({"tea-7": {"title": "Green tea"}}, now=AS_OF))
        return fresh

    replica.follower = replica.follower_with(load)
    replica.promote("tuesday")
    replica.look()
    assert replica.service.live.num_new == 1, "of the first list on"


def test_moving_the_pointer_back_rolls_back(replica: Replica) -> None:
    first = replica.readyz()["version"]
    for name in ("tuesday", "monday"):
        replica.promote(name)
        replica.look()
    assert replica.readyz()["version"] == first
    assert replica.titles()[0] == "Fruit0"
    assert replica.metric("shopkeeper_bundle_swaps_total") == 2


def test_lists_are_answered_while_the_new_bundle_is_loaded(replica: Replica) -> None:
    is_loading, may_go_on = threading.Event(), threading.Event()

    def load(folder: Path) -> Service:
        is_loading.set()
        assert may_go_on.wait(timeout=30)
        return replica.load(folder)

    follower = replica.follower_with(load)

    async def ask_meanwhile() -> str:
        await follower.look()
        swap = asyncio.create_task(follower.look())
        while not is_loading.is_set():
            await asyncio.sleep(0.01)
        answer = await call(replica.app, "POST", "/v1/recommend", json={})
        may_go_on.set()
        await swap
        assert answer.status_code == 200
        return str(answer.json()["bundle"]["version"])

    former = replica.readyz()["version"]
    new = replica.promote("tuesday")
    assert asyncio.run(ask_meanwhile()) == former
    assert replica.readyz()["version"] == new


def test_the_old_bundle_is_freed_although_nothing_collects_it(replica: Replica) -> None:
    """A replica tells the collector to leave alone what it has loaded (`gc.freeze`)."""
    replica.call("POST", "/v1/events", json={"events": [purchase("cheese3")]})
    replica.titles(user_id="ann", filter="price > 1")
    bundle = replica.service.pipeline.bundle
    parts = [replica.service.pipeline, bundle, bundle.catalogue, bundle.item_profiles, bundle.ranker]
    parts += [*bundle.retrievers.values(), replica.service.catalogue]
    parts += [replica.service.live, replica.service._states]
    living = [weakref.ref(part) for part in parts]
    del bundle, parts
    assert replica.service.kept()["histories"] == replica.service.kept()["user_states"] == 1
    replica.promote("tuesday")
    gc.collect()
    gc.disable()
    try:
        replica.look()
        assert [type(part()).__name__ for part in living if part() is not None] == []
    finally:
        gc.enable()
    assert replica.service.kept()["histories"] == 0, "they have the old bundle's index"


def damage(folder: Path) -> None:
    (folder / "can_be_shown.npy").write_bytes(b"something else")


def edit_settings(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"max_length": 20', '"max_length": "long"'))


def swap_columns(folder: Path) -> None:
    """A ranker that was trained on other columns: everything else fits."""
    bundle = Bundle.open(folder)
    assert bundle.ranker is not None
    first, second, *others = bundle.ranker.columns
    ranker = Ranker(bundle.ranker.graph, columns=(second, first, *others))
    replace(bundle, ranker=ranker).save(folder, made_from="test")


def break_the_ranker(folder: Path) -> None:
    """A graph that loads, and fails with the first candidates."""
    bundle = Bundle.open(folder)
    assert bundle.ranker is not None
    columns = bundle.ranker.columns
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["candidates", len(columns)])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["candidates"])
    shape = numpy_helper.from_array(np.array([1_000_003], np.int64), "shape")
    node = helper.make_node("Reshape", ["features", "shape"], ["scores"])
    graph = helper.make_graph([node], "ranker", [features], [scores], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    ranker = Ranker(model.SerializeToString(), columns=columns)
    replace(bundle, ranker=ranker).save(folder, made_from="test")


@pytest.mark.parametrize(
    ("spoil", "said", "is_before_promotion"),
    [
        (damage, r"can_be_shown\.npy: was changed after the bundle was written", False),
        (edit_settings, r"manifest\.json: made by another version of Shopkeeper, or edited", False),
        (swap_columns, r"trained on other features than this version computes", True),
        (break_the_ranker, r"tuesday: its first list failed", True),
        (shutil.rmtree, r"no bundle here", False),
        (break_the_ranker, r"champion\.json names version", False),
    ],
)
def test_a_broken_bundle_is_refused_once_and_taken_when_it_is_mended(
    replica: Replica,
    bundles: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    said: str,
    is_before_promotion: bool,
) -> None:
    served, folder = replica.readyz()["version"], replica.workspace / "bundles" / "tuesday"
    if is_before_promotion:
        spoil(folder)
    replica.promote("tuesday")
    if not is_before_promotion:
        spoil(folder)
    with caplog.at_level(logging.INFO, logger="shopkeeper"):
        replica.look(times=6)
    assert replica.num_loads <= 1
    ready = replica.readyz()
    assert ready["version"] == served
    assert re.search(said, ready["refused_bundle"])
    assert replica.metric("shopkeeper_bundle_refused") == 1
    assert replica.titles()[0] == "Fruit0"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert ready["refused_bundle"] in caplog.text
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bundles / "tuesday", folder)
    if is_before_promotion:
        replica.promote("tuesday")
    replica.look()
    ready = replica.readyz()
    assert ready["version"] != served
    assert ready["refused_bundle"] is None
    assert replica.metric("shopkeeper_bundle_refused") == 0
    assert replica.metric("shopkeeper_bundle_swaps_total") == 1


def test_going_back_ends_a_refusal(replica: Replica) -> None:
    replica.promote("tuesday")
    damage(replica.workspace / "bundles" / "tuesday")
    replica.look()
    assert replica.readyz()["refused_bundle"]
    replica.promote("monday")
    replica.look()
    assert replica.readyz()["refused_bundle"] is None
    assert replica.metric("shopkeeper_bundle_swaps_total") == 0


def test_a_pointer_that_cannot_be_read_changes_nothing(replica: Replica) -> None:
    served = replica.readyz()["version"]
    (replica.workspace / "champion.json").write_text("half a")
    replica.look()
    ready = replica.readyz()
    assert ready["version"] == served
    assert "champion.json: cannot be read" in ready["refused_bundle"]
    (replica.workspace / "champion.json").unlink()
    replica.look()
    assert replica.readyz()["version"] == served


def test_a_failure_that_is_no_fault_of_the_bundle_is_tried_again(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_follower, "RETRY_SECONDS", 0.0)
    tries = []

    def load(folder: Path) -> Service:
        tries.append(folder)
        if len(tries) == 1:
            raise MemoryError("too little memory")
        return replica.load(folder)

    replica.follower = replica.follower_with(load)
    version = replica.promote("tuesday")
    replica.look()
    assert replica.readyz()["refused_bundle"] == "too little memory"
    replica.look(times=1)
    assert replica.readyz()["version"] == version
    assert replica.readyz()["refused_bundle"] is None


def test_an_alias_that_cannot_be_followed_is_told(replica: Replica) -> None:
    (replica.workspace / "refused_alias").write_text("version 3 is gone")
    replica.look()
    assert replica.readyz()["refused_bundle"] == "version 3 is gone"
    assert replica.metric("shopkeeper_bundle_refused") == 1
    (replica.workspace / "refused_alias").write_text("")
    replica.look()
    assert replica.readyz()["refused_bundle"] is None
