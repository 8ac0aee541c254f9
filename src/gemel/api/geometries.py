"""Users' own shapes over HTTP: GLB files by their hash, and their names in the scene."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.installation import Geometry
from gemel.api.answers.scene import SceneGeometryNamed
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_body, read_object
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.geometries import FIELDS, MOST_BYTES
from gemel.app.platform import Platform
from gemel.core.access import Principal

READ, WRITE = "twins:read", "plant:write"
GLB = "model/gltf-binary"
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
A_DAY = {"Cache-Control": "private, max-age=86400"}


async def listing(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.geometries.listing()})


async def one(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.geometries.get(request.path_params["hash"]))


async def file(platform: Platform, request: Request, _: Principal) -> Response:
    found = await platform.geometries.file(request.path_params["hash"])
    return Response(found, headers=FOREVER, media_type=GLB)


async def mesh(platform: Platform, request: Request, _: Principal) -> Response:
    found = await platform.geometries.mesh(request.path_params["hash"])
    return Response(found, headers=A_DAY, media_type=GLB)


async def add(platform: Platform, request: Request, who: Principal) -> Response:
    content = await read_body(request, MOST_BYTES)
    name = request.query_params.get("name", "")
    doc, is_new = await platform.geometries.add(content, name, who.name)
    return json_response(doc, 201 if is_new else 200)


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.geometries.delete(request.path_params["hash"], who.name)
    return Response(status_code=204)


async def bind(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("glb",), FIELDS)
    return json_response(
        await platform.geometries.bind(request.path_params["name"], body, who.name)
    )


async def unbind(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.geometries.unbind(request.path_params["name"], who.name)
    return Response(status_code=204)


BINDING = {
    "type": "object",
    "required": ["glb"],
    "properties": {
        "glb": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "models": {"type": "array", "items": {"type": "string"}},
        "scale": {"type": "number"},
        "turn": {"type": "number"},
        "at": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
    },
    "additionalProperties": False,
}
NAME = (("name", "for people, such as the file's"),)
ROUTES = [
    Route(
        "GET",
        "/geometries",
        listing,
        READ,
        "Users' own shapes, the newest first",
        answer=Rows[Geometry],
    ),
    Route(
        "POST",
        "/geometries",
        add,
        WRITE,
        "Check and keep a GLB file",
        query=NAME,
        status=201,
        answer=Geometry,
    ),
    Route("GET", "/geometries/{hash}", one, READ, "What one holds", answer=Geometry),
    Route("GET", "/geometries/{hash}/file", file, READ, "The file as it was uploaded"),
    Route("GET", "/geometries/{hash}/mesh", mesh, READ, "What the page draws of it"),
    Route("DELETE", "/geometries/{hash}", delete, WRITE, "Forget one", status=204),
    Route(
        "PUT",
        "/scene/geometries/{name}",
        bind,
        WRITE,
        "Draw models or twins with one",
        body=BINDING,
        answer=SceneGeometryNamed,
    ),
    Route(
        "DELETE", "/scene/geometries/{name}", unbind, WRITE, "Draw them as kinds again", status=204
    ),
]
