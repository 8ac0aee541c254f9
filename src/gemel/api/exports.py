"""Readings that are copied out: exports, each with its state, made and changed as it runs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.installation import Export
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.export_settings import all_fields
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.exports.settings import KINDS


async def listed(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.exports.listing()})


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), tuple(all_fields()))
    key = request.path_params["name"]
    return json_response(await platform.exports.put(key, body, who.name))


async def restart(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, ("since",), ())
    key = request.path_params["name"]
    return json_response(await platform.exports.restart(key, text_field(body, "since")))


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.exports.delete(request.path_params["name"], who.name)
    return Response(status_code=204)


SCHEMAS: dict[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
}
A_LIST: Json = {"type": "array", "items": {"type": "string"}}
EXAMPLES = {
    "influx": "http://influx.plant.example:8086",
    "postgres": "postgresql://gemel@db.plant.example/plant",
    "http": "https://lake.plant.example/readings",
    "database": "plant",
}
FIELDS: Json = {name: dict(SCHEMAS.get(of, A_LIST)) for name, of in all_fields().items()}
for _name, _example in EXAMPLES.items():
    FIELDS[_name]["examples"] = [_example]
EXPORT: Json = {
    "type": "object",
    "oneOf": [{"required": [name]} for name in KINDS],
    "properties": FIELDS,
    "additionalProperties": False,
}
SINCE: Json = {
    "type": "object",
    "required": ["since"],
    "properties": {"since": {"type": "string", "examples": ["2026-11-01"]}},
    "additionalProperties": False,
}
READ, WRITE = "twins:read", "system:write"
ROUTES = [
    Route("GET", "/exports", listed, READ, "Exports and how they are", answer=Rows[Export]),
    Route(
        "PUT",
        "/exports/{name}",
        put,
        WRITE,
        "Make or change an export",
        body=EXPORT,
        answer=Export,
    ),
    Route(
        "POST",
        "/exports/{name}/restart",
        restart,
        WRITE,
        "Copy what is stored from a time on",
        body=SINCE,
        answer=Export,
    ),
    Route("DELETE", "/exports/{name}", delete, WRITE, "End an export", status=204),
]
