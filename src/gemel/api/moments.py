"""As of when a request asks: `asOf` and `recordedAsOf`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from gemel.api.bodies import read_time
from gemel.app.past import Moment
from gemel.core.errors import InvalidInput
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

AS_OF = (
    ("asOf", "as it was at this moment: ISO 8601, epoch ms, or relative like -1d"),
    ("recordedAsOf", "as it was known at this moment"),
)


def asked(platform: Platform, request: Request) -> Moment | None:
    """The moment of the query parameters; None is now.

    Raises:
        InvalidInput: no time, or one that lies ahead.
    """
    query = request.query_params
    return _moment(platform, query.get("asOf"), query.get("recordedAsOf"))


def asked_in(platform: Platform, body: dict[str, object]) -> Moment | None:
    """The moment of a body's `asOf` and `recordedAsOf`."""
    for name in ("asOf", "recordedAsOf"):
        if not isinstance(body.get(name, ""), str):
            raise InvalidInput(f"'{name}' must be a text", hint="like 2026-11-22T10:00:00Z or -1d")
    at, recorded = body.get("asOf"), body.get("recordedAsOf")
    return _moment(platform, str(at) if at else None, str(recorded) if recorded else None)


def _moment(platform: Platform, at: str | None, recorded: str | None) -> Moment | None:
    if not at and not recorded:
        return None
    now = platform.clock()
    return platform.moments.moment(
        read_time(at, now, "asOf") if at else None,
        read_time(recorded, now, "recordedAsOf") if recorded else None,
    )


async def graph_of(platform: Platform, request: Request) -> Graph:
    """The graph that a request asks about."""
    moment = asked(platform, request)
    return platform.graph if moment is None else (await platform.moments.then(moment)).graph
