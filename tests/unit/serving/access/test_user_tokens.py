"""A user token counts for one user, for a time, and only as the back end signed it."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from configs.exceptions import ServingError
from configs.settings.services import ServingConfig
from serving.access.caller import EVERYTHING, Caller
from serving.access.token_secret import SECRET_FILE, VARIABLE, SecretPlace, UserTokens, create_secret
from serving.access.user_tokens import LEEWAY_SECONDS, UserTokenError, user_of_token, user_token

NOW = 1_700_000_000
SECRET = b"a secret of thirty-two bytes or more"


def part(content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def token(claims: object, *, header: object = None, secret: bytes = SECRET, digest: str = "sha256") -> str:
    """As another program might make it."""
    signed = f"{part({'alg': 'HS256'} if header is None else header)}.{part(claims)}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), digest)).rstrip(b"=").decode()
    return f"{signed}.{signature}"


def read(text: str) -> str:
    return user_of_token(text, secret=SECRET, now=NOW)


GOOD: dict[str, Any] = {"sub": "ann", "exp": NOW + 60}


def test_a_token_names_its_user() -> None:
    assert read(user_token("ann", secret=SECRET, expires_at=NOW + 60)) == "ann"
    assert read(token(GOOD | {"iat": NOW, "name": "Ann"})) == "ann"
    assert read(token(GOOD | {"sub": "ünï 1"})) == "ünï 1"
    assert read(token(GOOD | {"sub": " 12.0 ", "exp": NOW + 0.5})) == "12", (
        "the form that ids have everywhere"
    )


def test_it_reads_the_example_of_the_standard() -> None:
    """RFC 7515, A.1: the signature is right, and it has no `sub`."""
    secret = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    example = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    with pytest.raises(UserTokenError, match="sub"):
        user_of_token(example, secret=secret, now=0)


def test_it_ends() -> None:
    text = user_token("ann", secret=SECRET, expires_at=NOW)
    assert user_of_token(text, secret=SECRET, now=NOW + LEEWAY_SECONDS - 1) == "ann"
    with pytest.raises(UserTokenError, match="has expired"):
        user_of_token(text, secret=SECRET, now=NOW + LEEWAY_SECONDS)


SIGNED = user_token("ann", secret=SECRET, expires_at=NOW + 60)
HEAD, CLAIMS, SIGNATURE = SIGNED.split(".")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}.{part(GOOD | {'sub': 'bob'})}.{SIGNATURE}", "not signed"),
        (f"{HEAD}.{CLAIMS}.{SIGNATURE[:-4]}AAAA", "not signed"),
        (f"{part({'alg': 'none'})}.{CLAIMS}.{SIGNATURE}", "not signed"),
        (token(GOOD, secret=b"another secret of thirty-two bytes"), "not signed"),
        (token(GOOD, secret=b""), "not signed"),
        (token(GOOD, header={"alg": "HS512"}, digest="sha512"), "not signed"),
        (f"{part({'alg': 'none'})}.{CLAIMS}.", "is no JSON Web Token"),
        (f"{part({'alg': 'none'})}.{CLAIMS}", "is no JSON Web Token"),
        ("", "is no JSON Web Token"),
        ("ann", "is no JSON Web Token"),
        (f"{SIGNED}.{SIGNATURE}", "is no JSON Web Token"),
        (f"{SIGNED}=", "is no JSON Web Token"),
        (f" {SIGNED}", "is no JSON Web Token"),
        (f"{SIGNED}\n", "is no JSON Web Token"),
        (f"{HEAD}.{CLAIMS}.ü{SIGNATURE}", "is no JSON Web Token"),
        (f"{HEAD}.{CLAIMS}.A", "is no JSON Web Token"),
        (token("no JSON"), "is no JSON Web Token"),
        (token("[" * 5000), "is no JSON Web Token"),
        (token(GOOD, header={"alg": "none"}), "another algorithm"),
        (token(GOOD, header={"alg": "RS256"}), "another algorithm"),
        (token(GOOD, header={"alg": "hs256"}), "another algorithm"),
        (token(GOOD, header={"typ": "JWT"}), "another algorithm"),
        (token(GOOD, header=["HS256"]), "another algorithm"),
        (token(GOOD, header={"alg": "HS256", "crit": ["b64"], "b64": False}), "another algorithm"),
        (token([]), "sub"),
        (token({"exp": NOW + 60}), "sub"),
        (token(GOOD | {"sub": 1234}), "sub"),
        (token(GOOD | {"sub": " "}), "sub"),
        (token({"sub": "ann"}), "exp"),
        (token(GOOD | {"exp": None}), "exp"),
        (token(GOOD | {"exp": True}), "exp"),
        (token(GOOD | {"exp": str(NOW + 60)}), "exp"),
        (token(GOOD | {"exp": float("inf")}), "exp"),
        (token(GOOD | {"exp": float("nan")}), "exp"),
        (token(GOOD | {"exp": 10**400}), "exp"),
        (token(GOOD | {"exp": (NOW + 60) * 1_000_000_000}), "exp"),
        (token(GOOD | {"exp": NOW - 3600}), "has expired"),
        (token(GOOD | {"nbf": NOW + 3600}), "not valid yet"),
        (token(GOOD | {"nbf": "now"}), "nbf"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserTokenError, match=said):
        read(text)


def tokens(folder: Path, **settings: Any) -> UserTokens:
    return UserTokens(SecretPlace.of(folder, ServingConfig(**settings)), clock=lambda: NOW)


def signed(secret: str) -> str:
    return user_token("ann", secret=secret.encode(), expires_at=NOW + 60)


def test_the_workspaces_secret_can_be_made_and_replaced_while_a_server_runs(tmp_path: Path) -> None:
    reader = tokens(tmp_path)
    with pytest.raises(UserTokenError, match="shopkeeper keys secret"):
        reader.user_of(signed("nobody knows"))
    first = create_secret(tmp_path)
    assert reader.user_of(signed(first)) == "ann"
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600
    second = create_secret(tmp_path)
    assert reader.user_of(signed(second)) == "ann"
    with pytest.raises(UserTokenError, match="not signed"):
        reader.user_of(signed(first))
    (tmp_path / SECRET_FILE).unlink()
    with pytest.raises(UserTokenError, match="no secret"):
        reader.user_of(signed(second))


def test_the_environment_goes_before_the_setting_and_that_before_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_secret(tmp_path)
    file = tmp_path / "mounted"
    file.write_text("of a file, thirty-two bytes long or more\n", encoding="ascii")
    reader = tokens(tmp_path, token_secret_file=file)
    assert reader.user_of(signed("of a file, thirty-two bytes long or more")) == "ann"
    monkeypatch.setenv(VARIABLE, "of the environment, thirty-two bytes or more")
    reader = tokens(tmp_path, token_secret_file=file)
    assert reader.user_of(signed("of the environment, thirty-two bytes or more")) == "ann"
    with pytest.raises(UserTokenError):
        reader.user_of(signed("of a file, thirty-two bytes long or more"))


def test_a_secret_that_is_no_good_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def place() -> SecretPlace:
        return SecretPlace.of(tmp_path, ServingConfig(token_secret_file=tmp_path / "mounted"))

    with pytest.raises(ServingError, match=r"token_secret_file=.*mounted: there is no such file"):
        place().read()
    (tmp_path / "mounted").write_text("short", encoding="ascii")
    with pytest.raises(ServingError, match=r"mounted: .* has 5 bytes, and needs 32"):
        place().read()
    monkeypatch.setenv(VARIABLE, "shorter")
    with pytest.raises(ServingError, match=rf"{VARIABLE}: .* has 7 bytes"):
        place().read()


def test_who_may_name_whom(tmp_path: Path) -> None:
    secret = create_secret(tmp_path)
    page = Caller(columns=frozenset(), tokens=tokens(tmp_path))
    assert EVERYTHING.is_private
    assert EVERYTHING.named_user(None) is None
    assert not page.is_private
    named = page.named_user(signed(secret))
    assert named is not None
    assert named.refusal_of("ann") is None
    assert "another user's" in (named.refusal_of("bob") or "")
    nobody = page.named_user(None)
    assert nobody is not None
    assert "there is none" in (nobody.refusal_of("ann") or "")
