"""Who sent a request, by its key, and what that caller may see and say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from serving.access.token_secret import UserTokens
from serving.access.user_tokens import UserTokenError


@dataclass(frozen=True, slots=True)
class Caller:
    """The shop's back end, with a private key, or a page, with a public one."""

    columns: frozenset[str] | None = None
    """Columns of the catalogue that a request may name; None: all"""
    tokens: UserTokens | None = None
    """What must vouch for a user whom a request names; None: nothing"""

    @property
    def is_private(self) -> bool:
        """Whether the caller may do everything."""
        return self.tokens is None

    def named_user(self, token: str | None) -> NamedUser | None:
        """The one user whom a request with this token may name; None: it may name any."""
        if self.tokens is None:
            return None
        if token is None:
            return NamedUser(None, "there is none")
        try:
            return NamedUser(self.tokens.user_of(token), "it is another user's")
        except UserTokenError as error:
            return NamedUser(None, f"it {error}")


@dataclass(frozen=True, slots=True)
class NamedUser:
    """The user for whom a token vouches, and nobody where it does not count."""

    user_id: str | None
    why_no_other: str

    def refusal_of(self, user_id: str) -> str | None:
        """Why a request may not name this user; a sentence without its full stop."""
        if user_id == self.user_id:
            return None
        return f"may be named with a public key only beside a user_token of this user: {self.why_no_other}"


EVERYTHING: Final = Caller()
"""With a private key, or where there are no keys and every caller is on this machine."""
