"""Work orders: made of alarms or for twins, and what becomes of them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.alarms import WorkOrder
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_number, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.app.work import CHANGES, FIELDS
from gemel.core.access import Principal

READ, WRITE = "alarms:read", "alarms:write"


async def orders(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    found = platform.work.book.find(
        state=query.get("state", ""),
        twin=query.get("twin", ""),
        alarm=query.get("alarm", ""),
        limit=int(read_number(request, "limit", 1_000, 1, 100_000)),
    )
    return json_response({"value": found})


async def order(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.work.book.get(request.path_params["id"]))


async def create(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), FIELDS)
    return json_response(await platform.work.create(body, who.name), 201)


async def change(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), CHANGES)
    key = request.path_params["id"]
    return json_response(await platform.work.change(key, body, who.name))


async def act(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("act",), ("act", "note"))
    key = request.path_params["id"]
    found = await platform.work.act(
        key, text_field(body, "act"), who.name, text_field(body, "note")
    )
    return json_response(found)


QUERY = (
    ("state", "proposed, open, planned, in progress, done or cancelled"),
    ("twin", "only of this twin"),
    ("alarm", "only of this alarm"),
    ("limit", "at most this many"),
)
ROUTES = [
    Route(
        "GET",
        "/work-orders",
        orders,
        READ,
        "Work orders, those to be done first",
        query=QUERY,
        answer=Rows[WorkOrder],
    ),
    Route(
        "POST",
        "/work-orders",
        create,
        WRITE,
        "Make a work order of an alarm, or for a twin",
        body={"type": "object"},
        status=201,
        answer=WorkOrder,
    ),
    Route(
        "GET", "/work-orders/{id}", order, READ, "One work order with its steps", answer=WorkOrder
    ),
    Route(
        "PATCH",
        "/work-orders/{id}",
        change,
        WRITE,
        "Assign, add parts, notes",
        body={"type": "object"},
        answer=WorkOrder,
    ),
    Route(
        "POST",
        "/work-orders/{id}/acts",
        act,
        WRITE,
        "Accept, plan, start, finish ...",
        body={"type": "object"},
        answer=WorkOrder,
    ),
]
