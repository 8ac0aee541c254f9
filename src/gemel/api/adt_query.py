"""Queries over the Azure Digital Twins data plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.adt_requests import page_size
from gemel.api.bodies import read_json
from gemel.api.errors import json_response
from gemel.api.moments import asked_in
from gemel.api.routes import Route
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

if TYPE_CHECKING:
    from gemel.app.platform import Platform


async def query(platform: Platform, request: Request, _: Principal) -> Response:
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput(
            "the body must be a JSON object", hint='like {"query": "SELECT * FROM DIGITALTWINS"}'
        )
    text, token = body.get("query"), body.get("continuationToken")
    for name, value in (("query", text), ("continuationToken", token)):
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"'{name}' must be a text")
    if not text and not token:
        raise InvalidInput(
            "the body lacks 'query'", hint='like {"query": "SELECT * FROM DIGITALTWINS"}'
        )
    moment = asked_in(platform, body)
    found = await platform.queries.answer(text or "", token or None, page_size(request), moment)
    answer: Json = {"value": found.rows, "continuationToken": found.token}
    if moment is not None:
        answer["asOf"] = to_iso(moment.at)  # what was asked for as -1d, for the pages that follow
        answer["recordedAsOf"] = None if moment.recorded is None else to_iso(moment.recorded)
    return json_response(
        answer,
        headers={"query-charge": str(found.charge)},
    )


BODY = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "example": "SELECT * FROM DIGITALTWINS"},
        "continuationToken": {"type": ["string", "null"]},
        "asOf": {"type": "string", "example": "2026-11-22T10:00:00Z"},
        "recordedAsOf": {"type": "string"},
    },
}

ROUTES = [Route("POST", "/query", query, "twins:read", "Query twins", body=BODY)]
