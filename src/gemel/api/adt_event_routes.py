"""Event routes over the Azure Digital Twins data plane, and the endpoints they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import PAGING, no_content, page_response
from gemel.api.bodies import read_json, read_object
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.endpoint_settings import KINDS, MECHANISMS, SCHEMAS, all_fields
from gemel.core.access import Principal
from gemel.core.cloud_event import MODES
from gemel.core.document import Json
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
    found = [await events.endpoint_view(name) for name in sorted(events.endpoints)]
    return json_response({"value": found})


async def read_endpoint(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(await platform.events.endpoint_view(request.path_params["name"]))


async def put_endpoint(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), tuple(all_fields()))
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
SCHEMAS_OF: dict[object, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
}
A_LIST: Json = {"type": "array", "items": {"type": "string"}}
ENDPOINT_BODY: Json = {
    "type": "object",
    "anyOf": [{"required": [name]} for name in ("url", "brokers", "broker")],
    "properties": {
        **{name: dict(SCHEMAS_OF.get(of, A_LIST)) for name, of in all_fields().items()},
        "kind": {"enum": list(KINDS), "default": "webhook"},
        "mode": {"enum": list(MODES)},
        "schema": {"enum": list(SCHEMAS)},
        "mechanism": {"enum": list(MECHANISMS)},
    },
    "additionalProperties": False,
}
ONE, ENDPOINT = "/eventroutes/{id}", "/endpoints/{name}"
MAKE = "Make an endpoint: a webhook, a topic of Kafka, an MQTT broker"

ROUTES = [
    Route("GET", "/eventroutes", listing, "twins:read", "Event routes, in pages", query=PAGING),
    Route("GET", ONE, read, "twins:read", "One event route"),
    Route("PUT", ONE, put, "plant:write", "Make an event route", body=ROUTE_BODY, status=204),
    Route("DELETE", ONE, delete, "plant:write", "Delete an event route", status=204),
    Route("GET", "/endpoints", endpoints, "system:write", "Endpoints, and how delivery goes"),
    Route("GET", ENDPOINT, read_endpoint, "system:write", "One endpoint"),
    Route("PUT", ENDPOINT, put_endpoint, "system:write", MAKE, body=ENDPOINT_BODY),
    Route("DELETE", ENDPOINT, delete_endpoint, "system:write", "Delete an endpoint", status=204),
]
