"""What the settings of the page show: the installation, its connectors, and what roles may do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.installation import Browsed, Connector, Installation, Modelled, Role
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import ANYONE, Route
from gemel.api.session import LOGGED_IN
from gemel.app import opcua_twins
from gemel.app.connection_settings import KINDS, all_fields
from gemel.app.installation import installation
from gemel.app.platform import Platform
from gemel.core.access import ROLES, Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound


async def shown(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(await installation(platform))


async def roles(_: Platform, __: Request, ___: Principal) -> Response:
    found = [{"role": role, "permissions": sorted(may)} for role, may in ROLES.items()]
    return json_response({"value": found})


async def authority(platform: Platform, _: Request, __: Principal) -> Response:
    """The certificate that clients trust to trust this server; it is no secret."""
    if not platform.listening.authority:
        raise NotFound(
            "this server has no certificate authority of its own",
            hint="it has one with 'tls = true' and no certificate given",
        )
    headers = {"content-disposition": 'attachment; filename="gemel-authority.pem"'}
    loop = asyncio.get_running_loop()
    content = await loop.run_in_executor(None, Path(platform.listening.authority).read_bytes)
    return Response(content, media_type="application/x-x509-ca-cert", headers=headers)


async def connections(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.connections.listing()})


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), tuple(all_fields()))
    key = request.path_params["name"]
    return json_response(await platform.connections.put(key, body, who.name))


async def browse(platform: Platform, request: Request, _: Principal) -> Response:
    given = request.query_params
    depth = given.get("depth", "1")
    if not depth.isascii() or not depth.isdigit() or len(depth) > 3:
        raise InvalidInput("'depth' must be a whole number", hint="1 to 16")
    key, node = request.path_params["name"], given.get("node", "")
    return json_response(await opcua_twins.browse(platform, key, node, int(depth)))


async def make_twin(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("node",), ("twin", "dryRun"))
    node, twin = text_field(body, "node"), text_field(body, "twin")
    is_dry = body.get("dryRun", False)
    if not isinstance(is_dry, bool):
        raise InvalidInput("'dryRun' must be true or false")
    key = request.path_params["name"]
    found = await opcua_twins.model(platform, key, node, twin, who.name, is_dry=is_dry)
    return json_response(found)


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.connections.delete(request.path_params["name"], who.name)
    return Response(status_code=204)


SCHEMAS: dict[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}
A_LIST: Json = {"type": "array", "items": {"type": "string"}}
EXAMPLES = {
    "broker": "broker.plant.example:1883",
    "opcua": "opc.tcp://press.plant.example:4840",
    "modbus": "meter.plant.example:502",
}
FIELDS: Json = {name: dict(SCHEMAS.get(of, A_LIST)) for name, of in all_fields().items()}
for _name, _example in EXAMPLES.items():
    FIELDS[_name]["examples"] = [_example]
BROWSED = (("node", "Node id or browse path; / if left out"), ("depth", "Levels, 1 to 16; 1"))
OBJECT: Json = {
    "type": "object",
    "required": ["node"],
    "properties": {
        "node": {"type": "string", "examples": ["/Plant/Press"]},
        "twin": {"type": "string"},
        "dryRun": {"type": "boolean"},
    },
    "additionalProperties": False,
}
CONNECTION: Json = {
    "type": "object",
    "oneOf": [{"required": [name]} for name in KINDS],
    "properties": FIELDS,
    "additionalProperties": False,
}
WRITE = "system:write"
ROUTES = [
    Route(
        "GET",
        "/installation",
        shown,
        "twins:read",
        "Version, addresses, storage",
        answer=Installation,
    ),
    Route("GET", "/roles", roles, LOGGED_IN, "The roles and what each may do", answer=Rows[Role]),
    Route("GET", "/authority.pem", authority, ANYONE, "The own certificate authority"),
    Route(
        "GET",
        "/connections",
        connections,
        "twins:read",
        "Connectors and how they are",
        answer=Rows[Connector],
    ),
    Route(
        "PUT",
        "/connections/{name}",
        put,
        WRITE,
        "Make or change a connector",
        body=CONNECTION,
        answer=Connector,
    ),
    Route(
        "GET",
        "/connections/{name}/browse",
        browse,
        "plant:write",
        "What an OPC UA server or a Modbus device has",
        query=BROWSED,
        answer=Browsed,
    ),
    Route(
        "POST",
        "/connections/{name}/twins",
        make_twin,
        "plant:write",
        "A model and a twin of an object of an OPC UA server, or of a Modbus device",
        body=OBJECT,
        answer=Modelled,
    ),
    Route("DELETE", "/connections/{name}", delete, WRITE, "End a connector", status=204),
]
