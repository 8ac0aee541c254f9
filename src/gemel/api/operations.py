"""What operators do with commands; alarms are in `alarms`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_number, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput


async def commands(platform: Platform, request: Request, _: Principal) -> Response:
    limit = int(read_number(request, "limit", 100, 1, 10_000))
    twin = request.query_params.get("twin") or None
    found = platform.reactions.dispatch.book.find(twin=twin, limit=limit)
    return json_response({"value": [command.document() for command in found]})


async def command(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.reactions.dispatch.book.get(request.path_params["id"]).document())


async def send(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("twin", "command"), ("id", "arguments", "deadline"))
    deadline = body.get("deadline", 300)
    if isinstance(deadline, bool) or not isinstance(deadline, int | float):
        raise InvalidInput("'deadline' must be a number of seconds")
    if not 0 < deadline <= 30 * 86_400:
        raise InvalidInput("'deadline' must be more than 0 s and at most 30 days")
    found = await platform.reactions.dispatch.send(
        text_field(body, "id", limit=100) or None,
        text_field(body, "twin"),
        text_field(body, "command"),
        body.get("arguments"),
        who.name,
        float(deadline),
    )
    return json_response(found, 202)


COMMAND = {
    "type": "object",
    "required": ["twin", "command"],
    "properties": {
        "id": {"type": "string", "description": "a repeated id is the same command"},
        "twin": {"type": "string"},
        "command": {"type": "string"},
        "arguments": {},
        "deadline": {"type": "number", "description": "seconds; 300 unless said"},
    },
    "additionalProperties": False,
}
LIMIT = ("limit", "at most this many")
ROUTES = [
    Route(
        "GET",
        "/commands",
        commands,
        "commands:read",
        "Commands, the newest first",
        query=(("twin", "only of this twin"), LIMIT),
    ),
    Route("GET", "/commands/{id}", command, "commands:read", "One command with its steps"),
    Route("POST", "/commands", send, "commands:send", "Send a command", body=COMMAND, status=202),
]
