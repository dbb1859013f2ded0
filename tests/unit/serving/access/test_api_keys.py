"""keys.json: what is kept of a key, who may read it, and what becomes of a damaged one."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from configs.exceptions import ConfigError, ServingError
from serving.access.api_keys import KEYS_FILE, Kind, create_key, read_keys, revoke_key
from serving.access.key_ring import KeyRing

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
WHOLE = {"id": "a", "kind": "public", "name": "", "created_at": "2026-01-31T12:00:00Z", "sha256": "0" * 64}


def make(folder: Path, kind: Kind = "private") -> str:
    return create_key(folder, kind, name="", now=NOW)[0]


@pytest.mark.parametrize("kind", ["private", "public"])
def test_a_key_is_random_and_only_its_checksum_is_kept(tmp_path: Path, kind: Kind) -> None:
    key, made = create_key(tmp_path / "shop", kind, name="the page", now=NOW)
    prefix, _, secret = key.rpartition(f"sk_{kind}_")
    assert (prefix, len(secret)) == ("", 43), "256 bits in base64"
    file = tmp_path / "shop" / KEYS_FILE
    text = file.read_text(encoding="utf-8")
    assert secret not in text
    assert json.loads(text)["keys"] == [
        {
            "id": made.id,
            "kind": kind,
            "name": "the page",
            "created_at": "2026-01-31T12:00:00Z",
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
        }
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [KEYS_FILE], "no scratch file is left"


def test_keys_made_at_once_are_all_there(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make(tmp_path), range(24)))
    ring = KeyRing(tmp_path / KEYS_FILE, is_always_required=False)
    assert [key for key in made if ring.find(key.encode()) is None] == []


def test_a_revoked_key_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    first, second = make(tmp_path), make(tmp_path, "public")
    ring = KeyRing(tmp_path / KEYS_FILE, is_always_required=False)
    found = ring.find(first.encode())
    assert found is not None
    revoke_key(tmp_path, found.id)
    assert ring.find(first.encode()) is None
    kept = ring.find(second.encode())
    assert kept is not None
    assert kept.kind == "public"
    assert (tmp_path / KEYS_FILE).stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match=rf"no key with the id '{found.id}'; its ids: {kept.id}"):
        revoke_key(tmp_path, found.id)


def test_a_server_without_keys_asks_for_one_from_the_first_on(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / KEYS_FILE, is_always_required=False)
    assert not ring.is_required
    key = make(tmp_path)
    assert ring.is_required
    assert ring.find(key.encode()) is not None
    assert ring.find(key.encode()[:-1]) is None
    assert ring.find(b"") is None


def test_a_server_that_had_keys_never_opens(tmp_path: Path) -> None:
    file = tmp_path / KEYS_FILE
    key = make(tmp_path)
    ring = KeyRing(file, is_always_required=False)
    assert ring.is_required
    (made,) = read_keys(file) or ()
    revoke_key(tmp_path, made.id)
    assert ring.is_required, "nobody has a key, so nobody gets in"
    assert (ring.find(key.encode()), ring.trouble) == (None, None)
    file.unlink()
    assert ring.is_required
    assert ring.trouble is not None


def test_a_server_on_a_public_address_always_asks_for_a_key(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / KEYS_FILE, is_always_required=True)
    assert ring.is_required
    assert ring.trouble is not None
    key = make(tmp_path)
    assert ring.find(key.encode()) is not None
    assert ring.trouble is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"keys": [',
        '{"keys": ["sk_private_secret"]}',
        json.dumps({"keys": [WHOLE | {"sha256": "sk_private_secret"}]}),
        json.dumps({"keys": [WHOLE | {"kind": "root"}]}),
        json.dumps({"keys": [WHOLE | {"expires_at": "2026-01-31T12:00:00Z"}]}),
    ],
)
def test_a_damaged_file_lets_nobody_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    file = tmp_path / KEYS_FILE
    key = make(tmp_path)
    ring = KeyRing(file, is_always_required=False)
    good = file.read_text(encoding="utf-8")
    file.write_text(content, encoding="utf-8")
    assert ring.is_required
    assert ring.trouble is not None
    assert ring.find(key.encode()) is None
    assert "keys.json" in caplog.text
    assert "sk_private_secret" not in caplog.text
    with pytest.raises(ServingError, match=r"keys\.json.*cannot be read.*keys create"):
        make(tmp_path)
    assert file.read_text(encoding="utf-8") == content, "nothing is lost by a try"
    file.write_text(good, encoding="utf-8")
    assert ring.trouble is None
    assert ring.find(key.encode()) is not None
