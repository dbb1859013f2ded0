"""Who sent a request, for the endpoints: `KeyGuard` has put it into the scope."""

from __future__ import annotations

from starlette.types import Scope

from serving.access.caller import EVERYTHING, Caller
from serving.http.problems import Problem
from serving.http.schemas import FieldError, UserRequest


def caller_of(scope: Scope) -> Caller:
    """Where no key is asked for, every caller is on this machine and may do everything."""
    caller: Caller = scope.get("caller", EVERYTHING)
    return caller


def caller_for(scope: Scope, request: UserRequest) -> Caller:
    """The caller, who may ask for the user that the request names. Raises Problem 403."""
    caller = caller_of(scope)
    if request.user_id is None:
        return caller
    only = caller.named_user(request.user_token)
    refusal = None if only is None else only.refusal_of(request.user_id)
    if refusal is not None:
        raise Problem(403, f"user_id {refusal}.", errors=[FieldError("user_id", refusal)])
    return caller
