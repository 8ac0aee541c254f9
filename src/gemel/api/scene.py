"""The plant in space: the scene, views of it that people have saved."""

from __future__ import annotations

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.installation import SavedView
from gemel.api.answers.scene import Scene, SceneObject
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.placing import FIELDS, place, take_away
from gemel.app.platform import Platform
from gemel.app.scenes import scene_glb, scene_of
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput, NotFound

VIEW_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)
SEARCH = ("by", "hide", "section", "eye", "plan")
MOST_VIEWS = 500


async def scene(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(scene_of(platform))


async def glb(platform: Platform, _: Request, __: Principal) -> Response:
    shown = scene_of(platform)
    used = {one["glb"] for one in (shown.get("geometries") or {}).values()}
    files = {one: await platform.geometries.file(one) for one in platform.geometries.kept(used)}
    found = await asyncio.get_running_loop().run_in_executor(None, scene_glb, shown, files)
    headers = {"content-disposition": 'inline; filename="scene.glb"'}
    return Response(found, media_type="model/gltf-binary", headers=headers)


async def views(platform: Platform, _: Request, __: Principal) -> Response:
    found = platform.catalogue.plain["view"].values()
    return json_response({"value": sorted(found, key=lambda view: str(view["name"]).casefold())})


async def put_view(platform: Platform, request: Request, who: Principal) -> Response:
    key = request.path_params["id"]
    if not VIEW_ID.fullmatch(key):
        raise InvalidInput(f"'{key[:80]}' cannot be the id of a view", hint="a-z 0-9 and -")
    body = await read_object(request, ("name", "search"))
    name, search = text_field(body, "name").strip(), body["search"]
    if not name or len(name) > 200:
        raise InvalidInput("name: 1 to 200 characters")
    if not isinstance(search, dict) or not all(
        field in SEARCH and isinstance(value, str) and len(value) <= 500
        for field, value in search.items()
    ):
        raise InvalidInput("search: texts by name", hint="the names are " + ", ".join(SEARCH))
    known = platform.catalogue.plain["view"]
    if key not in known and len(known) >= MOST_VIEWS:
        raise InvalidInput(f"there are {MOST_VIEWS} views already", hint="delete some first")
    doc = {"id": key, "name": name, "search": search}
    await platform.put("view", key, doc, who.name)
    return json_response(doc)


async def delete_view(platform: Platform, request: Request, who: Principal) -> Response:
    key = request.path_params["id"]
    if key not in platform.catalogue.plain["view"]:
        raise NotFound(f"there is no view '{key}'", hint="GET /views lists them")
    await platform.put("view", key, None, who.name, "deleted")
    return Response(status_code=204)


async def put_object(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("kind",), FIELDS)
    return json_response(await place(platform, request.path_params["twin"], body, who.name))


async def delete_object(platform: Platform, request: Request, who: Principal) -> Response:
    await take_away(platform, request.path_params["twin"], who.name)
    return Response(status_code=204)


OBJECT = {"type": "object", "required": ["kind"], "description": "see docs/formats/scene.md"}
VIEW = {
    "type": "object",
    "required": ["name", "search"],
    "properties": {
        "name": {"type": "string"},
        "search": {
            "type": "object",
            "properties": {field: {"type": "string"} for field in SEARCH},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
ROUTES = [
    Route("GET", "/scene", scene, "twins:read", "The plant in space", answer=Scene),
    Route("GET", "/scene.glb", glb, "twins:read", "The plant in space as binary glTF"),
    Route(
        "PUT",
        "/scene/objects/{twin}",
        put_object,
        "plant:write",
        "Place a twin in the scene, or move it",
        body=OBJECT,
        answer=SceneObject,
    ),
    Route(
        "DELETE",
        "/scene/objects/{twin}",
        delete_object,
        "plant:write",
        "Take a twin out of the scene",
        status=204,
    ),
    Route(
        "GET",
        "/views",
        views,
        "twins:read",
        "Views of the plant in 3D that were saved",
        answer=Rows[SavedView],
    ),
    Route(
        "PUT",
        "/views/{id}",
        put_view,
        "plant:write",
        "Save or change one",
        body=VIEW,
        answer=SavedView,
    ),
    Route("DELETE", "/views/{id}", delete_view, "plant:write", "Delete one", status=204),
]
