"""The whole plant in one document: import and export."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import MEBIBYTE, read_json
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app import plant_files
from gemel.app.platform import Platform
from gemel.core.access import Principal


async def import_(platform: Platform, request: Request, who: Principal) -> Response:
    plant = await read_json(request, 64 * MEBIBYTE)
    return json_response(await plant_files.import_plant(platform, plant, who.name))


async def export(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(plant_files.export_plant(platform))


PLANT = {"type": "object", "description": "see docs/formats/plant.md"}
ROUTES = [
    Route("POST", "/plant", import_, "plant:write", "Import a plant, all or nothing", body=PLANT),
    Route("GET", "/plant", export, "twins:read", "The whole plant as one document"),
]
