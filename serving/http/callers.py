"""Who sent a request, for the endpoints: `KeyGuard` has put it into the scope."""

from __future__ import annotations

from starlette.types import Scope

from serving.access.caller import EVERYTHING, Caller
from serving.http.problems import Problem
from serving.http.schemas import FieldError, ListRequest, UserRequest


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


def refuse_trace(caller: Caller, *lists: ListRequest) -> None:
    """Raise Problem 403 where a page asks how a list came about, which is for the shop's own people."""
    if not caller.is_private and any(one.wants_trace for one in lists):
        refusal = "is not for a public key: ask with a private one"
        raise Problem(403, f"explain {refusal}.", errors=[FieldError("explain", refusal)])
