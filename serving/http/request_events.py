"""The events in a request for a list: as rows of its user, and what of them is to be stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from features.core.ids import user_key
from serving.http.problems import Problem, invalid_field
from serving.http.schemas import FieldError, ListsRequest, UserRequest
from serving.state.event_log import Event
from serving.state.live_events import (
    ExchangeRates,
    InvalidEventError,
    LiveEvent,
    Seen,
    to_rows,
    without_excluded,
)

ANONYMOUS: Final = "anonymous"
"""The visitor_id of events in a request that names no user; they are not stored."""

Asked = TypeVar("Asked", bound=UserRequest)


def without_identity(request: Asked, exclude: Collection[str]) -> Asked:
    """A request without ids that are no person's (`data.exclude`); without consent, with no id at all, so
    that nothing stored is read and nothing is kept."""
    if request.consent:
        return without_excluded(request, exclude)
    return request.model_copy(update={"user_id": None, "visitor_id": None, "session_id": None})


@dataclass(frozen=True)
class Recording:
    """Events of a request that are stored when its list is made. The list knows them already."""

    rows: list[Event]
    now: int
    """Their time where they have none, and the list's; microseconds since 1970 UTC"""
    users: tuple[str, ...]
    """The keys of whose they are"""


def recording_of(
    request: ListsRequest, *, exclude: Collection[str], now: int, exchange_rates: ExchangeRates
) -> Recording:
    """What a request with `record` stores: its events, with the request's user, and its session and context
    where they say nothing themselves. Raises Problem, and then nothing is stored."""
    for name, contradicts in (("consent", not request.consent), ("validate_only", request.validate_only)):
        if contradicts:
            value = str(getattr(request, name)).lower()
            raise invalid_field("record", f"true contradicts {name}: {value}, which stores nothing")
    own = without_identity(request, exclude)
    if own.user_id is None and own.visitor_id is None:
        whose = "send user_id or visitor_id" if own is request else "the user is in data.exclude, no person"
        raise invalid_field("record", f"true needs somebody whose events these are: {whose}")

    def completed(event: LiveEvent) -> LiveEvent:
        return event.model_copy(update=_missing(event, own))

    keys = user_key(user_id=own.user_id, visitor_id=None), user_key(user_id=None, visitor_id=own.visitor_id)
    rows = _rows(own, completed, now=now, exchange_rates=exchange_rates)
    return Recording(rows, now, users=tuple(key for key in keys if key is not None))


def _missing(event: LiveEvent, request: ListsRequest) -> dict[str, Any]:
    """What a request says of one of its events that the event does not say itself, and whose it is."""
    context = request.context
    shared = {"session_id": request.session_id, **(context.columns() if context else {})}
    found: dict[str, Any] = {name: value for name, value in shared.items() if getattr(event, name) is None}
    if context is not None and (attributes := context.attributes()):
        found["attributes"] = attributes | (event.attributes or {})
    return {**found, "user_id": request.user_id, "visitor_id": request.visitor_id}


def rows_of(request: UserRequest, *, now: int, exchange_rates: ExchangeRates) -> list[Event]:
    """The events in a request as events of its user. Raises Problem."""
    who = {"user_id": request.user_id, "visitor_id": request.visitor_id or ANONYMOUS}
    return _rows(request, lambda event: event.model_copy(update=who), now=now, exchange_rates=exchange_rates)


def _rows(
    request: UserRequest,
    completed: Callable[[LiveEvent], LiveEvent],
    *,
    now: int,
    exchange_rates: ExchangeRates,
) -> list[Event]:
    rows: list[Event] = []
    seen: Seen = Counter()
    for index, event in enumerate(request.events):
        try:
            rows += to_rows(completed(event), now=now, exchange_rates=exchange_rates, seen=seen)
        except InvalidEventError as error:
            field = f"events.{index}.{error.field}"
            errors = [FieldError(field, error.message)]
            raise Problem(422, f"{field} {error.message}.", errors=errors) from None
    return rows
