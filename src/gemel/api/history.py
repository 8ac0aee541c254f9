"""History out: raw, M4 for a width in pixels, or aggregates; the value as of a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.answers.history import History, SeriesLast, SeriesNow, Statistics
from gemel.api.answers.schema import Rows
from gemel.api.answers.twins import State
from gemel.api.bodies import read_number, read_time
from gemel.api.column_bytes import columns_response
from gemel.api.errors import json_response
from gemel.api.routes import Route
from gemel.app.moments import state_at
from gemel.app.platform import Platform
from gemel.app.values import shown_series, typed
from gemel.core.access import Principal
from gemel.core.batch import F64, I64, Columns
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.core.series import MEASURED, check_provenance, quantile_of

AGGREGATES = ("avg", "min", "max", "sum", "count", "first", "last", "sd")
ALL = "all"
FORMATS = ("json", "columns")
MOST_SERIES = 100
MOST_BUCKETS = 100_000
HOUR = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Wanted:
    twin: str
    path: str
    provenance: str
    series: int | None

    def head(self, platform: Platform) -> Json:
        """What an answer says of a series before its values."""
        beside = quantile_of(self.path)
        return {
            "twin": self.twin,
            "property": self.path,
            "provenance": self.provenance,
            "unit": platform.catalogue.unit_of(self.twin, beside[0] if beside else self.path),
        }


def _wanted(platform: Platform, request: Request) -> list[Wanted]:
    query = request.query_params
    twins = [t for t in query.get("twin", "").split(",") if t]
    paths = [p for p in query.get("property", "").split(",") if p]
    asked = [p for p in query.get("provenance", "").split(",") if p]
    is_default = not asked
    asked = asked or [MEASURED]
    everything = asked == [ALL]
    for provenance in [] if everything else asked:
        check_provenance(provenance)
    if not twins or not paths:
        raise InvalidInput("needs twin and property", hint="?twin=pump-1&property=flow")
    if len(twins) * len(paths) * len(asked) > MOST_SERIES:
        raise InvalidInput(f"more than {MOST_SERIES} series at once", hint="ask in parts")
    find = platform.series.find
    found = [
        _shown(platform, twin, path)
        if is_default
        else Wanted(twin, path, provenance, find(twin, path, provenance))
        for twin in twins
        for path in paths
        for provenance in (_provenances(platform, twin, path) if everything else asked)
    ]
    if len(found) > MOST_SERIES:
        raise InvalidInput(f"more than {MOST_SERIES} series at once", hint="ask in parts")
    missing = next((w for w in found if w.series is None and not _is_known(platform, w)), None)
    if missing and len(found) == 1:
        raise NotFound(f"'{missing.twin}' has no '{missing.path}'", hint="see GET /twins/{id}")
    return found


def _shown(platform: Platform, twin: str, path: str) -> Wanted:
    """What stands for a property where no provenance is asked for."""
    series = shown_series(platform, twin, path)
    if series is None:
        return Wanted(twin, path, MEASURED, platform.series.find(twin, path))
    return Wanted(twin, path, platform.series.keys[series].provenance, series)


def _is_known(platform: Platform, wanted: Wanted) -> bool:
    model = platform.catalogue.model_of(wanted.twin)
    beside = quantile_of(wanted.path)
    path = beside[0] if beside else wanted.path
    return model is not None and path in platform.catalogue.signals.of(model)


def _provenances(platform: Platform, twin: str, path: str) -> list[str]:
    """Of which provenances a property has values; measured always."""
    keys = platform.series.keys
    numbers = platform.series.of_twin(twin)
    others = {keys[n].provenance for n in numbers if keys[n].path == path}
    return [MEASURED, *sorted(others - {MEASURED})]


def _span(platform: Platform, request: Request) -> tuple[int, int]:
    query, now = request.query_params, platform.clock()
    end = read_time(query.get("to", "now"), now, "to")
    start = read_time(query.get("from", "-1h"), now, "from")
    if start >= end:
        raise InvalidInput("from must lie before to", hint="like from=-1h&to=now")
    return start, end


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    form = request.query_params.get("format", FORMATS[0])
    if form not in FORMATS:
        raise InvalidInput(f"format: '{form}' is not known", hint="one of " + ", ".join(FORMATS))
    start, end = _span(platform, request)
    wanted = _wanted(platform, request)
    reader = _reader(platform, request, start, end)
    series = await asyncio.get_running_loop().run_in_executor(
        None, lambda: [_one(platform, w, reader) for w in wanted]
    )
    body = {"from": start / 1e6, "to": end / 1e6, "series": series}
    return columns_response(body) if form == "columns" else json_response(body)


async def statistics(platform: Platform, request: Request, _: Principal) -> Response:
    """Every series over the whole span, as one bucket would have it."""
    start, end = _span(platform, request)
    start = max(start, 0)
    wanted = _wanted(platform, request)
    width = -(-max(end, 1) // HOUR) * HOUR  # one bucket, of whole hours as roll-ups are

    def one(found: Wanted) -> Json:
        row: Json = {**found.head(platform), **dict.fromkeys(AGGREGATES), "count": 0}
        if found.series is None:
            return row
        buckets = platform.history.buckets(found.series, start, end, width, AGGREGATES)
        for name in AGGREGATES if len(buckets["time"]) else ():
            number = float(buckets[name][0])
            row[name] = int(number) if name == "count" else _finite(number)
        return row

    rows = await asyncio.get_running_loop().run_in_executor(None, lambda: [*map(one, wanted)])
    return json_response({"from": start / 1e6, "to": end / 1e6, "value": rows})


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None


Reader = Callable[[int], tuple[str, dict[str, Any]]]


def _reader(platform: Platform, request: Request, start: int, end: int) -> Reader:
    """What to read of each series: (source, columns as JSON)."""
    history = platform.history
    bad = request.query_params.get("quality", "") == ALL
    versions = request.query_params.get("versions", "") == ALL
    exact = request.query_params.get("exact", "") == "true"
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
        if pixels and not bad and not versions:
            found = history.downsample(series, start, end, pixels, exact=exact)
            return "m4", _columns(found)
        found = history.read(series, start, end, bad=bad, limit=limit, versions=versions)
        columns = _columns(found)
        if versions:
            columns["received"] = milliseconds(found.received)
        return "raw", columns

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
    head = wanted.head(platform)
    if wanted.series is None:
        return {**head, "source": "raw", "time": [], "value": [], "quality": []}
    source, columns = reader(wanted.series)
    return {**head, "source": source, **columns}


async def last(platform: Platform, request: Request, _: Principal) -> Response:
    now = platform.clock()
    at = read_time(request.query_params.get("at", "now"), now, "at")
    found = []
    for wanted in _wanted(platform, request):
        value: Json = {**wanted.head(platform), "value": None, "time": None}
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
            }
        found.append(value)
    return json_response({"value": found})


async def series(platform: Platform, request: Request, _: Principal) -> Response:
    """Of which properties a twin has values, of which provenance, and the newest of each."""
    twin = request.query_params.get("twin", "")
    if not twin:
        raise InvalidInput("needs twin", hint="?twin=pump-1")
    found = []
    for number in platform.series.of_twin(twin):
        latest = platform.state.get(number)
        if latest is None:
            continue
        key = platform.series.keys[number]
        wanted = Wanted(twin, key.path, key.provenance, number)
        kind = platform.catalogue.kind_of(twin, key.path)
        beside = quantile_of(key.path)
        found.append(
            {
                **wanted.head(platform),
                "quantile": beside[1] if beside else None,
                "value": typed(latest.value, latest.text, kind),
                "time": to_iso(latest.time),
                "received": to_iso(latest.received),
                "quality": latest.quality,
            }
        )
    if not found:
        platform.catalogue.require_twin(twin)
    return json_response({"value": found})


async def state(platform: Platform, request: Request, _: Principal) -> Response:
    query = request.query_params
    at = read_time(query.get("at", "now"), platform.clock(), "at")
    provenance = query.get("provenance", MEASURED)
    check_provenance(provenance)
    twins = [twin for twin in query.get("twin", "").split(",") if twin]
    for twin in twins:
        platform.catalogue.require_twin(twin)
    found = await asyncio.get_running_loop().run_in_executor(
        None, state_at, platform, at, provenance, twins
    )
    return json_response({"at": to_iso(at), "provenance": provenance, "twins": found})


SERIES_QUERY = (
    ("twin", "one or more ids, with commas"),
    ("property", "one or more paths, with commas"),
    ("provenance", "measured (default), derived, predicted, simulated; several, or all"),
)
QUERY = (
    *SERIES_QUERY,
    ("from", "ISO 8601, epoch ms, or relative like -1h (default)"),
    ("to", "likewise; default now"),
    ("px", "M4 for this many pixels: first, last, lowest and highest of each"),
    ("bucket", "seconds of a bucket"),
    ("aggregate", "avg, min, max, sum, count, first, last or sd of each bucket"),
    ("limit", "most raw readings"),
    ("quality", "all: bad readings too"),
    ("exact", "true: M4 of every reading, however many"),
    ("versions", "all: raw, also what was said before for the same time, with received"),
    ("format", "json (default), or columns: numbers as bytes, application/vnd.gemel.columns"),
)
ROUTES = [
    Route(
        "GET", "/history", read, "history:read", "Readings over time", query=QUERY, answer=History
    ),
    Route(
        "GET",
        "/history/statistics",
        statistics,
        "history:read",
        "Count, mean, extremes and spread over a span",
        query=(*SERIES_QUERY, ("from", "as of /history"), ("to", "likewise; default now")),
        answer=Statistics,
    ),
    Route(
        "GET",
        "/history/series",
        series,
        "history:read",
        "Which properties of a twin have values, of which provenance",
        query=(("twin", "one id"),),
        answer=Rows[SeriesNow],
    ),
    Route(
        "GET",
        "/history/last",
        last,
        "history:read",
        "The value as of a moment",
        query=(*SERIES_QUERY, ("at", "the moment; default now")),
        answer=Rows[SeriesLast],
    ),
    Route(
        "GET",
        "/state",
        state,
        "history:read",
        "All values and what was live, as of a moment",
        query=(
            ("at", "the moment; default now"),
            ("twin", "only of these ids, with commas"),
            ("provenance", "measured (default), derived, predicted or simulated"),
        ),
        answer=State,
    ),
]
