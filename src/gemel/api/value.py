"""What the twin is worth: cases calculated, value measured, fidelity of predictions."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.schema import Rows
from gemel.api.answers.value import Case, CaseWorked, FidelityOf, Prices, ValueMeasured
from gemel.api.bodies import read_object, read_time, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.errors import InvalidInput
from gemel.services.roi import CASES, calculate
from gemel.services.roi.calculate import SAMPLES
from gemel.services.roi.prices import ABOUT

READ, WRITE = "services:read", "services:write"


async def cases(_: Platform, __: Request, ___: Principal) -> Response:
    return json_response({"value": [case.to_json() for case in CASES.values()]})


async def calculated(_: Platform, request: Request, __: Principal) -> Response:
    body = await read_object(request, ("case",), ("inputs", "samples", "seed"))
    inputs = body.get("inputs", {})
    if not isinstance(inputs, dict):
        raise InvalidInput("'inputs' must be an object", hint='like {"cut": 0.2}')
    name = text_field(body, "case")
    samples, seed = _whole(body, "samples", SAMPLES), _whole(body, "seed", 1)
    found = await asyncio.get_running_loop().run_in_executor(
        None, calculate, name, inputs, samples, seed
    )
    return json_response(found)


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    found = body.get(name, default)
    if type(found) is not int:
        raise InvalidInput(f"'{name}' must be a whole number")
    return found


def _span(platform: Platform, request: Request, default: str) -> tuple[int, int]:
    now = platform.clock()
    begin = read_time(request.query_params.get("from", default), now, "from")
    end = read_time(request.query_params.get("to", "now"), now, "to")
    if begin >= end:
        raise InvalidInput("from must lie before to", hint="like from=-30d&to=now")
    return begin, end


async def measured(platform: Platform, request: Request, _: Principal) -> Response:
    begin, end = _span(platform, request, "-30d")
    found = await platform.value.measured(begin, end)
    return json_response({"from": to_iso(begin), "to": to_iso(end), **found})


async def fidelity(platform: Platform, request: Request, _: Principal) -> Response:
    begin, end = _span(platform, request, "-7d")
    found = await platform.value.fidelity(request.query_params.get("twin", ""), begin, end)
    return json_response({"from": to_iso(begin), "to": to_iso(end), "value": found})


async def prices(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response(platform.value.prices().to_json())


async def put_prices(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, (), tuple(ABOUT))
    return json_response(await platform.value.put_prices(body, who.name))


CALCULATION = {
    "type": "object",
    "required": ["case"],
    "properties": {
        "case": {"type": "string", "enum": list(CASES)},
        "inputs": {"type": "object", "description": "by name: a number or {value, low, high}"},
        "samples": {"type": "integer", "default": SAMPLES},
        "seed": {"type": "integer", "default": 1},
    },
}
SPAN = (("from", "ISO 8601 or -30d"), ("to", "until when; now unless said"))
ROUTES = [
    Route(
        "GET",
        "/value/cases",
        cases,
        READ,
        "Cases of the calculator: inputs, formulas, sources",
        answer=Rows[Case],
    ),
    Route(
        "POST",
        "/value/calculate",
        calculated,
        READ,
        "Work a case out",
        body=CALCULATION,
        answer=CaseWorked,
    ),
    Route(
        "GET",
        "/value/measured",
        measured,
        READ,
        "Value from the twin's own record",
        query=SPAN,
        answer=ValueMeasured,
    ),
    Route(
        "GET",
        "/value/fidelity",
        fidelity,
        READ,
        "How well predictions met what was measured",
        query=(*SPAN, ("twin", "only of this twin")),
        answer=FidelityOf,
    ),
    Route("GET", "/value/prices", prices, READ, "What things cost at this plant", answer=Prices),
    Route(
        "PUT",
        "/value/prices",
        put_prices,
        WRITE,
        "Say what things cost",
        body={
            "type": "object",
            "properties": {name: {"description": about} for name, about in ABOUT.items()},
        },
        answer=Prices,
    ),
]
