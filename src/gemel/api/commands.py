"""Commands: ask for one (or see what the guards would say), approve, refuse, cancel, stop all."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.commands import Command, DryRun, KillSwitch
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_number, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

ASKED = ("id", "arguments", "unit", "deadline", "ifRevision", "service", "dryRun")
LONGEST_DEADLINE = 30 * 86_400


async def commands(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    limit = int(read_number(request, "limit", 100, 1, 10_000))
    wanted = query.get("state", "all")
    if wanted not in STATES:
        raise InvalidInput(f"state: '{wanted}' is not known", hint="one of " + ", ".join(STATES))
    book = platform.reactions.dispatch.book
    found = book.find(twin=query.get("twin") or None, state=wanted, limit=limit)
    return json_response({"value": [command.document() for command in found]})


STATES = ("all", "open", "awaiting", "queued", "over")


async def command(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.reactions.dispatch.book.get(request.path_params["id"]).document())


async def send(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("twin", "command"), ASKED)
    dispatch = platform.reactions.dispatch
    ask = dispatch.guarding.asked(
        who,
        text_field(body, "twin"),
        text_field(body, "command"),
        body.get("arguments"),
        _deadline(body),
        key=text_field(body, "id", limit=100),
        unit=text_field(body, "unit", limit=100),
        revision=text_field(body, "ifRevision", limit=200),
        service=_service(body),
    )
    if _is_dry(request, body):
        return json_response(dispatch.dry_run(ask))
    return json_response(await dispatch.send(ask), 202)


def _is_dry(request: Request, body: Json) -> bool:
    said = request.query_params.get("dryRun")
    if said not in (None, "true", "false"):
        raise InvalidInput(f"dryRun: '{said}' is not known", hint="true or false")
    found = body.get("dryRun", said == "true")
    if not isinstance(found, bool):
        raise InvalidInput("'dryRun' must be true or false")
    return found


def _deadline(body: Json) -> float:
    deadline = body.get("deadline", 300)
    if isinstance(deadline, bool) or not isinstance(deadline, int | float):
        raise InvalidInput("'deadline' must be a number of seconds")
    if not 0 < deadline <= LONGEST_DEADLINE:
        raise InvalidInput("'deadline' must be more than 0 s and at most 30 days")
    return float(deadline)


def _service(body: Json) -> str:
    service = text_field(body, "service", limit=100)
    if service.startswith("rule "):
        raise InvalidInput("'service' must not begin with 'rule '", hint="that is how rules ask")
    return service


async def approve(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("hash",), ("comment",))
    found = await platform.reactions.dispatch.approve(
        request.path_params["id"],
        who,
        text_field(body, "hash", limit=100),
        text_field(body, "comment", limit=1_000),
    )
    return json_response(found)


async def refuse(platform: Platform, request: Request, who: Principal) -> Response:
    why = await _comment(request)
    key = request.path_params["id"]
    return json_response(await platform.reactions.dispatch.refuse(key, who.name, why))


async def cancel(platform: Platform, request: Request, who: Principal) -> Response:
    why = await _comment(request)
    key = request.path_params["id"]
    return json_response(await platform.reactions.dispatch.cancel(key, who.name, why))


async def _comment(request: Request) -> str:
    body = await read_object(request, (), ("comment",))
    return text_field(body, "comment", limit=1_000)


# ---- automatic commands ------------------------------------------------------------------------


async def switch(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(platform.reactions.dispatch.guarding.switch())


async def stop(platform: Platform, request: Request, who: Principal) -> Response:
    return await _turn(platform, request, who, engaged=True)


async def resume(platform: Platform, request: Request, who: Principal) -> Response:
    return await _turn(platform, request, who, engaged=False)


async def _turn(platform: Platform, request: Request, who: Principal, *, engaged: bool) -> Response:
    body = await read_object(request, (), ("reason",))
    reason = text_field(body, "reason", limit=1_000)
    return json_response(await platform.reactions.dispatch.switch(engaged, who.name, reason))


async def autonomies(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.reactions.dispatch.guarding.autonomies()})


async def put_autonomy(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("level",), LEVEL_FIELDS)
    service = request.path_params["service"]
    dispatch = platform.reactions.dispatch
    return json_response(await dispatch.set_autonomy(service, body, who.name))


async def delete_autonomy(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.reactions.dispatch.set_autonomy(request.path_params["service"], None, who.name)
    return Response(status_code=204)


LEVEL_FIELDS = ("minimum", "maximum", "most", "seconds", "when")
COMMAND: dict[str, Any] = {
    "type": "object",
    "required": ["twin", "command"],
    "properties": {
        "id": {"type": "string", "description": "a repeated id is the same command"},
        "twin": {"type": "string"},
        "command": {"type": "string"},
        "arguments": {},
        "unit": {"type": "string", "description": "of a single number; the model's unless said"},
        "deadline": {"type": "number", "description": "seconds; 300 unless said"},
        "ifRevision": {"type": "string", "description": "the twin's $etag as it was read"},
        "service": {"type": "string", "description": "asks by itself, as far as it may"},
        "dryRun": {"type": "boolean", "description": "only say what the guards would answer"},
    },
    "additionalProperties": False,
}
APPROVE = {
    "type": "object",
    "required": ["hash"],
    "properties": {"hash": {"type": "string"}, "comment": {"type": "string"}},
    "additionalProperties": False,
}
COMMENT = {
    "type": "object",
    "properties": {"comment": {"type": "string"}},
    "additionalProperties": False,
}
REASON = {
    "type": "object",
    "properties": {"reason": {"type": "string"}},
    "additionalProperties": False,
}
LEVEL: dict[str, Any] = {
    "type": "object",
    "required": ["level"],
    "properties": {
        "level": {"enum": ["suggest", "approve", "act"]},
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "most": {"type": "integer"},
        "seconds": {"type": "number"},
        "when": {"type": "string", "examples": ["between 06:00 and 22:00"]},
    },
    "additionalProperties": False,
}
QUERY = (
    ("twin", "only of this twin"),
    ("state", "all, open, awaiting (a person's word), queued or over"),
    ("limit", "at most this many"),
)
DRY = (("dryRun", "true: only say what the guards would answer"),)
ROUTES = [
    Route(
        "GET",
        "/commands",
        commands,
        "commands:read",
        "Commands, newest first",
        query=QUERY,
        answer=Rows[Command],
    ),
    Route(
        "GET",
        "/commands/{id}",
        command,
        "commands:read",
        "One command with its steps",
        answer=Command,
    ),
    Route(
        "POST",
        "/commands",
        send,
        "commands:send",
        "Send a command",
        body=COMMAND,
        query=DRY,
        status=202,
        answer=Command | DryRun,
    ),
    Route(
        "POST",
        "/commands/{id}/approve",
        approve,
        "commands:send",
        "Approve what somebody else asked for",
        body=APPROVE,
        answer=Command,
    ),
    Route(
        "POST",
        "/commands/{id}/refuse",
        refuse,
        "commands:send",
        "Refuse it",
        body=COMMENT,
        answer=Command,
    ),
    Route(
        "POST",
        "/commands/{id}/cancel",
        cancel,
        "commands:send",
        "Take back what was not sent",
        body=COMMENT,
        answer=Command,
    ),
    Route(
        "GET",
        "/killswitch",
        switch,
        "commands:read",
        "Whether automatic commands are stopped",
        answer=KillSwitch,
    ),
    Route(
        "POST",
        "/killswitch/stop",
        stop,
        "commands:send",
        "Stop all automatic commands at once",
        body=REASON,
        answer=KillSwitch,
    ),
    Route(
        "POST",
        "/killswitch/resume",
        resume,
        "commands:resume",
        "Let automatic commands begin again",
        body=REASON,
        answer=KillSwitch,
    ),
    Route("GET", "/autonomy", autonomies, "commands:read", "How far rules and services may go"),
    Route(
        "PUT",
        "/autonomy/{service}",
        put_autonomy,
        "rules:write",
        "Set how far a rule or service may go by itself",
        body=LEVEL,
    ),
    Route(
        "DELETE",
        "/autonomy/{service}",
        delete_autonomy,
        "rules:write",
        "Take that back",
        status=204,
    ),
]
