"""What the user can mend is said before Ray starts, and nothing is left behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hand_made_bundle import write_bundle

from configs.exceptions import ArtefactError, ServingError
from configs.load import load_config
from serving.app import start


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
        with pytest.raises(ServingError, match=rf"Port {port} on 127\.0\.0\.1 is in use.*--set serving\.port={port + 1}"):
            try_to_start(tmp_path, bundle, f"serving.port={port}")


@pytest.mark.parametrize("host", ["0.0.0.0", "shop.example"])
def test_without_keys_only_loopback_is_served(tmp_path: Path, bundle: Path, host: str) -> None:
    with pytest.raises(ServingError, match=r"no keys yet: set serving\.host=127\.0\.0\.1"):
        try_to_start(tmp_path, bundle, f"serving.host={host}")


def test_a_changed_bundle_is_refused(tmp_path: Path, bundle: Path) -> None:
    (bundle / "items.npy").write_bytes(b"something else")
    with pytest.raises(ArtefactError, match=r"items\.npy.*changed"):
        try_to_start(tmp_path, bundle)


def test_a_corrupt_store_is_refused(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "events.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ServingError, match=r"events\.db.*events import"):
        try_to_start(tmp_path, bundle)


def test_what_a_replica_imports_has_no_torch_in_it() -> None:
    program = "import sys, serving.app, serving.deployment; print({'torch', 'models', 'training'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
