"""Event routes over the Azure Digital Twins data plane, and the endpoints they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import PAGING, no_content, page_response
from gemel.api.bodies import read_json, read_object
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput

if TYPE_CHECKING:
    from gemel.app.platform import Platform


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    events = platform.events
    return page_response(request, "/eventroutes", list(events.routes), events.route)


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.events.route(request.path_params["id"]))


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput("the body must be a JSON object", hint='{"endpointName", "filter"}')
    text = body.get("filter", "true")
    route = request.path_params["id"]
    await platform.events.put_route(route, body.get("endpointName"), text, who.name)
    return no_content()


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.events.delete_route(request.path_params["id"], who.name)
    return no_content()


async def endpoints(platform: Platform, _: Request, __: Principal) -> Response:
    events = platform.events
    return json_response({"value": [events.endpoint_view(n) for n in sorted(events.endpoints)]})


async def read_endpoint(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.events.endpoint_view(request.path_params["name"]))


async def put_endpoint(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("url",), ("kind", "authorization"))
    found = await platform.events.put_endpoint(request.path_params["name"], body, who.name)
    return json_response(found)


async def delete_endpoint(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.events.delete_endpoint(request.path_params["name"], who.name)
    return no_content()


ROUTE_BODY = {
    "type": "object",
    "required": ["endpointName"],
    "properties": {"endpointName": {"type": "string"}, "filter": {"type": "string"}},
}
ENDPOINT_BODY = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "kind": {"const": "webhook"},
        "url": {"type": "string"},
        "authorization": {"type": "string"},
    },
}
ONE, ENDPOINT = "/eventroutes/{id}", "/endpoints/{name}"

ROUTES = [
    Route("GET", "/eventroutes", listing, "twins:read", "Event routes, in pages", query=PAGING),
    Route("GET", ONE, read, "twins:read", "One event route"),
    Route("PUT", ONE, put, "plant:write", "Make an event route", body=ROUTE_BODY, status=204),
    Route("DELETE", ONE, delete, "plant:write", "Delete an event route", status=204),
    Route("GET", "/endpoints", endpoints, "system:write", "Webhooks, and how delivery goes"),
    Route("GET", ENDPOINT, read_endpoint, "system:write", "One webhook"),
    Route("PUT", ENDPOINT, put_endpoint, "system:write", "Make a webhook", body=ENDPOINT_BODY),
    Route("DELETE", ENDPOINT, delete_endpoint, "system:write", "Delete a webhook", status=204),
]
