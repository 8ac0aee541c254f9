"""History out: raw, M4 for a width in pixels, or aggregates; the value as of a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import read_number, read_time
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.platform import Platform
from gemel.app.values import typed
from gemel.core.access import Principal
from gemel.core.batch import F64, I64, Columns
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound

AGGREGATES = ("avg", "min", "max", "sum", "count", "first", "last")
PROVENANCES = ("measured", "derived", "predicted", "simulated")
MOST_SERIES = 100
MOST_BUCKETS = 100_000
HOUR = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Wanted:
    twin: str
    path: str
    series: int | None


def _wanted(platform: Platform, request: Request) -> list[Wanted]:
    query = request.query_params
    twins = [t for t in query.get("twin", "").split(",") if t]
    paths = [p for p in query.get("property", "").split(",") if p]
    provenance = query.get("provenance", "measured")
    if provenance not in PROVENANCES:
        raise InvalidInput(f"provenance: '{provenance}'", hint="one of " + ", ".join(PROVENANCES))
    if not twins or not paths:
        raise InvalidInput("needs twin and property", hint="?twin=pump-1&property=flow")
    if len(twins) * len(paths) > MOST_SERIES:
        raise InvalidInput(f"more than {MOST_SERIES} series at once", hint="ask in parts")
    found = [Wanted(t, p, platform.series.find(t, p, provenance)) for t in twins for p in paths]
    missing = next((w for w in found if w.series is None and not _is_known(platform, w)), None)
    if missing and len(found) == 1:
        raise NotFound(f"'{missing.twin}' has no '{missing.path}'", hint="see GET /twins/{id}")
    return found


def _is_known(platform: Platform, wanted: Wanted) -> bool:
    model = platform.catalogue.model_of(wanted.twin)
    return model is not None and wanted.path in platform.catalogue.signals.of(model)


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    now = platform.clock()
    end = read_time(query.get("to", "now"), now, "to")
    start = read_time(query.get("from", "-1h"), now, "from")
    if start >= end:
        raise InvalidInput("from must lie before to", hint="like from=-1h&to=now")
    wanted = _wanted(platform, request)
    reader = _reader(platform, request, start, end)
    series = await asyncio.get_running_loop().run_in_executor(
        None, lambda: [_one(platform, w, reader) for w in wanted]
    )
    return json_response({"from": start / 1e6, "to": end / 1e6, "series": series})


Reader = Callable[[int], tuple[str, dict[str, Any]]]


def _reader(platform: Platform, request: Request, start: int, end: int) -> Reader:
    """What to read of each series: (source, columns as JSON)."""
    history = platform.history
    bad = request.query_params.get("quality", "") == "all"
    pixels = int(read_number(request, "px", 0, 0, 20_000))
    bucket = read_number(request, "bucket", 0, 0, 1e9)
    limit = int(read_number(request, "limit", 100_000, 1, 5_000_000))
    if bucket:
        aggregate = request.query_params.get("aggregate", "avg")
        if aggregate not in AGGREGATES:
            raise InvalidInput(f"aggregate: '{aggregate}'", hint="one of " + ", ".join(AGGREGATES))
        width = max(1, round(bucket * SECOND))
        if (end - start) // width > MOST_BUCKETS:
            raise InvalidInput(f"more than {MOST_BUCKETS:,} buckets", hint="make them wider")

        def buckets(series: int) -> tuple[str, dict[str, Any]]:
            found = history.buckets(series, start, end, width, (aggregate,))
            times = milliseconds(found["time"])
            return aggregate, {"time": times, "value": _nulls(found[aggregate])}

        return buckets

    def rows(series: int) -> tuple[str, dict[str, Any]]:
        if pixels and not bad:
            return "m4", _columns(history.downsample(series, start, end, pixels))
        return "raw", _columns(history.read(series, start, end, bad=bad, limit=limit))

    return rows


def _columns(found: Columns) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "time": milliseconds(found.time),
        "value": _nulls(found.value),
        "quality": found.quality,
    }
    if found.text:
        columns["text"] = {str(row): text for row, text in found.text.items()}
    return columns


def milliseconds(time: I64) -> F64:
    """Epoch ms as float64, exact to the microsecond; a plain division would lose 128 ns."""
    whole, rest = np.divmod(time, 1_000_000)
    return whole + rest / 1e6


def _nulls(values: Any) -> Any:
    """NaN becomes null (orjson does so for floats of numpy arrays too)."""
    return np.asarray(values, np.float64)


def _one(platform: Platform, wanted: Wanted, reader: Reader) -> Json:
    head = {
        "twin": wanted.twin,
        "property": wanted.path,
        "unit": platform.catalogue.unit_of(wanted.twin, wanted.path),
    }
    if wanted.series is None:
        return {**head, "source": "raw", "time": [], "value": [], "quality": []}
    source, columns = reader(wanted.series)
    return {**head, "source": source, **columns}


async def last(platform: Platform, request: Request, _: Principal) -> Response:
    now = platform.clock()
    at = read_time(request.query_params.get("at", "now"), now, "at")
    found = []
    for wanted in _wanted(platform, request):
        value: Json = {"twin": wanted.twin, "property": wanted.path, "value": None, "time": None}
        latest = None
        if wanted.series is not None:
            latest = await asyncio.get_running_loop().run_in_executor(
                None, platform.history.last, wanted.series, at
            )
        if latest is not None:
            time, number, quality, received, text = latest
            kind = platform.catalogue.kind_of(wanted.twin, wanted.path)
            value |= {
                "value": typed(number, text, kind),
                "time": to_iso(time),
                "received": to_iso(received),
                "quality": quality,
                "unit": platform.catalogue.unit_of(wanted.twin, wanted.path),
            }
        found.append(value)
    return json_response({"value": found})


SERIES_QUERY = (
    ("twin", "one or more ids, with commas"),
    ("property", "one or more paths, with commas"),
    ("provenance", "measured (default), derived, predicted or simulated"),
)
QUERY = (
    *SERIES_QUERY,
    ("from", "ISO 8601, epoch ms, or relative like -1h (default)"),
    ("to", "likewise; default now"),
    ("px", "M4 for this many pixels: first, last, lowest and highest of each"),
    ("bucket", "seconds of a bucket"),
    ("aggregate", "avg, min, max, sum, count, first or last of each bucket"),
    ("limit", "most raw readings"),
    ("quality", "all: bad readings too"),
)
ROUTES = [
    Route("GET", "/history", read, "history:read", "Readings over time", query=QUERY),
    Route(
        "GET",
        "/history/last",
        last,
        "history:read",
        "The value as of a moment",
        query=(*SERIES_QUERY, ("at", "the moment; default now")),
    ),
]
