"""Who changed what and why; what is different between two moments."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.graph import Differences, TwinDifference, TwinEdits, TwinPair
from gemel.api.bodies import read_number, read_time
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app import changes
from gemel.app.platform import Platform
from gemel.app.twin_pairs import of_two
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput


async def history(platform: Platform, request: Request, _: Principal) -> Response:
    limit = int(read_number(request, "limit", 100, 1, 1_000))
    before = int(read_number(request, "cursor", 0, 0, 2**53))
    twin = request.path_params["twin"]
    return json_response(await changes.history(platform, twin, before, limit))


async def of_twin(platform: Platform, request: Request, _: Principal) -> Response:
    other = request.query_params.get("with", "")
    if other:
        return json_response(of_two(platform, request.path_params["twin"], other))
    begin, end = _span(platform, request)
    return json_response(await changes.of_twin(platform, request.path_params["twin"], begin, end))


async def between(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    wanted = changes.Wanted(
        [kind for kind in query.get("kind", "").split(",") if kind],
        query.get("twin", ""),
        int(read_number(request, "limit", 1_000, 1, 10_000)),
    )
    return json_response(await changes.between(platform, *_span(platform, request), wanted))


def _span(platform: Platform, request: Request) -> tuple[int, int]:
    now = platform.clock()
    begin = read_time(request.query_params.get("from", "-1d"), now, "from")
    end = read_time(request.query_params.get("to", "now"), now, "to")
    if not begin < end <= now:
        raise InvalidInput("'from' must lie before 'to', and both have been", hint="like from=-8h")
    return begin, end


SPAN = (
    ("from", "ISO 8601, epoch ms, or relative like -1d (default)"),
    ("to", "likewise; default now"),
)
ROUTES = [
    Route(
        "GET",
        "/twins/{twin}/changes",
        history,
        "twins:read",
        "Who changed it, when and why",
        query=(("limit", "edits in a page, at most 1,000"), ("cursor", "from the last page")),
        answer=TwinEdits,
    ),
    Route(
        "GET",
        "/twins/{twin}/diff",
        of_twin,
        "twins:read",
        "What is different of a twin between two moments, or from another twin",
        query=(*SPAN, ("with", "another twin: both as they are now, in place of a span")),
        answer=TwinDifference | TwinPair,
    ),
    Route(
        "GET",
        "/diff",
        between,
        "twins:read",
        "What is different between two moments",
        query=(
            *SPAN,
            ("kind", "of document, with commas: model, twin, relationship, rule, ..."),
            ("twin", "only this twin and all that it contains"),
            ("limit", "edited documents that are looked at, at most 10,000"),
        ),
        answer=Differences,
    ),
]
