"""GraphQL over HTTP and WebSocket; what it needs is imported with the first request."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from gemel.api.bodies import read_object
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.core.access import Principal
from gemel.core.errors import Unavailable

if TYPE_CHECKING:
    from gemel.app.platform import Platform

OWN_TYPE = "application/graphql-response+json"
WEIGHT = re.compile(r"[01](\.\d{0,3})?")
FIELDS = ("query", "variables", "operationName", "extensions")


async def graphql(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("query",), FIELDS)
    try:
        engine = import_module("gemel.api.graphql_run")
    except ModuleNotFoundError as error:
        raise Unavailable(
            "GraphQL is not installed", hint="pip install 'gemel[graphql]', then start again"
        ) from error
    answer, is_run = await engine.run(platform, who, body)
    is_own = prefers_own(request.headers.get("accept", ""))
    response = json_response(answer, 400 if is_own and not is_run else 200)
    if is_own:
        response.headers["content-type"] = OWN_TYPE
    return response


def prefers_own(accept: str) -> bool:
    """Whether the header Accept asks for GraphQL's own media type, and no less than for JSON."""
    weights = {OWN_TYPE: 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if kind in weights and WEIGHT.fullmatch(weight):
            weights[kind] = float(weight)
    return 0 < weights[OWN_TYPE] >= weights["application/json"]


async def graphql_socket(platform: Platform, socket: WebSocket) -> None:
    """Serves one connection of `graphql-transport-ws`."""
    try:
        engine = import_module("gemel.api.graphql_socket")
    except ModuleNotFoundError:
        await socket.accept()
        await socket.close(1011, "GraphQL is not installed: pip install 'gemel[graphql]'")
        return
    await engine.serve(platform, socket)


BODY = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "query": {"type": "string", "example": "{ twins(first: 5) { items { id name } } }"},
        "variables": {"type": ["object", "null"]},
        "operationName": {"type": ["string", "null"]},
        "extensions": {"type": ["object", "null"]},
    },
}
ROUTES = [Route("POST", "/graphql", graphql, "twins:read", "GraphQL", body=BODY)]
