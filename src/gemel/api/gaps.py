"""Which messages were lost by design: the gaps in what devices sent."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_number, read_time
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal


async def gaps(platform: Platform, request: Request, _: Principal) -> Response:
    now = platform.clock()
    query = request.query_params
    found = await run_in_threadpool(
        platform.gaps.listing,
        query.get("twin") or None,
        read_time(query.get("from", "0"), now, "from"),
        read_time(query.get("to", "now"), now, "to"),
        int(read_number(request, "limit", 100, 1, 10_000)),
    )
    return json_response({"value": found})


ROUTES = [
    Route(
        "GET",
        "/gaps",
        gaps,
        "twins:read",
        "Messages that were lost, by device and span",
        query=(
            ("twin", "only of this twin or device"),
            ("from", "start of a span that the gap touches"),
            ("to", "its end"),
            ("limit", "at most 10,000"),
        ),
    )
]
