"""Who is told of alarms: receivers, notifications, and the notices that were sent."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.notify import Notice, Notification, Receiver
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_json, read_number
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

WRITE = "rules:write"
ANY = {"type": "object"}


async def _body(request: Request) -> Json:
    found = await read_json(request)
    if not isinstance(found, dict):
        raise InvalidInput("the body must be a JSON object", hint="like {...}")
    return found


async def receivers(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.reactions.notify.receiver_views()})


async def put_receiver(platform: Platform, request: Request, who: Principal) -> Response:
    key = request.path_params["id"]
    body = await _body(request)
    return json_response(await platform.reactions.notify.put_receiver(key, body, who.name))


async def delete_receiver(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.reactions.notify.delete("receiver", request.path_params["id"], who.name)
    return Response(status_code=204)


async def try_receiver(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(await platform.reactions.notify.test(request.path_params["id"]))


async def notifications(platform: Platform, _: Request, __: Principal) -> Response:
    found = platform.catalogue.plain["notification"]
    return json_response({"value": [{"id": key, **doc} for key, doc in sorted(found.items())]})


async def put_notification(platform: Platform, request: Request, who: Principal) -> Response:
    key = request.path_params["id"]
    body = await _body(request)
    return json_response(await platform.reactions.notify.put_notification(key, body, who.name))


async def delete_notification(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.reactions.notify.delete("notification", request.path_params["id"], who.name)
    return Response(status_code=204)


async def notices(platform: Platform, request: Request, _: Principal) -> Response:
    state = request.query_params.get("state", "")
    limit = int(read_number(request, "limit", 200, 1, 1_000))
    return json_response({"value": platform.reactions.notify.outbox.find(state, limit)})


ROUTES = [
    Route(
        "GET",
        "/receivers",
        receivers,
        WRITE,
        "Who can be told of alarms, and how",
        answer=Rows[Receiver],
    ),
    Route(
        "PUT",
        "/receivers/{id}",
        put_receiver,
        WRITE,
        "Make or replace a receiver",
        body=ANY,
        answer=Receiver,
    ),
    Route("DELETE", "/receivers/{id}", delete_receiver, WRITE, "Delete a receiver", status=204),
    Route("POST", "/receivers/{id}/test", try_receiver, WRITE, "Send it a test message now"),
    Route(
        "GET",
        "/notifications",
        notifications,
        WRITE,
        "Who is told of which alarms, and when",
        answer=Rows[Notification],
    ),
    Route(
        "PUT",
        "/notifications/{id}",
        put_notification,
        WRITE,
        "Make or replace a notification",
        body=ANY,
        answer=Notification,
    ),
    Route(
        "DELETE",
        "/notifications/{id}",
        delete_notification,
        WRITE,
        "Delete a notification",
        status=204,
    ),
    Route(
        "GET",
        "/notices",
        notices,
        "alarms:read",
        "What was told to whom, the newest first",
        query=(("state", "waiting, sent, failed or skipped"), ("limit", "at most this many")),
        answer=Rows[Notice],
    ),
]
