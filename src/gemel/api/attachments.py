"""Photos and notes of twins and work orders over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.alarms import Attachment
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_body, read_number
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.attachments import MOST_IMAGE_BYTES
from gemel.app.platform import Platform
from gemel.core.access import Principal

READ, WRITE = "alarms:read", "alarms:write"
ABOUT = ("twin", "order", "caption")


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    found = platform.attachments.find(
        twin=query.get("twin", ""),
        order=query.get("order", ""),
        limit=int(read_number(request, "limit", 1_000, 1, 100_000)),
    )
    return json_response({"value": found})


async def one(platform: Platform, request: Request, _: Principal) -> Response:
    key = request.path_params["id"]
    content = await platform.attachments.read(key)
    kind = platform.attachments.get(key)["type"]
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    if kind == "text/plain":
        kind += "; charset=utf-8"
    return Response(content, headers={**headers, "Content-Type": kind})


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    about = {name: request.query_params.get(name, "") for name in ABOUT}
    content = await read_body(request, MOST_IMAGE_BYTES)
    key = request.path_params["id"]
    doc, is_new = await platform.attachments.put(key, about, kind, content, who.name)
    return json_response(doc, 201 if is_new else 200)


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.attachments.delete(request.path_params["id"], who.name)
    return Response(status_code=204)


QUERY = (
    ("twin", "of this twin, those of its work orders too"),
    ("order", "of this work order"),
    ("limit", "at most this many"),
)
PUT_QUERY = (
    ("twin", "what it belongs to"),
    ("order", "or the work order, and its twin"),
    ("caption", "a line about it"),
)
ROUTES = [
    Route(
        "GET",
        "/attachments",
        listing,
        READ,
        "Photos and notes, the newest first",
        query=QUERY,
        answer=Rows[Attachment],
    ),
    Route("GET", "/attachments/{id}", one, READ, "The bytes of one"),
    Route(
        "PUT",
        "/attachments/{id}",
        put,
        WRITE,
        "Attach one under a UUID",
        query=PUT_QUERY,
        answer=Attachment,
    ),
    Route("DELETE", "/attachments/{id}", delete, WRITE, "Delete one", status=204),
]
