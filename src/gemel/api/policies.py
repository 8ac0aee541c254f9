"""Policies: list, check, put, delete, and why somebody may or may not do something."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_json, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import ROLES, Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.policy import ACTIONS, FORBID, PERMIT


async def listing(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.policies.documents()})


async def one(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.policies.document(request.path_params["id"]))


async def _body(request: Request) -> Json:
    found = await read_json(request)
    if not isinstance(found, dict):
        raise InvalidInput("a policy must be a JSON object", hint='like {"effect": "permit"}')
    return found


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    key, body = request.path_params["id"], await _body(request)
    return json_response(await platform.policies.put(key, body, who.name))


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.policies.delete(request.path_params["id"], who.name)
    return Response(status_code=204)


async def check(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.policies.check(await _body(request)))


async def explain(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, ("role", "action", "twin"), ("name", "property"))
    role = text_field(body, "role")
    if role not in ROLES:
        raise InvalidInput(f"role: '{role}'", hint="one of " + ", ".join(ROLES), code="RoleUnknown")
    twin = text_field(body, "twin")
    asked = Principal(text_field(body, "name"), role, (twin,))
    return json_response(
        platform.policies.explain(
            asked, text_field(body, "action"), twin, text_field(body, "property")
        )
    )


TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
POLICY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "effect": {"enum": [PERMIT, FORBID]},
        "who": {"type": "object", "properties": {"roles": TEXTS, "names": TEXTS}},
        "actions": {"type": "array", "items": {"enum": list(ACTIONS)}},
        "models": TEXTS,
        "twins": TEXTS,
        "below": {"type": "object", "properties": {"twin": {"type": "string"}, "follow": TEXTS}},
        "properties": TEXTS,
        "note": {"type": "string"},
    },
    "additionalProperties": False,
}
EXPLAIN = {
    "type": "object",
    "required": ["role", "action", "twin"],
    "properties": {
        "role": {"enum": list(ROLES)},
        "name": {"type": "string", "description": "the token's name"},
        "action": {"enum": list(ACTIONS)},
        "twin": {"type": "string"},
        "property": {"type": "string", "description": "or a relationship or command"},
    },
    "additionalProperties": False,
}
READ, WRITE = "policies:read", "policies:write"
ROUTES = [
    Route("GET", "/policies", listing, READ, "All policies"),
    Route("POST", "/policies/check", check, READ, "Check a policy, change nothing", body=POLICY),
    Route(
        "POST",
        "/policies/explain",
        explain,
        READ,
        "Who may do what, and what decides",
        body=EXPLAIN,
    ),
    Route("GET", "/policies/{id}", one, READ, "One policy"),
    Route("PUT", "/policies/{id}", put, WRITE, "Make or change a policy", body=POLICY),
    Route("DELETE", "/policies/{id}", delete, WRITE, "Delete a policy", status=204),
]
