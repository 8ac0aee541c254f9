"""Twins, their components and telemetry over the Azure Digital Twins data plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import (
    PatchFormInvalid,
    edit_graph,
    no_content,
    patch_problem,
    read_patch_body,
    with_etag,
)
from gemel.api.answers.schema import Value
from gemel.api.bodies import read_json
from gemel.api.moments import AS_OF, asked
from gemel.api.routes import Route
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import Forbidden, InvalidInput
from gemel.core.message import Message
from gemel.twins.graph import Graph
from gemel.twins.twin_edits import delete_twin, patch_twin, put_twin, require_component
from gemel.twins.validate import is_time
from gemel.twins.view import adt_view

if TYPE_CHECKING:
    from gemel.app.platform import Platform


async def put(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_json(request)
    twin_id, headers = request.path_params["id"], request.headers
    twin = await edit_graph(
        platform,
        request,
        who,
        lambda graph, context: put_twin(
            graph,
            context,
            twin_id,
            body,
            if_match=headers.get("if-match"),
            if_none_match=headers.get("if-none-match"),
        ),
    )
    shown = adt_view(platform.graph, twin, platform.value_of(twin_id))
    return with_etag(shown, twin.etag)


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    moment = asked(platform, request)
    if moment is not None:
        was, shown = await platform.moments.twin(request.path_params["id"], moment)
        return with_etag(shown, was.etag)
    twin = platform.graph.twin(request.path_params["id"])
    return with_etag(adt_view(platform.graph, twin, platform.value_of(twin.id)), twin.etag)


async def patch(platform: Platform, request: Request, who: Principal) -> Response:
    return await _patch(platform, request, who, "")


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    twin_id, if_match = request.path_params["id"], request.headers.get("if-match")
    await edit_graph(
        platform,
        request,
        who,
        lambda graph, context: delete_twin(graph, context, twin_id, if_match=if_match),
    )
    return no_content()


async def read_component(platform: Platform, request: Request, _: Principal) -> Response:
    graph, component = platform.graph, request.path_params["path"]
    twin = graph.twin(request.path_params["id"])
    require_component(graph, twin, component)
    shown = adt_view(graph, twin, platform.value_of(twin.id))
    return with_etag(shown[component], twin.etag)


async def patch_component(platform: Platform, request: Request, who: Principal) -> Response:
    return await _patch(platform, request, who, request.path_params["path"])


async def _patch(platform: Platform, request: Request, who: Principal, component: str) -> Response:
    twin_id, if_match = request.path_params["id"], request.headers.get("if-match")
    try:
        body = await read_patch_body(request)
    except PatchFormInvalid as error:
        return patch_problem(error)
    twin = await edit_graph(
        platform,
        request,
        who,
        lambda graph, context: patch_twin(
            graph, context, twin_id, body, if_match=if_match, component=component
        ),
    )
    return no_content(twin.etag)


async def telemetry(platform: Platform, request: Request, who: Principal) -> Response:
    await _ingest(platform, request, who, "")
    return no_content()


async def component_telemetry(platform: Platform, request: Request, who: Principal) -> Response:
    await _ingest(platform, request, who, request.path_params["path"])
    return no_content()


async def _ingest(platform: Platform, request: Request, who: Principal, component: str) -> None:
    """Takes telemetry in, as if the device had sent it over MQTT."""
    twin_id = request.path_params["id"]
    _check_twin(platform.graph, twin_id, component)
    if not who.may_write_twin(twin_id):
        raise Forbidden(
            f"this token may not write twin '{twin_id}'",
            hint="a device's token names its own twins",
        )
    time = request.headers.get("telemetry-source-time") or None
    if time is not None and not is_time(time):
        raise InvalidInput(
            f"Telemetry-Source-Time '{time[:60]}' is not an ISO 8601 time",
            hint="like 2026-11-22T10:00:00Z",
        )
    body = await read_json(request)
    items = body if isinstance(body, list) else [body]
    if not all(isinstance(item, dict) for item in items):
        raise InvalidInput(
            f"telemetry of twin '{twin_id}' must be a JSON object of names to values",
            hint='like {"temperature": 21.5}, or an array of such',
        )
    payload = orjson.dumps([_as_payload(item, component, time) for item in items])
    topic = f"devices/{twin_id}/telemetry"
    await platform.ingest([Message(topic, payload, platform.clock(), who, "application/json")])


def _check_twin(graph: Graph, twin_id: str, component: str) -> None:
    twin = graph.twin(twin_id)
    if component:
        require_component(graph, twin, component)


def _as_payload(values: Json, component: str, time: str | None) -> Any:
    if component:
        values = {component: values}
    return values if time is None else {"ts": time, "values": values}


OBJECT = {"type": "object"}
PATCH_BODY = {"type": "array", "items": {"type": "object"}}
TWIN = "/digitaltwins/{id}"
PART = TWIN + "/components/{path}"

ROUTES = [
    Route("PUT", TWIN, put, "twins:write", "Make or replace a twin", body=OBJECT),
    Route("GET", TWIN, read, "twins:read", "One twin", query=AS_OF, answer=dict[str, Value]),
    Route("PATCH", TWIN, patch, "twins:write", "Change a twin", body=PATCH_BODY, status=204),
    Route("DELETE", TWIN, delete, "twins:write", "Delete a twin", status=204),
    Route("GET", PART, read_component, "twins:read", "One component of a twin"),
    Route(
        "PATCH",
        PART,
        patch_component,
        "twins:write",
        "Change a component",
        body=PATCH_BODY,
        status=204,
    ),
    Route(
        "POST",
        TWIN + "/telemetry",
        telemetry,
        "ingest:write",
        "Telemetry of a twin",
        body=OBJECT,
        status=204,
    ),
    Route(
        "POST",
        PART + "/telemetry",
        component_telemetry,
        "ingest:write",
        "Telemetry of a component",
        body=OBJECT,
        status=204,
    ),
]
