# mypy: disable-error-code="no-any-return"
"""The calls of the API as methods, each with the fields of its request as keyword arguments.

The types of the answers are those of the server's OpenAPI document; they are not checked again here.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from serving.client import types as t

_AGAIN: Final = (429, 503, 504)
"""Statuses after which nothing was stored, or what was sent counts once: the call is made again."""
_MAX_WAIT_SECONDS: Final = 5.0


class ApiError(Exception):
    """An answer that is none: the problem details (RFC 9457) of the server."""

    def __init__(self, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(f"{status}: {detail}")
        self.status, self.detail, self.errors = status, detail, errors


class Client:
    """Use it as a context manager, or close it; threads may share it.

    >>> with Client("http://127.0.0.1:8000") as shop:
    ...     shop.recommend(user_id="1234", surface="home", num_results=5)
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 2.0,
        tries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`tries`: how often a call is made where the server is busy or cannot be reached; waits in between
        grow, or are those that the server asks for (`Retry-After`)."""
        headers = {"X-API-Key": api_key} if api_key else None
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, transport=transport)
        self._tries = tries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def recommend(self, **request: Unpack[t.RecommendRequest]) -> t.RecommendResponse:
        """A list for a user on a surface."""
        return self._call("POST", "/v1/recommend", request)

    def page(self, **request: Unpack[t.PageRequest]) -> t.PageResponse:
        """Several lists for one page, no item twice."""
        return self._call("POST", "/v1/page", request)

    def rank(self, **request: Unpack[t.RankRequest]) -> t.RankResponse:
        """The order in which a user would want some items."""
        return self._call("POST", "/v1/rank", request)

    def send_events(self, events: Sequence[t.LiveEvent]) -> t.EventsResponse:
        """Record events. One without an event_id gets one, so that it counts once however often it is
        sent."""
        sent = [{"event_id": uuid.uuid4().hex, **event} for event in events]
        return self._call("POST", "/v1/events", {"events": sent})

    def put_item(self, item_id: str, **fields: Unpack[t.ItemFields]) -> t.ItemStatus:
        """Add an item, or change what is said of it; None clears a field."""
        return self._call("PUT", f"/v1/items/{_quoted(item_id)}", fields)

    def put_items(self, items: Sequence[t.Item]) -> t.ItemsResponse:
        """Add or change many items, all or none."""
        return self._call("POST", "/v1/items", {"items": items})

    def delete_item(self, item_id: str) -> t.ItemStatus:
        """Take an item out of all lists."""
        return self._call("DELETE", f"/v1/items/{_quoted(item_id)}")

    def item(self, item_id: str) -> t.CatalogueItem:
        """One item of the catalogue."""
        return self._call("GET", f"/v1/items/{_quoted(item_id)}")

    def search_items(self, query: str = "", *, limit: int = 20) -> t.CatalogueItems:
        """Items whose id, title, category and brand have all words; without a word, the best-selling."""
        return self._call("GET", "/v1/items", parameters={"query": query, "limit": limit})

    def merge_users(self, *, visitor_id: str, user_id: str) -> t.MergeResponse:
        """A visitor logged in as a user."""
        return self._call("POST", "/v1/users/merge", {"visitor_id": visitor_id, "user_id": user_id})

    def put_user(self, user_id: str, **fields: Unpack[t.UserFields]) -> t.UserStatus:
        """What the shop knows of a user, and their consent."""
        return self._call("PUT", f"/v1/users/{_quoted(user_id)}", fields)

    def user(self, user_id: str, *, limit: int = 50) -> t.UserHistory:
        """The latest events of a user; a visitor is `visitor:` and the visitor_id."""
        return self._call("GET", f"/v1/users/{_quoted(user_id)}", parameters={"limit": limit})

    def delete_user(self, user_id: str) -> t.UserStatus:
        """Forget a user."""
        return self._call("DELETE", f"/v1/users/{_quoted(user_id)}")

    def ready(self) -> t.Readiness:
        """Which bundle answers, and whether events are accepted. Raises ApiError where no list is
        answered."""
        return self._call("GET", "/readyz")

    def _call(
        self, method: str, path: str, body: object = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Any:
        """The content of the answer. Raises ApiError, and httpx.TransportError where no answer came."""
        for number in range(1, self._tries + 1):
            is_last = number == self._tries
            try:
                response = self._http.request(method, path, json=body, params=parameters)
            except httpx.TransportError:
                if is_last:
                    raise
                time.sleep(_wait_seconds(number))
                continue
            if response.is_success:
                return response.json()
            if is_last or response.status_code not in _AGAIN:
                raise _error(response)
            time.sleep(_wait_seconds(number, asked=response.headers.get("Retry-After")))
        raise AssertionError("the last try returns or raises")


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _wait_seconds(number: int, *, asked: str | None = None) -> float:
    """Longer after each try, and never the same for two callers."""
    seconds = float(asked) if asked and asked.isdigit() else 0.1 * 2**number
    return min(seconds, _MAX_WAIT_SECONDS) * random.uniform(0.5, 1.0)


def _error(response: httpx.Response) -> ApiError:
    try:
        details = response.json()
        return ApiError(response.status_code, details["detail"], details["errors"])
    except (ValueError, KeyError, TypeError):
        return ApiError(response.status_code, response.text[:500])
