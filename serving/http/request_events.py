"""The events in a request for a list: as rows of its user, and what of them is to be stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from serving.http.problems import Problem, invalid_field
from serving.http.schemas import FieldError, ListsRequest, UserRequest
from serving.state.event_log import Event
from serving.state.live_events import ExchangeRates, InvalidEventError, Seen, Sent, to_rows, without_excluded

ANONYMOUS = "anonymous"
"""The visitor_id of events in a request that names no user; they are not stored."""


def without_identity(request: Sent, exclude: Collection[str]) -> Sent:
    """A request without ids that are no person's (`data.exclude`); without consent, with no id at all, so
    that nothing stored is read and nothing is kept."""
    if getattr(request, "consent"):  # noqa: B009  (a type variable has no fields)
        return without_excluded(request, exclude)
    return request.model_copy(update={"user_id": None, "visitor_id": None, "session_id": None})


@dataclass(frozen=True)
class Recording:
    """Events of a request that are stored when its list is made. The list knows them already."""

    rows: list[Event]
    now: int
    """Their time where they have none, and the list's; microseconds since 1970 UTC"""


def recording_of(
    request: ListsRequest, *, exclude: Collection[str], now: int, exchange_rates: ExchangeRates
) -> Recording:
    """What a request with `record` stores: its events, with the request's user and session where they have no
    session of their own. Raises Problem, and then nothing is stored."""
    for name, contradicts in (("consent", not request.consent), ("validate_only", request.validate_only)):
        if contradicts:
            value = str(getattr(request, name)).lower()
            raise invalid_field("record", f"true contradicts {name}: {value}, which stores nothing")
    own = without_identity(request, exclude)
    if own.user_id is None and own.visitor_id is None:
        whose = "send user_id or visitor_id" if own is request else "the user is in data.exclude, no person"
        raise invalid_field("record", f"true needs somebody whose events these are: {whose}")
    who = {"user_id": own.user_id, "visitor_id": own.visitor_id}
    return Recording(_rows(own, who, now=now, exchange_rates=exchange_rates, shared=_shared(own)), now)


def _shared(request: ListsRequest) -> dict[str, Any]:
    """What fills the empty fields of events that are stored."""
    return {"session_id": request.session_id}


def rows_of(request: UserRequest, *, now: int, exchange_rates: ExchangeRates) -> list[Event]:
    """The events in a request as events of its user. Raises Problem."""
    who = {"user_id": request.user_id, "visitor_id": request.visitor_id or ANONYMOUS}
    return _rows(request, who, now=now, exchange_rates=exchange_rates, shared={})


def _rows(
    request: UserRequest,
    who: dict[str, str | None],
    *,
    now: int,
    exchange_rates: ExchangeRates,
    shared: dict[str, Any],
) -> list[Event]:
    rows: list[Event] = []
    seen: Seen = Counter()
    for index, event in enumerate(request.events):
        try:
            filled = {name: value for name, value in shared.items() if getattr(event, name) is None}
            own = event.model_copy(update={**filled, **who})
            rows += to_rows(own, now=now, exchange_rates=exchange_rates, seen=seen)
        except InvalidEventError as error:
            field = f"events.{index}.{error.field}"
            errors = [FieldError(field, error.message)]
            raise Problem(422, f"{field} {error.message}.", errors=errors) from None
    return rows
