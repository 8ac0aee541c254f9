"""The plant: import and export as one document, bindings of topics, settings of models."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import MEBIBYTE, read_json
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app import plant_files
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import Forbidden, InvalidInput, NotFound


async def import_(platform: Platform, request: Request, who: Principal) -> Response:
    plant = await read_json(request, 64 * MEBIBYTE)
    if isinstance(plant, dict) and plant.get("policies") and not who.allows("policies:write"):
        raise Forbidden(
            f"role '{who.role}' lacks the permission policies:write",
            hint="leave 'policies' out of the plant, or let an admin import it",
        )
    return json_response(await plant_files.import_plant(platform, plant, who.name))


async def export(platform: Platform, _: Request, who: Principal) -> Response:
    if platform.policies.sight(who) is not None:
        return json_response(plant_files.export_seen(platform))
    found = plant_files.export_plant(platform)
    if not who.allows("policies:read"):
        del found["policies"]
    return json_response(found)


async def bindings(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.catalogue.bindings_in_order()})


async def put_binding(platform: Platform, request: Request, who: Principal) -> Response:
    doc = await _document(request)
    doc["id"] = key = request.path_params["id"]
    await plant_files.put_binding(platform, key, doc, who.name)
    return json_response(doc)


async def delete_binding(platform: Platform, request: Request, who: Principal) -> Response:
    key = request.path_params["id"]
    if key not in platform.catalogue.plain["binding"]:
        raise NotFound(f"there is no binding '{key}'", hint="GET /bindings lists them")
    await platform.put("binding", key, None, who.name, "deleted")
    return Response(status_code=204)


async def settings(platform: Platform, request: Request, _: Principal) -> Response:
    model = request.path_params["id"]
    platform.graph.model(model)
    return json_response(platform.catalogue.plain["settings"].get(model, {}))


async def put_settings(platform: Platform, request: Request, who: Principal) -> Response:
    doc = await _document(request)
    model = request.path_params["id"]
    await plant_files.put_settings(platform, model, doc, who.name)
    return json_response(doc)


async def _document(request: Request) -> Json:
    found = await read_json(request)
    if not isinstance(found, dict):
        raise InvalidInput("the body must be a JSON object", hint="docs/formats/plant.md")
    return found


PLANT = {"type": "object", "description": "see docs/formats/plant.md"}
BINDING = {
    "type": "object",
    "required": ["topic"],
    "properties": {
        "topic": {"type": "string", "examples": ["plant/{twin}/{property}"]},
        "twin": {"type": "string"},
        "fields": {"type": "object"},
        "only": {"type": "boolean"},
        "time": {"type": "string"},
        "commands": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
SETTINGS = {
    "type": "object",
    "properties": {
        "staleAfter": {"type": "number", "exclusiveMinimum": 0},
        "geometry": {"type": "string"},
        "scope": {"type": "string"},
        "properties": {"type": "object"},
        "retention": {
            "type": "object",
            "properties": {k: {"type": "number"} for k in ("readings", "minutes", "hours")},
        },
    },
}
ROUTES = [
    Route("POST", "/plant", import_, "plant:write", "Import a plant, all or nothing", body=PLANT),
    Route("GET", "/plant", export, "twins:read", "The whole plant as one document"),
    Route("GET", "/bindings", bindings, "twins:read", "What further topics mean"),
    Route("PUT", "/bindings/{id}", put_binding, "plant:write", "Make or change one", body=BINDING),
    Route("DELETE", "/bindings/{id}", delete_binding, "plant:write", "Delete one", status=204),
    Route("GET", "/settings/{id}", settings, "models:read", "Settings of a model"),
    Route("PUT", "/settings/{id}", put_settings, "plant:write", "Change them whole", body=SETTINGS),
]
