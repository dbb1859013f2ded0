"""User tokens: JSON Web Tokens (RFC 7519) with HMAC-SHA256, by which a shop's back end vouches for a user.

One algorithm, two claims: `sub`, the user's id, and `exp`, when the token ends.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, urlsafe_b64encode
from typing import Any, Final

from features.core.ids import clean_id

LEEWAY_SECONDS: Final = 30
"""How far the clocks of two machines may lie apart."""

_FORM: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_LATEST: Final = 2**53
"""No time of a token: infinity, and what is not a number, are beyond it, too."""


class UserTokenError(Exception):
    """Why a token does not count, as the end of a sentence that begins with it."""


def user_token(user_id: str, *, secret: bytes, expires_at: int) -> str:
    """A token for a user until `expires_at`, in seconds since 1970."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": user_id, "exp": expires_at})
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def user_of_token(token: str, *, secret: bytes, now: float) -> str:
    """The user whom a token names. Nothing in it is read before its signature is right. Raises
    UserTokenError."""
    form = _FORM.fullmatch(token)
    if form is None:
        raise UserTokenError("is no JSON Web Token")
    signed = f"{form[1]}.{form[2]}".encode()
    try:
        if not hmac.compare_digest(_decoded(form[3]), hmac.digest(secret, signed, "sha256")):
            raise UserTokenError("is not signed with the secret of this server by HS256")
        header, claims = (json.loads(_decoded(part)) for part in (form[1], form[2]))
    except (ValueError, RecursionError):
        raise UserTokenError("is no JSON Web Token") from None
    if not isinstance(header, dict) or header.get("alg") != "HS256" or "crit" in header:
        raise UserTokenError("has another algorithm than HS256, or a header that is not known here")
    return _user(claims if isinstance(claims, dict) else {}, now=now)


def _user(claims: dict[str, Any], *, now: float) -> str:
    user_id = claims.get("sub")
    if not isinstance(user_id, str) or not clean_id(user_id):
        raise UserTokenError("has no user's id as its sub, which is a text")
    if now >= _time(claims, "exp") + LEEWAY_SECONDS:
        raise UserTokenError("has expired")
    if "nbf" in claims and now < _time(claims, "nbf") - LEEWAY_SECONDS:
        raise UserTokenError("is not valid yet")
    return clean_id(user_id)


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST:
        return value
    raise UserTokenError(f"has no time as its {name}, which is in seconds since 1970")


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    return b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
