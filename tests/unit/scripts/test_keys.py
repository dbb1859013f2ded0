"""`shopkeeper keys`: what it prints, and what it keeps."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from command_line import RunMain

from serving.access.api_keys import KEYS_FILE, read_keys
from serving.access.key_ring import KeyRing
from serving.access.token_secret import SECRET_FILE, VARIABLE
from serving.access.user_tokens import user_of_token


def test_a_key_is_printed_once_listed_without_itself_and_revoked(shopkeeper: RunMain, tmp_path: Path) -> None:
    where = ("--out", tmp_path / "shop")
    empty = shopkeeper("keys", "list", *where)
    assert (empty.status, empty.out) == (0, "")
    assert "keys create" in empty.err
    made = shopkeeper("keys", "create", "--kind", "public", "--name", "the page", *where)
    assert made.status == 0
    key = made.out.strip()
    assert key.startswith("sk_public_")
    assert len(made.out.splitlines()) == 1, "a script reads it from stdout"
    ring = KeyRing(tmp_path / "shop" / KEYS_FILE, is_always_required=False)
    found = ring.find(key.encode())
    assert found is not None
    assert shopkeeper("keys", "create", "--kind", "private", *where).out.startswith("sk_private_")
    listed = shopkeeper("keys", "list", *where)
    first, second = listed.out.splitlines()
    assert first.split()[:2] == [found.id, "public"]
    assert first.endswith("the page")
    assert second.split()[1] == "private"
    assert key not in listed.out + listed.err
    revoked = shopkeeper("keys", "revoke", found.id, *where)
    assert (revoked.status, found.id in revoked.err) == (0, True)
    again = shopkeeper("keys", "revoke", found.id, *where)
    assert again.status == 2
    assert f"no key with the id '{found.id}'" in again.err
    (left,) = read_keys(tmp_path / "shop" / KEYS_FILE) or ()
    assert "answers nobody" in shopkeeper("keys", "revoke", left.id, *where).err


@pytest.mark.parametrize("kind", ["root", "Private", ""])
def test_there_are_two_kinds(shopkeeper: RunMain, tmp_path: Path, kind: str) -> None:
    done = shopkeeper("keys", "create", "--kind", kind, "--out", tmp_path)
    assert done.status == 2
    assert "private" in done.err
    assert "public" in done.err
    assert not (tmp_path / KEYS_FILE).exists()


def test_a_key_of_no_workspace_cannot_be_revoked(shopkeeper: RunMain, tmp_path: Path) -> None:
    done = shopkeeper("keys", "revoke", "5f0c1a9e", "--out", tmp_path / "nowhere")
    assert done.status == 2
    assert "There is no workspace" in done.err


def test_a_token_for_trying_out(shopkeeper: RunMain, tmp_path: Path) -> None:
    where = ("--out", tmp_path / "shop")
    without = shopkeeper("keys", "token", "--user", "1234", *where)
    assert (without.status, "shopkeeper keys secret" in without.err) == (2, True)
    secret = shopkeeper("keys", "secret", *where).out.strip()
    assert (tmp_path / "shop" / SECRET_FILE).read_text(encoding="ascii").strip() == secret
    printed = shopkeeper("keys", "token", "--user", "1234", "--minutes", "2", *where).out.strip()
    assert user_of_token(printed, secret=secret.encode(), now=time.time() + 110) == "1234"
    with pytest.raises(Exception, match="expired"):
        user_of_token(printed, secret=secret.encode(), now=time.time() + 200)


def test_a_secret_that_does_not_count_is_said(
    shopkeeper: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not used" not in shopkeeper("keys", "secret", "--out", tmp_path).err
    mounted = tmp_path / "mounted"
    set_ = ("--set", f"serving.token_secret_file={mounted}")
    assert (
        f"serving.token_secret_file={mounted}" in shopkeeper("keys", "secret", "--out", tmp_path, *set_).err
    )
    monkeypatch.setenv(VARIABLE, "of the environment, thirty-two bytes or more")
    assert f"variable {VARIABLE} goes before" in shopkeeper("keys", "secret", "--out", tmp_path).err
    printed = shopkeeper("keys", "token", "--user", "1234", "--out", tmp_path).out.strip()
    secret = b"of the environment, thirty-two bytes or more"
    assert user_of_token(printed, secret=secret, now=time.time()) == "1234"
