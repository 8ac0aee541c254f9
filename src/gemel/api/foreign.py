"""Models of others (FMU, ONNX): imported, looked at, forgotten."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_body, read_number
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.foreign import MOST_BYTES
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput
from gemel.services.foreign.described import MEMORY_MB, MODES, PATIENCE


async def models(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.foreign.views()})


async def model(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.foreign.view(request.path_params["name"]))


async def put_model(platform: Platform, request: Request, who: Principal) -> Response:
    mode = request.query_params.get("mode", "")
    if mode not in ("", *MODES):
        raise InvalidInput(f"there is no mode '{mode[:40]}'", hint="one of: " + ", ".join(MODES))
    patience = read_number(request, "patience", PATIENCE, 0.1, 600)
    memory = int(read_number(request, "memoryMb", MEMORY_MB, 64, 65_536))
    data = await read_body(request, MOST_BYTES)
    if not data:
        raise InvalidInput("the request has no body", hint="send the file's bytes")
    found = await platform.foreign.put(
        request.path_params["name"], data, who.name,
        mode=mode, patience=patience, memory_mb=memory,
    )  # fmt: skip
    return json_response(found)


async def delete_model(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.foreign.delete(request.path_params["name"], who.name)
    return Response(status_code=204)


READ, WRITE = "services:read", "services:write"
FILE = {"type": "string", "format": "binary", "description": "an FMU or an ONNX file"}
QUERY = (
    ("mode", "co-simulation or model-exchange, for an FMU that is both"),
    ("patience", "seconds that one call into the model may take; 10 unless said"),
    ("memoryMb", "that it may use; 1024 unless said"),
)
ONE = "/imported-models/{name}"
ROUTES = [
    Route("GET", "/imported-models", models, READ, "Models of others"),
    Route("GET", ONE, model, READ, "One of them"),
    Route("PUT", ONE, put_model, WRITE, "Import an FMU or ONNX file", body=FILE, query=QUERY),
    Route("DELETE", ONE, delete_model, WRITE, "Forget one", status=204),
]
