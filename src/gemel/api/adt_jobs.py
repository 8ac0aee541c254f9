"""Import and deletion jobs over the Azure Digital Twins data plane, and the files they use."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from gemel.api.adt_requests import PAGING, no_content, page_response
from gemel.api.bodies import read_json
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.jobs import job_view
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput

if TYPE_CHECKING:
    from gemel.app.platform import Platform


def _page(platform: Platform, request: Request, kind: str) -> Response:
    jobs = platform.jobs
    keys = jobs.keys(kind)
    return page_response(request, f"/jobs/{kind}", keys, lambda key: job_view(jobs.documents[key]))


async def imports(platform: Platform, request: Request, _: Principal) -> Response:
    return _page(platform, request, "imports")


async def add_import(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput("the body must be a JSON object", code="ValidationFailed")
    found = await platform.jobs.add_import(
        request.path_params["id"], body.get("inputBlobUri"), body.get("outputBlobUri"), who.name
    )
    return json_response(job_view(found), 201)


async def read_import(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(job_view(platform.jobs.get("imports", request.path_params["id"])))


async def cancel_import(platform: Platform, request: Request, who: Principal) -> Response:
    found = await platform.jobs.cancel(request.path_params["id"], who.name)
    return json_response(job_view(found))


async def delete_import(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.jobs.delete(request.path_params["id"], who.name)
    return no_content()


async def deletions(platform: Platform, request: Request, _: Principal) -> Response:
    return _page(platform, request, "deletions")


async def add_deletion(platform: Platform, request: Request, who: Principal) -> Response:
    job = request.headers.get("operation-id") or str(uuid.uuid4())
    found = await platform.jobs.add_deletion(job, who.name)
    version = request.query_params.get("api-version")
    place = f"{request.base_url}jobs/deletions/{job}"
    place += f"?api-version={version}" if version and version.replace("-", "").isalnum() else ""
    return json_response(job_view(found), 202, {"Operation-Location": place})


async def read_deletion(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(job_view(platform.jobs.get("deletions", request.path_params["id"])))


async def files(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.jobs.blobs.listing()})


async def put_file(platform: Platform, request: Request, _: Principal) -> Response:
    name = request.path_params["file"]
    size = await platform.jobs.blobs.put(name, request.stream())
    return json_response({"name": name, "bytes": size}, 201)


async def read_file(platform: Platform, request: Request, _: Principal) -> Response:
    path = await platform.jobs.blobs.read(request.path_params["file"])
    return FileResponse(path, media_type="application/x-ndjson")


async def delete_file(platform: Platform, request: Request, _: Principal) -> Response:
    platform.jobs.blobs.delete(request.path_params["file"])
    return no_content()


FILE_NAME: dict[str, Any] = {"type": "string", "description": "name of a file in imports/"}
BODY = {
    "type": "object",
    "required": ["inputBlobUri", "outputBlobUri"],
    "properties": {"inputBlobUri": FILE_NAME, "outputBlobUri": FILE_NAME},
}
ONE = "/jobs/imports/{id}"
FILE = "/imports/{file}"

ROUTES = [
    Route("GET", "/jobs/imports", imports, "twins:read", "Import jobs, in pages", query=PAGING),
    Route("PUT", ONE, add_import, "plant:write", "Import from a file", body=BODY, status=201),
    Route("GET", ONE, read_import, "twins:read", "One import job"),
    Route("POST", ONE + "/cancel", cancel_import, "plant:write", "End an import"),
    Route("DELETE", ONE, delete_import, "plant:write", "Forget an import job", status=204),
    Route("GET", "/jobs/deletions", deletions, "twins:read", "Deletion jobs", query=PAGING),
    Route(
        "POST",
        "/jobs/deletions",
        add_deletion,
        "system:write",
        "Delete all relationships, twins and models",
        status=202,
    ),
    Route("GET", "/jobs/deletions/{id}", read_deletion, "twins:read", "One deletion job"),
    Route("GET", "/imports", files, "plant:write", "Files for import jobs, and their logs"),
    Route("PUT", FILE, put_file, "plant:write", "Store a file for an import job", status=201),
    Route("GET", FILE, read_file, "plant:write", "One file, such as the log of an import"),
    Route("DELETE", FILE, delete_file, "plant:write", "Delete a file", status=204),
]
