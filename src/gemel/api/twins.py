"""Twins as people see them: tables, faceplates, desired values, discovered devices, the plant."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.graph import Explained
from gemel.api.answers.installation import Status
from gemel.api.answers.schema import PageOf, Rows, Value
from gemel.api.answers.twins import Discovered, Faceplate, Kpi, PathUnits, Rejects, TwinRow
from gemel.api.bodies import read_json, read_number, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.api.session import LOGGED_IN
from gemel.app import adoption, views
from gemel.app.directory import Page, Wanted
from gemel.app.explain import explain
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput

STATUSES = ("live", "stale", "offline", "never")


async def status(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(platform.status())


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    wanted_status = query.get("status", "")
    if wanted_status and wanted_status not in STATUSES:
        raise InvalidInput(
            f"status: '{wanted_status}' is not known", hint="one of " + ", ".join(STATUSES)
        )
    limit = int(read_number(request, "limit", 100, 1, 10_000))
    text = query.get("where", "").strip()
    wanted = Wanted(
        query.get("search", ""),
        query.get("model", ""),
        wanted_status,
        query.get("abnormal", "") == "true",
        query.get("parent"),
        await platform.queries.twins_where(text) if text else None,
    )
    show = query.get("show", "")
    offset = int(read_number(request, "offset", 0, 0, 10**9))
    place = (query.get("cursor", ""), query.get("around", ""))
    page = Page(query.get("sort") or "id", show, limit, offset, *place)
    found = platform.directory.find(wanted, page)
    now = platform.clock()
    rows = [views.row(platform, line, now) for line in found.lines]
    if show:
        for row in rows:
            latest = platform.value_of(row["id"])(show)
            row["value"] = latest[0] if latest else None
            row["unit"] = platform.catalogue.unit_of(row["id"], show) or None
    body = {"value": rows, "total": found.total, "offset": found.offset, "cursor": found.cursor}
    return json_response(body)


async def faceplate(platform: Platform, request: Request, _: Principal) -> Response:
    twin = request.path_params["twin"]
    platform.catalogue.require_twin(twin)
    return json_response(views.faceplate(platform, twin))


async def why(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(await explain(platform, request.path_params["twin"]))


async def patch_desired(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_any_object(request)
    twin = request.path_params["twin"]
    return json_response(await platform.desired.ask(twin, body, who.name))


async def get_desired(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response({"value": platform.desired.views(request.path_params["twin"])})


async def read_any_object(request: Request) -> dict[str, Any]:
    found = await read_json(request)
    if not isinstance(found, dict) or not found:
        raise InvalidInput("the body must be a JSON object of names to values")
    return found


async def discovered(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": adoption.listing(platform)})


async def adopt(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), ("model", "name"))
    device = request.path_params["device"]
    model, name = text_field(body, "model"), text_field(body, "name")
    await adoption.adopt(platform, device, model, name, who.name)
    return json_response(views.faceplate(platform, device), 201)


async def ignore(platform: Platform, request: Request, who: Principal) -> Response:
    await adoption.forget(platform, request.path_params["device"], who.name)
    return Response(status_code=204)


async def rejects(platform: Platform, request: Request, _: Principal) -> Response:
    twin = request.query_params.get("twin") or None
    limit = int(read_number(request, "limit", 100, 1, 10_000))
    return json_response(adoption.rejects(platform, twin, limit))


async def units(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": views.units(platform)})


async def kpis(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": views.kpis(platform)})


TWIN_QUERY = (
    ("search", "part of the id or name"),
    ("model", "DTMI; twins of models that extend it count"),
    ("status", "live, stale, offline or never"),
    ("abnormal", "true: only twins with an active alarm, or stale or offline"),
    ("where", "a condition of the query language, like vibration > 7 AND mode = 'auto'"),
    ("parent", "only what this twin contains; empty: what nothing contains"),
    ("sort", "id (default), name, model, status, lastSeen, alarms or value; -name from the last"),
    ("show", "a property: its value stands in each row, and can be sorted by"),
    ("limit", "rows a page, at most 10,000"),
    ("cursor", "from the last page"),
    ("offset", "rows to leave out, in place of a cursor"),
    ("around", "a twin: the page in which it is, in place of both"),
)
DESIRED = {"type": "object", "additionalProperties": True, "minProperties": 1}
ADOPT = {
    "type": "object",
    "properties": {"model": {"type": "string"}, "name": {"type": "string"}},
    "additionalProperties": False,
}
ROUTES = [
    Route("GET", "/status", status, LOGGED_IN, "The installation at a glance", answer=Status),
    Route(
        "GET",
        "/twins",
        listing,
        "twins:read",
        "A page of twins",
        query=TWIN_QUERY,
        answer=PageOf[TwinRow],
    ),
    Route(
        "GET",
        "/twins/{twin}",
        faceplate,
        "twins:read",
        "Everything about one twin",
        answer=Faceplate,
    ),
    Route(
        "GET",
        "/twins/{twin}/explain",
        why,
        "history:read",
        "Why it is shown as it is: alarm, rule, model, readings, device",
        answer=Explained,
    ),
    Route(
        "GET",
        "/twins/{twin}/desired",
        get_desired,
        "twins:read",
        "What is asked of the device's properties, and what it reports",
    ),
    Route(
        "PATCH",
        "/twins/{twin}/desired",
        patch_desired,
        "commands:send",
        "Ask the device for property values",
        body=DESIRED,
        answer=dict[str, Value],
    ),
    Route(
        "GET",
        "/discovered",
        discovered,
        "twins:read",
        "Devices without a twin",
        answer=Rows[Discovered],
    ),
    Route(
        "POST",
        "/discovered/{device}/adopt",
        adopt,
        "twins:write",
        "Make a twin of a discovered device",
        body=ADOPT,
        status=201,
        answer=Faceplate,
    ),
    Route("DELETE", "/discovered/{device}", ignore, "twins:write", "Forget it", status=204),
    Route(
        "GET",
        "/rejects",
        rejects,
        "twins:read",
        "What could not become a reading, with the reason",
        query=(("twin", "only of this twin"), ("limit", "at most 10,000")),
        answer=Rejects,
    ),
    Route("GET", "/units", units, "twins:read", "Units by property", answer=Rows[PathUnits]),
    Route("GET", "/kpis", kpis, "twins:read", "The plant's key figures now", answer=Rows[Kpi]),
]
