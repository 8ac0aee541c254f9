"""The graph as it is drawn: what is around a twin, and the way between two."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.graph import GraphDrawn, GraphWay
from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.neighbours import MOST_HOPS, MOST_SHOWN
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput
from gemel.twins.placing import Point

MOST_STANDING = 5_000


async def around(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, ("around",), ("hops", "limit", "standing"))
    twins = body["around"]
    if not isinstance(twins, list) or not twins or not all(isinstance(t, str) for t in twins):
        raise InvalidInput("'around' must be a list of ids", hint='["pump-1"]')
    if len(twins) > MOST_SHOWN:
        raise InvalidInput(f"'around' has more than {MOST_SHOWN} twins", hint="begin with fewer")
    hops = _whole(body, "hops", 1, 0, MOST_HOPS)
    limit = _whole(body, "limit", 150, 1, MOST_SHOWN)
    twins = list(dict.fromkeys(twins))
    return json_response(
        await platform.directory.neighbours.around(
            twins, hops, max(limit, len(twins)), _standing(body)
        )
    )


async def between(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_object(request, ("from", "to"), ("standing",))
    source, target = text_field(body, "from"), text_field(body, "to")
    return json_response(
        await platform.directory.neighbours.between(source, target, _standing(body))
    )


def _whole(body: dict[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = body.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise InvalidInput(f"'{name}' is not known", hint=f"a whole number, {least} to {most}")
    return value


def _standing(body: dict[str, Any]) -> dict[str, Point]:
    found = body.get("standing") or {}
    if not isinstance(found, dict) or len(found) > MOST_STANDING:
        raise InvalidInput(
            f"'standing' must be at most {MOST_STANDING:,} places", hint='{"pump-1": [0.0, 1.5]}'
        )
    return {twin: _point(twin, value) for twin, value in found.items()}


def _point(twin: str, value: Any) -> Point:
    if isinstance(value, list) and len(value) == 2:
        x, y = value
        if _is_place(x) and _is_place(y):
            return float(x), float(y)
    raise InvalidInput(f"standing: '{twin[:60]}' has no place", hint="two numbers, as [0.0, 1.5]")


def _is_place(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e6


STANDING = {"type": "object", "additionalProperties": {"type": "array", "maxItems": 2}}
ROUTES = [
    Route(
        "POST",
        "/graph",
        around,
        "twins:read",
        "The twins around some, placed; what stands is not moved",
        body={
            "type": "object",
            "required": ["around"],
            "properties": {
                "around": {"type": "array", "items": {"type": "string"}},
                "hops": {"type": "integer", "minimum": 0, "maximum": MOST_HOPS},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN},
                "standing": STANDING,
            },
        },
        answer=GraphDrawn,
    ),
    Route(
        "POST",
        "/graph/path",
        between,
        "twins:read",
        "A shortest way between two twins",
        body={
            "type": "object",
            "required": ["from", "to"],
            "properties": {
                "from": {"type": "string"},
                "to": {"type": "string"},
                "standing": STANDING,
            },
        },
        answer=GraphWay,
    ),
]
