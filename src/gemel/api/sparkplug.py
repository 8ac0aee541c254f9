"""Edge nodes that speak Sparkplug: which there are, and asking one to tell of itself again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.installation import EdgeNode, EdgeNodes
from gemel.api.bodies import read_object
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput
from gemel.core.policy import COMMAND, READ


async def listing(platform: Platform, _: Request, who: Principal) -> Response:
    found = platform.sparkplug.listing()
    sight = platform.policies.sight(who)
    if sight is not None:
        for node in found["value"]:
            node["devices"] = [d for d in node["devices"] if sight.covers(READ, d["twin"])]
        found["value"] = [node for node in found["value"] if node["devices"]]
    return json_response(found)


async def rebirth(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("group", "node"), ("group", "node"))
    group, node = body["group"], body["node"]
    if not isinstance(group, str) or not isinstance(node, str):
        raise InvalidInput("'group' and 'node' must be texts", hint="GET /sparkplug lists them")
    sight = platform.policies.sight(who)
    if sight is not None:
        sight.require(COMMAND, f"{group}.{node}", "rebirth")
    return json_response(platform.sparkplug.rebirth(group, node))


REBIRTH = {
    "type": "object",
    "required": ["group", "node"],
    "properties": {"group": {"type": "string"}, "node": {"type": "string"}},
    "additionalProperties": False,
}
ROUTES = [
    Route(
        "GET",
        "/sparkplug",
        listing,
        "twins:read",
        "Edge nodes that speak Sparkplug, and how they are",
        answer=EdgeNodes,
    ),
    Route(
        "POST",
        "/sparkplug/rebirth",
        rebirth,
        "commands:send",
        "Ask an edge node to tell of itself again",
        body=REBIRTH,
        answer=EdgeNode,
    ),
]
