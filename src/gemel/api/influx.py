"""InfluxDB's ways to write, 1.x and 2.x: what Telegraf, Node-RED and its own clients send.

Answered once it is durable. As with InfluxDB the good lines of a body are taken when others are
bad: 400 then tells which are not, and sending them again would change nothing.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from gemel import __version__
from gemel.api.bodies import read_body
from gemel.api.errors import error_response, json_response, status_of
from gemel.api.ingest import body_size
from gemel.api.routes import ANYONE, Dialect, Route
from gemel.api.session import foreign_secret
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import GemelError, InvalidInput
from gemel.ingest.lines import PRECISIONS, Fault, line_parts, reject_faults

MOST_TOLD = 20
VERSION = f"gemel-{__version__}"
CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    413: "request too large",
    429: "too many requests",
    503: "unavailable",
}
"""Status to the code of 2.x; all others are an internal error."""


async def ping(_: Platform, __: Request, ___: Principal) -> Response:
    headers = {"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "Gemel"}
    return Response(status_code=204, headers=headers)


async def write(platform: Platform, request: Request, who: Principal) -> Response:
    """Takes lines in; both versions differ only in what `DIALECTS` hold."""
    precision = request.query_params.get("precision", "")
    step = PRECISIONS.get(precision)
    if step is None:
        raise InvalidInput(f"precision: '{precision[:20]}'", hint="one of ns, us, ms, s, m, h")
    with platform.room.take(body_size(request, platform.config.max_body)):
        body = await read_body(request, platform.config.max_body)
        found = await _taken(platform, body, step, who)
    if found.dropped:
        raise found.error()
    return Response(status_code=204)


async def _taken(platform: Platform, body: bytes, step: int, who: Principal) -> _Outcome:
    found = _Outcome()
    for part in line_parts(body, step, who, platform.clock()):
        taken = await platform.ingest(part.messages)
        found.values += taken.readings + taken.duplicates
        found.add(part.faults, len(part.faults))
        found.add(reject_faults(part, taken.rejects[:MOST_TOLD]), len(taken.rejects))
    return found


class _Outcome:
    """What became of a body."""

    def __init__(self) -> None:
        self.values = 0
        """Readings that are durable."""
        self.dropped = 0
        self.faults: list[Fault] = []
        """The first of what was not taken."""

    def add(self, faults: list[Fault], count: int) -> None:
        self.dropped += count
        self.faults += sorted(faults)[: MOST_TOLD - len(self.faults)]

    def error(self) -> InvalidInput:
        first = self.faults[0]
        return InvalidInput(
            f"partial write: line {first.line}: {first.rule}: {first.text}; "
            f"{self.values} values taken, dropped={self.dropped}",
            code="PartialWrite",
            details=[
                {"line_number": one.line, "error_message": one.rule, "original_line": one.text}
                for one in self.faults
            ],
        )


def _told_1(error: GemelError) -> Response:
    return _told(error, {"error": str(error)})


def _told_2(error: GemelError) -> Response:
    code = CODES.get(status_of(error), "internal error")
    return _told(error, {"code": code, "message": str(error)})


def _told(error: GemelError, body: dict[str, Any]) -> Response:
    """The form of a version, with what both have: each line, and our headers."""
    if error.details:
        body["data"] = error.details
    ours = error_response(error).headers
    headers = {k: v for k, v in ours.items() if not k.startswith("content-")}
    words = str(error).encode("ascii", "backslashreplace").decode()
    headers["X-Influxdb-Error"] = "".join(c if c.isprintable() else " " for c in words)[:500]
    return json_response(body, status_of(error), headers)


def _secret_1(request: HTTPConnection) -> str:
    """As `foreign_secret`, or the token as password in the query."""
    query = request.query_params
    return foreign_secret(request) or query.get("p", "") or query.get("u", "")


LINE = {
    "type": "object",
    "properties": {
        "line_number": {"type": "integer"},
        "error_message": {"type": "string"},
        "original_line": {"type": "string"},
    },
}
DATA = {"type": "array", "items": LINE}
DIALECT_1 = Dialect(
    _secret_1,
    _told_1,
    {"type": "object", "properties": {"error": {"type": "string"}, "data": DATA}},
)
DIALECT_2 = Dialect(
    foreign_secret,
    _told_2,
    {
        "type": "object",
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "data": DATA},
    },
)
BODY = {"type": "string", "description": "InfluxDB's line protocol"}
PRECISION = ("precision", "of the times: ns (default), us, ms, s, m, h")
ROUTES = [
    Route("GET", "/ping", ping, ANYONE, "That it is there, as InfluxDB says it", status=204),
    Route(
        "POST",
        "/write",
        write,
        "ingest:write",
        "Line protocol, as InfluxDB 1.x takes it",
        BODY,
        (PRECISION, ("u", "any"), ("p", "the token"), ("db", "any"), ("rp", "any")),
        204,
        dialect=DIALECT_1,
        takes="text/plain",
    ),
    Route(
        "POST",
        "/api/v2/write",
        write,
        "ingest:write",
        "Line protocol, as InfluxDB 2.x takes it",
        BODY,
        (PRECISION, ("bucket", "any"), ("org", "any")),
        204,
        dialect=DIALECT_2,
        takes="text/plain",
    ),
]
