"""Telemetry in over HTTP: JSON, NDJSON and SenML, answered once it is durable."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_body
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.errors import Forbidden, InvalidInput
from gemel.core.series import MEASURED, check_provenance
from gemel.ingest.accept import Accepted
from gemel.ingest.requests import http_messages

MOST_PACKED = 1032
"""Times that gzip makes anything smaller at the most."""


async def ingest(platform: Platform, request: Request, who: Principal) -> Response:
    twin = request.path_params.get("twin")
    if twin is not None and not who.may_write_twin(twin):
        raise Forbidden(
            f"this token may not write twin '{twin}'", hint="a device's token names its own twins"
        )
    provenance = check_provenance(request.query_params.get("provenance", MEASURED))
    if provenance != MEASURED and not who.allows("results:write"):
        raise Forbidden(
            f"this token may not write {provenance} values",
            hint="it needs results:write, which engineers and admins have",
        )
    with platform.room.take(body_size(request, platform.config.max_body)):
        taken = await _taken(platform, request, who, twin, provenance)
    answer: dict[str, object] = {
        "readings": taken.readings,
        "rejected": len(taken.rejects),
        "duplicates": taken.duplicates,
    }
    if taken.rejects:
        answer["rejects"] = [
            {"twin": r.twin, "field": r.field, "reason": r.reason, "raw": r.raw[:100]}
            for r in taken.rejects[:20]
        ]
    return json_response(answer)


async def _taken(
    platform: Platform, request: Request, who: Principal, twin: str | None, provenance: str
) -> Accepted:
    body = await read_body(request, platform.config.max_body)
    if not body.strip():
        raise InvalidInput("the request has no body", hint='like {"twin": "pump-1", "flow": 12.4}')
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    messages = http_messages(body, kind, twin, who, platform.clock())
    if provenance == MEASURED:
        return await platform.ingest(messages)
    return await platform.results.ingest(messages, provenance)


def body_size(request: Request, limit: int) -> int:
    """How many bytes a body may take in memory, before it is read."""
    length = request.headers.get("content-length", "")
    size = int(length) if length.isdecimal() else limit
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        size *= MOST_PACKED
    return min(size, limit)


BODY = {"description": "names to values, arrays or lines of such, or SenML", "type": "object"}
QUERY = (("provenance", "measured (default), derived, predicted or simulated, with a :label"),)
ROUTES = [
    Route("POST", "/ingest", ingest, "ingest:write", "Telemetry of any twins", BODY, QUERY),
    Route("POST", "/ingest/{twin}", ingest, "ingest:write", "Telemetry of one twin", BODY, QUERY),
]
