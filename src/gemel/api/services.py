"""Services and their runs: kinds, instances, versions; start, watch, cancel, results."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gemel.api.answers.scenarios import ServiceRun
from gemel.api.answers.schema import Rows
from gemel.api.answers.services import (
    RunArrayValues,
    RunResult,
    ServiceKind,
    ServiceStatus,
    ServiceVersions,
    ServiceView,
)
from gemel.api.bodies import read_number, read_object, text_field
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.app.service_documents import FIELDS, IGNORED
from gemel.core.access import Principal
from gemel.core.errors import InvalidInput, NotFound
from gemel.services.contract import Kind, Run
from gemel.services.registry import kinds

MOST_VALUES = 1_000_000
"""Of one array in one answer."""


# ---- kinds ---------------------------------------------------------------------------------------


async def list_kinds(_: Platform, __: Request, ___: Principal) -> Response:
    return json_response({"value": [_kind(kind) for kind in kinds().values()]})


def _kind(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "title": kind.title,
        "about": kind.about,
        "fidelity": kind.fidelity,
        "isLive": kind.make is not None,
        "needsTwins": kind.per_model,
        "outputs": [
            {
                "name": o.name,
                "about": o.about,
                "unit": o.unit,
                "provenance": o.provenance,
                "hasInterval": o.has_interval,
            }
            for o in kind.outputs
        ],
        "cost": {
            "microsecondsAReading": kind.cost.microseconds_a_reading,
            "bytesASignal": kind.cost.bytes_a_signal,
        },
        "parameters": kind.parameters,
        "runs": [_run(run) for run in kind.runs],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.name,
        "about": run.about,
        "parameters": run.parameters,
        "memoryMb": run.memory_mb,
        "seconds": run.seconds,
    }


# ---- instances -----------------------------------------------------------------------------------


async def services(platform: Platform, _: Request, __: Principal) -> Response:
    return json_response({"value": platform.services.views()})


async def service(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.services.view(request.path_params["id"]))


async def put_service(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("kind",), (*FIELDS, *IGNORED))
    return json_response(await platform.services.put(request.path_params["id"], body, who.name))


async def delete_service(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.services.delete(request.path_params["id"], who.name)
    return Response(status_code=204)


async def service_status(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.services.status(request.path_params["id"]))


async def use_version(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("version",), ())
    version = body["version"]
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise InvalidInput("'version' must be a number", hint="null takes none into use")
    key = request.path_params["id"]
    platform.services.document(key)
    return json_response(await platform.services.fits.use(key, version, who.name))


# ---- runs ----------------------------------------------------------------------------------------


async def runs(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    found = platform.services.runs.find(
        service=query.get("service", ""),
        kind=query.get("kind", ""),
        limit=int(read_number(request, "limit", 100, 1, 1_000)),
    )
    return json_response({"value": found})


async def start_run(platform: Platform, request: Request, who: Principal) -> Response:
    body = await read_object(request, ("run",), ("service", "kind", "model", "twins", "parameters"))
    run = text_field(body, "run")
    if body.get("service"):
        if set(body) & {"kind", "model", "twins"}:
            raise InvalidInput("give a service, or a kind with a model or twins, not both")
        key = text_field(body, "service")
        given = body.get("parameters")
        found = await platform.services.start_run(key, run, given, who.name)
    else:
        kind = text_field(body, "kind")
        found = await platform.services.start_free_run(kind, run, body, who.name)
    return json_response(found, 202)


async def run(platform: Platform, request: Request, _: Principal) -> Response:
    return json_response(platform.services.runs.get(request.path_params["id"]))


async def cancel_run(platform: Platform, request: Request, who: Principal) -> Response:
    return json_response(await platform.services.runs.cancel(request.path_params["id"], who.name))


async def delete_run(platform: Platform, request: Request, who: Principal) -> Response:
    await platform.services.runs.delete(request.path_params["id"], who.name)
    return Response(status_code=204)


async def run_result(platform: Platform, request: Request, _: Principal) -> Response:
    found = await platform.services.runs.result(request.path_params["id"])
    name = request.query_params.get("array")
    if name is not None:
        return _array(found.arrays, name)
    return json_response(
        {
            "result": found.document,
            "arrays": [
                {"name": n, "type": a.dtype.str, "shape": list(a.shape)}
                for n, a in found.arrays.items()
            ],
            "series": [
                {"twin": s.twin, "path": s.path, "provenance": s.provenance, "values": len(s.time)}
                for s in found.series
            ],
        }
    )


def _array(arrays: Any, name: str) -> Response:
    array = arrays.get(name)
    if array is None:
        raise NotFound(f"there is no array '{name}'", hint="one of: " + ", ".join(arrays) or "none")
    if array.size > MOST_VALUES:
        raise InvalidInput(
            f"array '{name}' has {array.size:,} values", hint=f"at most {MOST_VALUES:,} are given"
        )
    if array.dtype.kind == "f":
        array = np.where(np.isfinite(array), array.astype(object), None)
    return json_response({"name": name, "values": array.tolist()})


async def run_log(platform: Platform, request: Request, _: Principal) -> Response:
    return PlainTextResponse(await platform.services.runs.log_of(request.path_params["id"]))


TWINS = {"type": "array", "items": {"type": "string"}}
SERVICE = {
    "type": "object",
    "required": ["kind"],
    "properties": {
        "kind": {"type": "string", "examples": ["anomaly"]},
        "title": {"type": "string"},
        "model": {"type": "string", "description": "DTMI; it serves every twin of it"},
        "twins": TWINS,
        "as": {"type": "string", "description": "what its series begin with, not its kind"},
        "parameters": {"type": "object", "description": "as its kind says"},
        "autonomy": {"type": "string", "enum": ["observe", "advise", "approve", "act"]},
        "enabled": {"type": "boolean"},
        "schedule": {
            "type": "object",
            "description": "by run: {every: seconds, parameters}",
        },
    },
}
VERSION = {
    "type": "object",
    "required": ["version"],
    "properties": {"version": {"type": ["integer", "null"]}},
}
RUN = {
    "type": "object",
    "required": ["run"],
    "properties": {
        "run": {"type": "string", "examples": ["learn"]},
        "service": {"type": "string", "description": "an instance, or:"},
        "kind": {"type": "string"},
        "model": {"type": "string"},
        "twins": TWINS,
        "parameters": {"type": "object", "description": "as the run says"},
    },
}
READ, WRITE, START = "services:read", "services:write", "runs:start"
LIST_QUERY = (
    ("service", "only of this instance"),
    ("kind", "only of this kind"),
    ("limit", "at most so many; 100 unless said"),
)
ROUTES = [
    Route("GET", "/services", services, READ, "All services", answer=Rows[ServiceView]),
    Route(
        "GET",
        "/services/kinds",
        list_kinds,
        READ,
        "Kinds of services, with their schemas",
        answer=Rows[ServiceKind],
    ),
    Route("GET", "/services/{id}", service, READ, "One service", answer=ServiceView),
    Route(
        "PUT",
        "/services/{id}",
        put_service,
        WRITE,
        "Make or change a service",
        body=SERVICE,
        answer=ServiceView,
    ),
    Route("DELETE", "/services/{id}", delete_service, WRITE, "Delete a service", status=204),
    Route(
        "GET",
        "/services/{id}/status",
        service_status,
        READ,
        "How a service fares",
        answer=ServiceStatus,
    ),
    Route(
        "PUT",
        "/services/{id}/version",
        use_version,
        WRITE,
        "Take a version of what it has learnt into use",
        body=VERSION,
        answer=ServiceVersions,
    ),
    Route(
        "GET",
        "/runs",
        runs,
        READ,
        "Runs, the newest first",
        query=LIST_QUERY,
        answer=Rows[ServiceRun],
    ),
    Route(
        "POST", "/runs", start_run, START, "Start a run", body=RUN, status=202, answer=ServiceRun
    ),
    Route("GET", "/runs/{id}", run, READ, "One run, with its progress", answer=ServiceRun),
    Route("DELETE", "/runs/{id}", delete_run, WRITE, "Forget a run", status=204),
    Route("POST", "/runs/{id}/cancel", cancel_run, START, "Call a run off", answer=ServiceRun),
    Route(
        "GET",
        "/runs/{id}/result",
        run_result,
        READ,
        "What a run came to",
        query=(("array", "the values of this array instead"),),
        answer=RunResult | RunArrayValues,
    ),
    Route("GET", "/runs/{id}/log", run_log, READ, "What its worker printed"),
]
