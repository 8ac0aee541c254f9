"""What a principal whom policies narrow may ask: the one door between routes and endpoints.

Every route is in one of three tables or is closed to such a principal, so that a new route shows
nothing until somebody has thought about it. `OPEN` routes tell nothing of twins; `SEEN` routes are
given the platform as policies let it be seen, which hides and refuses by itself; `TRIMMED` routes
are too, and their answers hold more than twins, so some of it is taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.errors import json_response
from gemel.api.routes import ANYONE, Route
from gemel.app.policies import Sight
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import Forbidden
from gemel.core.policy import READ

if TYPE_CHECKING:
    from gemel.app.platform import Platform

OPEN = frozenset(
    {
        "GET /me",
        "POST /session",
        "GET /models",
        "GET /models/{id}",
        "GET /settings/{id}",
        "GET /views",
        "GET /geometries",
        "GET /geometries/{hash}",
        "GET /geometries/{hash}/file",
        "GET /geometries/{hash}/mesh",
        "GET /alarms/philosophy",
        "GET /rules",
        "GET /killswitch",
        "GET /scenarios/schema",
        "GET /behaviours/kinds",
        "POST /killswitch/stop",
        "POST /killswitch/resume",
        "GET /autonomy",
        "GET /export",
        "GET /aas/concept-descriptions",
        "GET /aas/concept-descriptions/{id}",
        "GET /aas/description",
        "GET /prometheus/api/v1/status/buildinfo",
        "POST /ingest",
        "POST /ingest/{twin}",
        "POST /write",
        "POST /api/v2/write",
    }
)
"""Telemetry is held by the principal itself: see `Principal.may_write_twin`."""
SEEN = frozenset(
    {
        "GET /sparkplug",
        "POST /sparkplug/rebirth",
        "PUT /digitaltwins/{id}",
        "GET /digitaltwins/{id}",
        "PATCH /digitaltwins/{id}",
        "DELETE /digitaltwins/{id}",
        "GET /digitaltwins/{id}/components/{path}",
        "PATCH /digitaltwins/{id}/components/{path}",
        "POST /digitaltwins/{id}/telemetry",
        "POST /digitaltwins/{id}/components/{path}/telemetry",
        "GET /digitaltwins/{id}/relationships",
        "GET /digitaltwins/{id}/incomingrelationships",
        "GET /digitaltwins/{id}/relationships/{rid}",
        "PUT /digitaltwins/{id}/relationships/{rid}",
        "PATCH /digitaltwins/{id}/relationships/{rid}",
        "DELETE /digitaltwins/{id}/relationships/{rid}",
        "GET /export/{format}",
        "GET /wot/{twin}",
        "GET /wot/{twin}/properties/{name}",
        "PUT /wot/{twin}/properties/{name}",
        "GET /wot/{twin}/properties/{name}/next",
        "POST /wot/{twin}/actions/{name}",
        "GET /wot/{twin}/events/{name}/next",
        "GET /aas/shells",
        "GET /aas/shells/{rest:path}",
        "GET /aas/submodels",
        "GET /aas/submodels/{rest:path}",
        "GET /aas/serialization",
        "GET /odata",
        "GET /odata/{rest:path}",
        "POST /query",
        "POST /graphql",
        "GET /status",
        "GET /twins",
        "GET /units",
        "GET /twins/{twin}/desired",
        "GET /twins/{twin}/changes",
        "GET /twins/{twin}/diff",
        "GET /diff",
        "GET /history",
        "GET /history/series",
        "GET /history/last",
        "GET /history/statistics",
        "GET /prometheus/api/v1/query",
        "POST /prometheus/api/v1/query",
        "GET /prometheus/api/v1/query_range",
        "POST /prometheus/api/v1/query_range",
        "GET /prometheus/api/v1/series",
        "POST /prometheus/api/v1/series",
        "GET /prometheus/api/v1/labels",
        "POST /prometheus/api/v1/labels",
        "GET /prometheus/api/v1/label/{name}/values",
        "GET /prometheus/api/v1/metadata",
        "POST /graph",
        "POST /graph/path",
        "GET /twins/{twin}/limits",
        "GET /risks",
        "GET /state",
        "GET /alarms",
        "GET /alarms/{id}",
        "GET /alarms/{id}/history",
        "GET /alarms/corrections",
        "GET /alarms/groups",
        "GET /alarms/groups/{id}",
        "POST /alarms/acts",
        "POST /alarms/out-of-service",
        "POST /alarms/{id}/acknowledge",
        "POST /alarms/{id}/unacknowledge",
        "POST /alarms/{id}/shelve",
        "POST /alarms/{id}/unshelve",
        "POST /alarms/{id}/out-of-service",
        "POST /alarms/{id}/return-to-service",
        "POST /alarms/{id}/comment",
        "POST /alarms/{id}/clear",
        "GET /work-orders",
        "POST /work-orders",
        "GET /work-orders/{id}",
        "PATCH /work-orders/{id}",
        "POST /work-orders/{id}/acts",
        "GET /commands",
        "GET /commands/{id}",
        "POST /commands",
        "POST /commands/{id}/approve",
        "POST /commands/{id}/refuse",
        "POST /commands/{id}/cancel",
        "GET /scenarios",
        "GET /scenarios/{id}",
        "PUT /scenarios/{id}",
        "DELETE /scenarios/{id}",
        "POST /scenarios/{id}/run",
        "GET /scenarios/{id}/result",
        "GET /scenarios/{id}/series",
        "GET /scenarios/{id}/state",
        "GET /scenarios/{id}/compare",
        "POST /scenarios/{id}/promote",
        "POST /scenarios/{id}/keep",
    }
)


def _faceplate(sight: Sight, request: Request, body: Json) -> Json:
    twin = request.path_params["twin"]
    mask = sight.mask(READ, twin)
    body["commands"] = [one for one in body["commands"] if mask.allows(one["name"])]
    if not mask.is_whole:
        body["rejects"] = 0
    return body


def _explained(sight: Sight, request: Request, body: Json) -> Json:
    """Topics may be of one name, and rejects of any: they are for who may read all of the twin."""
    if not sight.covers(READ, request.path_params["twin"]):
        body["device"] |= {"topics": [], "rejects": 0}
    return body


def _desired(sight: Sight, request: Request, body: Json) -> Json:
    mask = sight.mask(READ, request.path_params["twin"])
    return {name: value for name, value in body.items() if mask.allows(name)}


def _kpis(sight: Sight, _: Request, body: Json) -> Json:
    rows = body["value"]
    seen = [r for r in rows if sight.allows(READ, r["twin"], r["property"])]
    return {**body, "value": seen}


def _scene(sight: Sight, _: Request, body: Json) -> Json:
    def is_seen(part: object) -> bool:
        twin = part.get("twin") if isinstance(part, dict) else None
        return not isinstance(twin, str) or sight.touches(READ, twin)

    return {
        name: list(filter(is_seen, value)) if isinstance(value, list) else value
        for name, value in body.items()
    }


def _plant(sight: Sight, request: Request, body: Json) -> Json:
    kpis = _kpis(sight, request, {"value": body["kpis"]})["value"]
    return {**body, "kpis": kpis, "scene": _scene(sight, request, body["scene"])}


TRIMMED: dict[str, Callable[[Sight, Request, Json], Json]] = {
    "GET /twins/{twin}": _faceplate,
    "GET /twins/{twin}/explain": _explained,
    "PATCH /twins/{twin}/desired": _desired,
    "GET /kpis": _kpis,
    "GET /scene": _scene,
    "GET /plant": _plant,
}
MAKES = "PUT /digitaltwins/{id}"
"""Refuses a twin that is hidden and one that may not be made alike, so that it tells of neither."""
WHOLE = frozenset({"GET /rejects"})
"""Routes of one twin that need all of it to be readable."""


async def guarded(platform: Platform, route: Route, request: Request, who: Principal) -> Response:
    """Calls a route's endpoint with what policies let the principal see.

    Raises:
        Forbidden: the route shows more than one part of the plant, and the principal has one.
    """
    sight = platform.policies.sight(who)
    name = f"{route.method} {route.path}"
    if sight is None or route.allow == ANYONE or name in OPEN:
        return await route.endpoint(platform, request, who)
    of_path = request.path_params
    key = of_path.get("twin") or (of_path.get("id") if name.find(" /digitaltwins/") > 0 else "")
    if key and name != MAKES:
        sight.require_seen(key)
    seen = platform.policies.seen_by(who)
    if name in SEEN:
        return await route.endpoint(seen, request, who)
    trim = TRIMMED.get(name)
    if trim is not None:
        response = await route.endpoint(seen, request, who)
        body = trim(sight, request, orjson.loads(bytes(response.body)))
        return json_response(body, response.status_code)
    twin = key or request.query_params.get("twin", "")
    if name in WHOLE and twin:
        sight.require(READ, twin)
        return await route.endpoint(platform, request, who)
    raise Forbidden(
        f"policies narrow what you may see, and {name} cannot be narrowed",
        hint="ask somebody whom no policy narrows",
        code="PolicyForbids",
    )
