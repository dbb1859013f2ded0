"""The events in a request for a list: as rows of its user, and what is stored of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from serving.http.problems import Problem
from serving.http.schemas import FieldError, UserRequest
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


def rows_of(request: UserRequest, *, now: int, exchange_rates: ExchangeRates) -> list[Event]:
    """The events in a request as events of its user. Raises Problem."""
    rows: list[Event] = []
    seen: Seen = Counter()
    user = {"user_id": request.user_id, "visitor_id": request.visitor_id or ANONYMOUS}
    for index, event in enumerate(request.events):
        try:
            own = event.model_copy(update=user)
            rows += to_rows(own, now=now, exchange_rates=exchange_rates, seen=seen)
        except InvalidEventError as error:
            field = f"events.{index}.{error.field}"
            errors = [FieldError(field, error.message)]
            raise Problem(422, f"{field} {error.message}.", errors=errors) from None
    return rows
