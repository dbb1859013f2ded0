"""User errors are reported before Ray starts, and nothing is left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle

from configs.exceptions import ArtefactError, ServingError
from configs.load import load_config
from serving.access.api_keys import create_key, revoke_key
from serving.deploy.fallback_bundle import load_pipeline
from serving.deploy.server import start
from serving.deploy.settings import deploy_settings
from serving.recommend.served_bundle import ChampionPointer, write_pointer


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


def try_to_start(tmp_path: Path, bundle: Path, *overrides: str) -> None:
    start(load_config(overrides=overrides, workspace=tmp_path / "shop"), bundle)


def test_a_port_in_use_is_named_with_the_remedy(tmp_path: Path, bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ServingError, match=rf"Port {port} on 127\.0\.0\.1 is in use.*--set serving\.port={port + 1}"
        ):
            try_to_start(tmp_path, bundle, f"serving.port={port}")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7"])
def test_without_keys_only_loopback_is_served(tmp_path: Path, bundle: Path, host: str) -> None:
    said = r"no API keys: make one with `shopkeeper keys create .*set serving\.host=127\.0\.0\.1"
    with pytest.raises(ServingError, match=said):
        try_to_start(tmp_path, bundle, f"serving.host={host}")
    _, made = create_key(tmp_path / "shop", "private", name="", now=datetime.now(UTC))
    revoke_key(tmp_path / "shop", made.id)
    with pytest.raises(ServingError, match=said):
        try_to_start(tmp_path, bundle, f"serving.host={host}")


def test_a_name_is_no_address_to_listen_on(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(ServingError, match=r"shop\.example is no IPv4 address: set one of this machine"):
        try_to_start(tmp_path, bundle, "serving.host=shop.example")


def test_with_keys_an_address_of_another_machine_cannot_be_used(tmp_path: Path, bundle: Path) -> None:
    create_key(tmp_path / "shop", "private", name="", now=datetime.now(UTC))
    with pytest.raises(ServingError, match=r"on 192\.0\.2\.7 cannot be used"):
        try_to_start(tmp_path, bundle, "serving.host=192.0.2.7")


def test_keys_and_secrets_that_cannot_be_read_are_named(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(ServingError, match=r"token_secret_file=.*/nowhere: there is no such file"):
        try_to_start(tmp_path, bundle, f"serving.token_secret_file={tmp_path}/nowhere")
    settings = ["serving.token_secret_file=secrets/tokens"]
    config = load_config(overrides=settings, workspace=tmp_path)
    secret = deploy_settings(config, bundle, run_folder=tmp_path, is_champion=False).replica.serving
    assert secret.token_secret_file == Path.cwd() / "secrets" / "tokens", "replicas run in another folder"
    (tmp_path / "shop" / "keys.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ServingError, match=r"keys\.json: the API keys cannot be read"):
        try_to_start(tmp_path, bundle)


def test_ipv6_is_refused_before_anything_starts(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(ServingError, match=r"serving\.host=::1: .*IPv4 only: set serving\.host=127\.0\.0\.1"):
        try_to_start(tmp_path, bundle, "serving.host='::1'")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"max_length": 20', '"max_length": "long"'),
        ('"settings": {', '"setting": {'),
        ('"features": [', '"inputs": ['),
        ('"num_items": 30', '"num_items": null'),
        ('"files": {', '"sums": {'),
        ('"fingerprint"', '"version"'),
    ],
)
def test_an_edited_manifest_is_refused(tmp_path: Path, bundle: Path, old: str, new: str) -> None:
    manifest = bundle / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    assert old in text
    manifest.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(
        ArtefactError, match=r"manifest\.json: made by another version of Shopkeeper, or edited.*export"
    ):
        try_to_start(tmp_path, bundle)


def test_a_manifest_that_is_a_list_is_refused(tmp_path: Path, bundle: Path) -> None:
    (bundle / "manifest.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"manifest\.json: made by another version"):
        try_to_start(tmp_path, bundle)


def test_a_changed_bundle_is_refused(tmp_path: Path, bundle: Path) -> None:
    (bundle / "can_be_shown.npy").write_bytes(b"something else")
    with pytest.raises(ArtefactError, match=r"can_be_shown\.npy.*changed"):
        try_to_start(tmp_path, bundle)


def test_a_corrupt_store_is_refused(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "events.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ServingError, match=r"events\.db.*events import"):
        try_to_start(tmp_path, bundle)


def test_a_ray_that_cannot_start_is_explained(tmp_path: Path, bundle: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from configs.exceptions import ServingError\n"
        "from configs.load import load_config\n"
        "from serving.deploy.server import start\n"
        "config = load_config(overrides=['serving.port=' + sys.argv[2]], workspace=Path('shop'))\n"
        "try: start(config, Path(sys.argv[1]))\n"
        "except ServingError as error: print(error)"
    )
    environment = {**os.environ, "RAY_SERVE_HAPROXY_MAXCONN": "many"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-c", program, str(bundle), port]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("The server did not start. "), done.stderr
    assert "ValueError: invalid literal for int() with base 10: 'many'" in done.stdout


def test_the_predecessor_stands_in_for_a_champion_that_was_changed(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    old, new = (write_bundle(shop / "bundles" / name) for name in ("monday", "tuesday"))
    write_pointer(shop, ChampionPointer(run="tuesday", version="2", bundle=new, previous="monday"))
    settings = deploy_settings(
        load_config(workspace=shop), new, run_folder=tmp_path, is_champion=True
    ).replica
    assert load_pipeline(settings.bundles())[1] is None
    (new / "can_be_shown.npy").write_bytes(b"something else")
    pipeline, reason = load_pipeline(settings.bundles())
    assert reason is not None
    assert f"{old.resolve()} is served instead of {new.resolve()}" in reason
    assert "can_be_shown.npy: was changed" in reason
    assert len(pipeline.bundle.can_be_shown)
    (old / "can_be_shown.npy").write_bytes(b"something else")
    with pytest.raises(ArtefactError, match=r"tuesday.*was changed"):
        load_pipeline(settings.bundles())


def test_nothing_stands_in_for_a_bundle_that_was_asked_for_by_name(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    folder = write_bundle(shop / "bundles" / "monday")
    write_pointer(shop, ChampionPointer(run="monday", version="1", bundle=folder))
    other = tmp_path / "other"
    config = load_config(workspace=shop)
    settings = deploy_settings(config, other, run_folder=tmp_path, is_champion=False)
    assert settings.replica.bundles() == [other]


def test_a_replica_imports_no_torch() -> None:
    program = (
        "import sys, serving.deploy.server, serving.deploy.cluster\n"
        "print({'torch', 'models', 'training'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
