"""Models evolve: what breaks, a dry run, the migration of all twins and its undoing."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import PAGING, page_response
from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.migrations import KIND, migration_view
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput


async def diff(platform: Platform, request: Request, _: Principal) -> Response:
    new = request.query_params.get("to", "")
    if not new:
        raise InvalidInput("needs to", hint="?to=dtmi:example:Pump;2")
    return json_response(platform.migrations.plan(request.path_params["id"], new))


async def migrate(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("to",), ("to", "mapping", "dryRun", "id"))
    old, new = request.path_params["id"], text_field(body, "to")
    is_dry, mapping = body.get("dryRun", False), body.get("mapping", {})
    if not isinstance(is_dry, bool):
        raise InvalidInput("'dryRun' must be true or false")
    if is_dry:
        return json_response(await platform.migrations.dry_run(old, new, mapping))
    job = text_field(body, "id")
    made = await platform.migrations.start(old, new, mapping, who.name, job)
    return json_response(migration_view(made), 202)


async def listing(platform: Platform, request: Request, _: Principal) -> Response:
    jobs = platform.jobs

    def show(key: str) -> dict[str, object]:
        return migration_view(jobs.documents[key])

    return page_response(request, f"/jobs/{KIND}", jobs.keys(KIND), show)


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(migration_view(platform.jobs.get(KIND, request.path_params["id"])))


async def cancel(platform: Platform, request: Request, who: Principal) -> Response:
    found = await platform.jobs.cancel(request.path_params["id"], who.name, KIND)
    return json_response(migration_view(found))


async def undo(platform: Platform, request: Request, who: Principal) -> Response:
    found = await platform.migrations.undo(request.path_params["id"], who.name)
    return json_response(migration_view(found), 202)


BODY = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "example": "dtmi:example:Pump;2"},
        "mapping": {"type": "object"},
        "dryRun": {"type": "boolean"},
        "id": {"type": "string"},
    },
    "required": ["to"],
    "additionalProperties": False,
}
ONE = "/jobs/migrations/{id}"
ROUTES = [
    Route(
        "GET",
        "/models/{id}/diff",
        diff,
        "models:read",
        "What breaks when twins move to another model",
        query=(("to", "the other model"),),
    ),
    Route(
        "POST",
        "/models/{id}/migrations",
        migrate,
        "models:write",
        "Move all twins of a model to another one, or try it",
        body=BODY,
        status=202,
    ),
    Route("GET", "/jobs/migrations", listing, "twins:read", "Migrations, in pages", query=PAGING),
    Route("GET", ONE, read, "twins:read", "One migration"),
    Route("POST", ONE + "/cancel", cancel, "models:write", "End a migration where it is"),
    Route(
        "POST", ONE + "/undo", undo, "models:write", "Give twins back what they were", status=202
    ),
]
