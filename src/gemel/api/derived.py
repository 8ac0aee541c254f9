"""Derived properties: list, check, make, change, delete."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.formulas import FIELDS
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json

NEEDED = ("model", "property", "formula")
FURTHER = ("id", "version", *(name for name in FIELDS if name not in NEEDED))


async def derived(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.derived.views()})


async def one(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.derived.view(request.path_params["id"]))


def _document(body: Json) -> Json:
    return {name: value for name, value in body.items() if name in FIELDS}


async def check(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, NEEDED, FURTHER)
    key = text_field(body, "id", "derived", limit=200)
    return json_response(platform.derived.check(key, _document(body)))


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, NEEDED, FURTHER)
    key = request.path_params["id"]
    return json_response(await platform.derived.put(key, _document(body), who.name))


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.derived.delete(request.path_params["id"], who.name)
    return Response(status_code=204)


DERIVED = {
    "type": "object",
    "required": list(NEEDED),
    "properties": {
        "model": {"type": "string", "description": "DTMI; it is computed for every twin of it"},
        "property": {"type": "string", "description": "the name of the property that it gives"},
        "formula": {"type": "string", "examples": ["sum of power of Motor in contains"]},
        "unit": {"type": "string", "examples": ["kW"]},
        "every": {"type": "number", "description": "seconds between two values, at the least"},
        "lateness": {"type": "number", "description": "seconds that readings may come late"},
        "title": {"type": "string"},
    },
}
READ, WRITE = "rules:read", "rules:write"
ROUTES = [
    Route("GET", "/derived", derived, READ, "All derived properties"),
    Route("POST", "/derived/check", check, READ, "Check a formula, change nothing", body=DERIVED),
    Route("GET", "/derived/{id}", one, READ, "One derived property"),
    Route("PUT", "/derived/{id}", put, WRITE, "Make or change a derived property", body=DERIVED),
    Route("DELETE", "/derived/{id}", delete, WRITE, "Delete a derived property", status=204),
]
