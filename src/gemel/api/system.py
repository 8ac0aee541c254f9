"""The installation itself: health, metrics, tokens, the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gemel import __version__
from gemel.api.answers.installation import Health, NewToken, Token
from gemel.api.answers.schema import Rows
from gemel.api.bodies import read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import ANYONE, Route
from gemel.app import tokens
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

FACES = {"mqtt": "MQTT", "coap": "CoAP"}
GAUGES = {
    "mqtt": frozenset(
        {"connections", "sockets", "sessions", "subscriptions", "retained", "queued", "fronts"}
        | {"undurable_bytes"}
    ),
    "coap": frozenset(
        {"endpoints", "exchanges", "observers", "unconfirmed"}
        | {"undurable_bytes", "assembling_bytes"}
    ),
}
"""Figures of the servers that fall too; all others only rise."""
EVENTS = (
    ("delivered", "counter", "Events acknowledged by endpoints."),
    ("dropped", "counter", "Events that will not be delivered."),
    ("telemetry_waiting", "gauge", "Telemetry events that wait in memory."),
    ("is_failing", "gauge", "1 where an endpoint does not take events now."),
)
"""Figures of deliveries of events, by the names they have there."""

EXPORTED = (
    ("readings_total", "counter", "exported", "Readings copied out."),
    ("refused_total", "counter", "refused", "Readings that the target will not take."),
    ("expired_total", "counter", "expired", "Readings removed for their age before."),
    ("behind_seconds", "gauge", "behind", "Age of what went out last, while more waits."),
)
"""What is told of each export: name, kind, field, words."""


async def health(platform: Platform, _: Request, __: Principal) -> Response:
    found = platform.history.statistics()
    problem = None if found.state == "ok" else f"history: {found.state}: {found.reason}"
    body = {
        "name": "gemel",
        "status": "pass" if problem is None else "fail",
        "message": problem or "ready",
        "live": True,
        "ready": problem is None,
        "version": __version__,
    }
    if problem:
        body["problem"] = problem
    return json_response(body, 200 if problem is None else 503)


async def metrics(platform: Platform, _: Request, __: Principal) -> Response:
    """Prometheus text format."""
    status = platform.status()
    history = platform.history.statistics()
    lines: list[str] = []

    def add(name: str, kind: str, about: str, rows: list[tuple[str, float]]) -> None:
        lines.append(f"# HELP gemel_{name} {about}")
        lines.append(f"# TYPE gemel_{name} {kind}")
        lines.extend(f"gemel_{name}{labels} {value}" for labels, value in rows)

    add("readings_total", "counter", "Readings stored.", [("", status["readings"])])
    add("duplicates_total", "counter", "Exact duplicates dropped.", [("", platform.duplicates)])
    counts = platform.history.reject_counts()
    rejected = [(f'{{reason="{reason}"}}', float(n)) for reason, n in sorted(counts.items())]
    add("rejects_total", "counter", "What could not become a reading.", rejected or [("", 0.0)])
    twins = [(f'{{status="{s}"}}', status[s]) for s in ("live", "stale", "offline")]
    add("twins", "gauge", "Twins by status.", twins)
    alarms = [(f'{{priority="{p}"}}', status["alarms"][p]) for p in ("1", "2", "3", "4")]
    add("alarms", "gauge", "Active alarms by priority.", alarms)
    add("behind_seconds", "gauge", "Age of the oldest undurable reading.", [("", status["behind"])])
    lost = [(f'{{cause="{cause}"}}', float(n)) for cause, n in sorted(platform.gaps.lost.items())]
    add("lost_messages_total", "counter", "QoS 0 messages not taken in.", lost or [("", 0.0)])
    add("gaps_total", "counter", "Gap records begun.", [("", float(platform.gaps.opened))])
    refused = [("", float(platform.room.refused))]
    add("http_refused_total", "counter", "Telemetry answered with 429.", refused)
    _add_events(platform, add)
    add("series", "gauge", "Series known.", [("", float(len(platform.series)))])
    sizes = [(f'{{kind="{kind}"}}', float(n)) for kind, n in history.bytes_by_kind.items()]
    add("history_bytes", "gauge", "History on disk by kind of file.", sizes)
    gone = [("", float(history.expired))]
    add("readings_expired_total", "counter", "Readings removed for their age.", gone)
    add("history_segments", "gauge", "Sealed segments.", [("", float(history.segments))])
    damaged = len(history.damage) + bool(platform.upkeep.broken)
    add("damage", "gauge", "Damaged places found.", [("", float(damaged))])
    exports = platform.exports.listing()
    for name, kind, field, about in EXPORTED:
        told = [(_of_export(one), float(one[field] or 0)) for one in exports]
        add(f"export_{name}", kind, about, told or [("", 0.0)])
    for face in FACES:
        for name, value in sorted(status[face].items()):
            if not isinstance(value, int | float):
                continue
            about = f"{FACES[face]} server: {name.replace('_', ' ')}"
            if name in GAUGES[face]:
                add(f"{face}_{name}", "gauge", f"{about} now.", [("", value)])
            else:
                add(f"{face}_{name}_total", "counter", f"{about}.", [("", value)])
    return PlainTextResponse(
        "\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8"
    )


def _add_events(platform: Platform, add: Callable[..., None]) -> None:
    """How delivery goes, by endpoint."""
    found = platform.events.deliveries
    for name, kind, about in EVENTS:
        rows = [(f'{{endpoint="{one.name}"}}', float(getattr(one, name))) for one in found]
        suffix = "_total" if kind == "counter" else ""
        add(f"events_{name}{suffix}", kind, about, rows or [("", 0.0)])


def _of_export(one: Json) -> str:
    name = one["name"]
    return f'{{export="{name}"}}'


async def backup(platform: Platform, request: Request, _: Principal) -> Response:
    """A snapshot below the data folder, to be copied from there."""
    body = await read_object(request, (), ("name",))
    return json_response(await platform.upkeep.snapshot(text_field(body, "name", limit=64)), 201)


async def check(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(await platform.upkeep.check())


async def compact(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(await platform.upkeep.compact())


async def listing(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": await platform.on_disk(platform.tokens.listing)})


async def create(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("role",), ("name", "twins", "days"))
    twins = body.get("twins", [])
    days = body.get("days")
    if not isinstance(twins, list) or not all(isinstance(t, str) for t in twins):
        raise InvalidInput("'twins' must be a list of ids or patterns")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float)):
        raise InvalidInput("'days' must be a number")
    role = text_field(body, "role")
    make = partial(
        tokens.create,
        role=role,
        name=text_field(body, "name", limit=200) or role,
        who=who.name,
        twins=tuple(twins),
        seconds=None if days is None else float(days) * 86_400,
    )
    new = await platform.on_disk(make, platform.documents, platform.clock())
    return json_response({**tokens.view(new.doc), "token": new.secret}, 201)


async def delete(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.on_disk(platform.tokens.delete, request.path_params["id"], who.name)
    return Response(status_code=204)


TOKEN = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "enum": ["admin", "engineer", "operator", "viewer", "device"]},
        "name": {"type": "string"},
        "twins": {"type": "array", "items": {"type": "string"}},
        "days": {"type": "number", "minimum": 0},
    },
    "additionalProperties": False,
}
SNAPSHOT = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[0-9A-Za-z][0-9A-Za-z-]{0,63}$"}},
    "additionalProperties": False,
}
ROUTES = [
    Route("GET", "/health", health, ANYONE, "Whether it lives and is ready", answer=Health),
    Route("GET", "/metrics", metrics, "twins:read", "Figures for Prometheus"),
    Route("POST", "/backup", backup, "system:write", "Take a snapshot", body=SNAPSHOT, status=201),
    Route("GET", "/check", check, "system:write", "Look for damage in every file"),
    Route("POST", "/compact", compact, "system:write", "Merge segments, drop copies"),
    Route(
        "GET",
        "/tokens",
        listing,
        "tokens:read",
        "All tokens, without their secrets",
        answer=Rows[Token],
    ),
    Route(
        "POST",
        "/tokens",
        create,
        "tokens:write",
        "Make a token",
        body=TOKEN,
        status=201,
        answer=NewToken,
    ),
    Route("DELETE", "/tokens/{id}", delete, "tokens:write", "End a token", status=204),
]
