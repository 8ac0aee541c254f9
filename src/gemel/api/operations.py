"""What operators do: alarms and commands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_number, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput


async def alarms(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    state = query.get("state", "active")
    if state not in ("active", "all"):
        raise InvalidInput(f"state: '{state}' is not known", hint="active or all")
    limit = int(read_number(request, "limit", 1_000, 1, 100_000))
    twin = query.get("twin") or None
    found = platform.reactions.alarms.find(state=state, twin=twin, limit=limit)
    return json_response({"value": found})


async def alarm(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.reactions.alarms.get(request.path_params["id"]))


async def acknowledge(platform: Platform, request: Request, who: Principal) -> Response:
    comment = await _comment(request, required=False)
    return json_response(
        await platform.reactions.acknowledge(request.path_params["id"], who.name, comment)
    )


async def comment(platform: Platform, request: Request, who: Principal) -> Response:
    text = await _comment(request, required=True)
    return json_response(
        await platform.reactions.comment(request.path_params["id"], who.name, text)
    )


async def clear(platform: Platform, request: Request, who: Principal) -> Response:
    text = await _comment(request, required=True)
    return json_response(await platform.reactions.clear(request.path_params["id"], who.name, text))


async def _comment(request: Request, *, required: bool) -> str:
    body = await read_object(request, ("comment",) if required else (), ("comment",))
    text = text_field(body, "comment")
    if required and not text.strip():
        raise InvalidInput("'comment' must say something", hint="why?")
    return text


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


COMMENT = {
    "type": "object",
    "properties": {"comment": {"type": "string"}},
    "additionalProperties": False,
}
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
        "/alarms",
        alarms,
        "alarms:read",
        "Alarms, the most urgent first",
        query=(("state", "active or all"), ("twin", "only of this twin"), LIMIT),
    ),
    Route("GET", "/alarms/{id}", alarm, "alarms:read", "One alarm"),
    Route(
        "POST", "/alarms/{id}/acknowledge", acknowledge, "alarms:write", "Acknowledge", body=COMMENT
    ),
    Route("POST", "/alarms/{id}/comment", comment, "alarms:write", "Say something", body=COMMENT),
    Route("POST", "/alarms/{id}/clear", clear, "alarms:write", "Close it by hand", body=COMMENT),
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
