"""The endpoints that change users: attributes and consent, merge at login, and deletion."""

from __future__ import annotations

from fastapi import APIRouter, Request

from serving.http.path_ids import id_of_path
from serving.http.problems import problem_responses
from serving.http.query_parameters import ONLY_KNOWN_PARAMETERS
from serving.http.request_body import openapi_body
from serving.http.service import Service
from serving.http.user_schemas import MergeRequest, MergeResponse, UserFields, UserStatus


def user_routes(service: Service) -> APIRouter:
    """A user_id in a path; a visitor's is `visitor:` and the visitor_id."""
    router = APIRouter(
        prefix="/v1/users",
        tags=["users"],
        responses=problem_responses(400, 404, 408, 413, 422, 503),
        dependencies=ONLY_KNOWN_PARAMETERS,
    )

    @router.post("/merge", summary="A visitor logged in as a user", openapi_extra=openapi_body(MergeRequest))
    async def merge(request: Request) -> MergeResponse:
        """The visitor's events become the user's, and count in the next list."""
        users, wanted = service.store.users, MergeRequest.model_validate_json(await request.body())
        if users.suppression(wanted.user_id) == "no_consent":
            await users.forget(f"visitor:{wanted.visitor_id}", reason="no_consent", now=service.now())
            return MergeResponse(wanted.user_id, events=0)
        return MergeResponse(wanted.user_id, await users.merge(wanted.visitor_id, wanted.user_id))

    @router.put(
        "/{user_id:path}",
        summary="What the shop knows of a user, and their consent",
        openapi_extra=openapi_body(UserFields),
    )
    async def put(user_id: str, request: Request) -> UserStatus:
        users, key = service.store.users, id_of_path(user_id, "user_id")
        sent = UserFields.model_validate_json(await request.body())
        if sent.consent is False:
            await users.forget(key, reason="no_consent", now=service.now())
        elif sent.consent:
            await users.give_consent(key)
        if sent.attributes is not None and users.suppression(key) != "no_consent":
            await users.put_attributes(key, sent.attributes)
        consent = False if users.suppression(key) == "no_consent" else None
        return UserStatus(key, "changed", consent=consent, attributes=users.attributes(key))

    @router.delete("/{user_id:path}", summary="Forget a user")
    async def delete(user_id: str) -> UserStatus:
        """Their events and attributes are deleted, with those of the visitors on the same device, and they
        are left out of the next tables. Whoever was never known is forgotten as well."""
        key = id_of_path(user_id, "user_id")
        await service.store.users.forget(key, reason="deleted", now=service.now())
        return UserStatus(key, "deleted", consent=None, attributes={})

    return router
