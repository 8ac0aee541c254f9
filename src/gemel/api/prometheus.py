"""The HTTP API of Prometheus, for Grafana and its other clients: answers, errors in its words."""

from __future__ import annotations

import math
import platform as machine
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemel import __version__
from gemel.api.bodies import read_body
from gemel.api.errors import error_response
from gemel.api.prometheus_answers import body_of
from gemel.api.routes import Dialect, Endpoint, Route
from gemel.api.session import foreign_secret
from gemel.app.metric_index import Metric, chosen, visible
from gemel.app.platform import Platform
from gemel.app.promql import MOST_POINTS, answer
from gemel.core.access import Principal
from gemel.core.clock import SECOND, from_iso, is_expressible
from gemel.core.errors import (
    Forbidden,
    GemelError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    Refused,
    Unavailable,
)
from gemel.promql.evaluate import LOOK_BACK
from gemel.promql.parser import parse_selector
from gemel.promql.tokens import duration

SPOKEN = "2.42.0"
"""The version of Prometheus whose language and answers these are."""
MILLISECOND = SECOND // 1000
LARGEST = 1 << 17
MOST_NAMES = 100_000
ERRORS: tuple[tuple[type[GemelError], str], ...] = (
    (InvalidInput, "bad_data"),
    (NotAuthenticated, "unauthorized"),
    (Forbidden, "forbidden"),
    (NotFound, "not_found"),
    (Refused, "execution"),
    (Unavailable, "timeout"),
)


def _told(error: GemelError) -> Response:
    """An error in the form of that API; status and header as everywhere."""
    kind = next((name for of, name in ERRORS if isinstance(error, of)), "internal")
    response = error_response(error)
    body = orjson.dumps({"status": "error", "errorType": kind, "error": str(error)})
    response.headers["content-length"] = str(len(body))
    response.body = body
    return response


def _success(data: bytes) -> Response:
    return Response(b'{"status":"success","data":' + data + b"}", media_type="application/json")


class _Asked:
    """The parameters of a request, of its address and its form."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def all(self, name: str) -> list[str]:
        return [value for own, value in self._pairs if own == name]

    def text(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def required(self, name: str) -> str:
        found = self.text(name)
        if not found:
            raise InvalidInput(f'invalid parameter "{name}": it is missing')
        return found

    def time(self, name: str, default: int | None = None) -> int:
        """Ns of epoch seconds or RFC 3339, to the millisecond."""
        text = self.text(name) if default is not None else self.required(name)
        if not text and default is not None:
            return default
        found = _time(text)
        if found is None or not is_expressible(found):
            raise InvalidInput(f'invalid parameter "{name}": cannot parse "{text[:40]}" to a time')
        return found // MILLISECOND * MILLISECOND

    def duration(self, name: str, default: int = 0) -> int:
        """Ns of seconds or of a duration such as 1m30s."""
        text = self.text(name) if default else self.required(name)
        if not text:
            return default
        found = duration(text)
        if found is None:
            number = _number(text)
            found = None if number is None or abs(number) > 9e9 else round(number * SECOND)
        if found is None:
            raise InvalidInput(
                f'invalid parameter "{name}": cannot parse "{text[:40]}" to a duration'
            )
        if found <= 0:
            raise InvalidInput(f'invalid parameter "{name}": it must be greater than 0')
        return found // MILLISECOND * MILLISECOND


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _time(text: str) -> int | None:
    number = _number(text)
    if number is not None:
        return round(number * 1000) * MILLISECOND if abs(number) < 9e9 else None
    try:
        return from_iso(text)
    except InvalidInput:
        return None


async def _asked(request: Request) -> _Asked:
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await read_body(request, LARGEST)
        if body and kind not in ("application/x-www-form-urlencoded", ""):
            raise InvalidInput(
                f"content-type '{kind[:80]}' is not known", hint="application/x-www-form-urlencoded"
            )
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000) + pairs
        except ValueError as error:
            raise InvalidInput(f"the form cannot be read: {error}") from error
    return _Asked(pairs)


def _seconds(platform: Platform, asked: _Asked) -> float:
    most = platform.config.promql_timeout
    return min(most, asked.duration("timeout") / SECOND) if asked.text("timeout") else most


async def query(platform: Platform, request: Request, _: Principal) -> Response:
    asked = await _asked(request)
    at = asked.time("time", platform.clock() // MILLISECOND * MILLISECOND)
    body = await answer(
        platform,
        asked.required("query"),
        range(at, at + 1),
        _seconds(platform, asked),
        asked.duration("lookback_delta", LOOK_BACK),
        shape=lambda value, grid: body_of(value, grid, is_range=False),
    )
    return Response(body, media_type="application/json")


async def query_range(platform: Platform, request: Request, _: Principal) -> Response:
    asked = await _asked(request)
    start, end, step = asked.time("start"), asked.time("end"), asked.duration("step")
    if end < start:
        raise InvalidInput('invalid parameter "end": end timestamp must not be before start time')
    if step <= 0:
        raise InvalidInput('invalid parameter "step": it must be a millisecond or more')
    if (end - start) // step >= MOST_POINTS:
        raise InvalidInput(
            f"exceeded maximum resolution of {MOST_POINTS:,} points per timeseries. Try decreasing "
            "the query resolution (?step=XX)"
        )
    body = await answer(
        platform,
        asked.required("query"),
        range(start, end + 1, step),
        _seconds(platform, asked),
        asked.duration("lookback_delta", LOOK_BACK),
        is_range=True,
        shape=lambda value, grid: body_of(value, grid, is_range=True),
    )
    return Response(body, media_type="application/json")


def _metrics(platform: Platform, asked: _Asked) -> list[Metric]:
    """Those that any of `match[]` chooses; all without one."""
    selectors = [parse_selector(text).matchers for text in asked.all("match[]")]
    if not selectors:
        return visible(platform)
    found = {m.number: m for matchers in selectors for m in chosen(platform, matchers)}
    return list(found.values())


def _listed(values: Iterator[Any]) -> Response:
    found = []
    for value in values:
        found.append(value)
        if len(found) > MOST_NAMES:
            raise Refused(f"more than {MOST_NAMES:,} would be listed", hint="narrow match[]")
    return _success(orjson.dumps(found))


async def series(platform: Platform, request: Request, _: Principal) -> Response:
    asked = await _asked(request)
    if not asked.all("match[]"):
        raise InvalidInput("no match[] parameter provided")
    return _listed(dict(metric.labels) for metric in _metrics(platform, asked))


async def labels(platform: Platform, request: Request, _: Principal) -> Response:
    asked = await _asked(request)
    names = {name for metric in _metrics(platform, asked) for name, _ in metric.labels}
    return _listed(iter(sorted(names)))


async def label_values(platform: Platform, request: Request, _: Principal) -> Response:
    asked, name = await _asked(request), request.path_params["name"]
    if not (name.isascii() and name.isidentifier()):
        raise InvalidInput(f"invalid label name: '{name[:80]}'")
    pairs = {pair for metric in _metrics(platform, asked) for pair in metric.labels}
    return _listed(iter(sorted(value for own, value in pairs if own == name)))


async def metadata(platform: Platform, request: Request, _: Principal) -> Response:
    asked = await _asked(request)
    limit = asked.text("limit")
    most = _number(limit) if limit else float(MOST_NAMES)
    if most is None:
        raise InvalidInput("limit must be a number")
    wanted = asked.text("metric")
    found: dict[str, set[tuple[str, str]]] = {}
    for metric in visible(platform):
        if not wanted or metric.name == wanted:
            own = dict(metric.labels)
            found.setdefault(metric.name, set()).add((own["property"], own.get("unit", "")))
    names = sorted(found)[: max(0, int(most))]
    return _success(orjson.dumps({n: [_about(n, *one) for one in sorted(found[n])] for n in names}))


def _about(name: str, path: str, unit: str) -> dict[str, str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    return {"type": kind, "help": f"The property {path}", "unit": unit}


async def buildinfo(_: Platform, __: Request, ___: Principal) -> Response:
    return _success(
        orjson.dumps(
            {
                "version": SPOKEN,
                "revision": f"gemel-{__version__}",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": f"Python {machine.python_version()}",
            }
        )
    )


ERROR = {
    "type": "object",
    "required": ["status", "errorType", "error"],
    "properties": {
        "status": {"type": "string", "enum": ["error"]},
        "errorType": {"type": "string"},
        "error": {"type": "string"},
    },
}
DIALECT = Dialect(foreign_secret, _told, ERROR)
MATCH = (
    ("match[]", "series selectors; several are joined"),
    ("start", "accepted; what there is now is listed"),
    ("end", "accepted"),
)
COMPUTED = (
    ("query", "PromQL"),
    ("timeout", "seconds, or a duration such as 30s; at most promql_timeout"),
    ("lookback_delta", "for so long a value stands; default 5m"),
)
INSTANT = (*COMPUTED, ("time", "epoch seconds or RFC 3339; default now"))
RANGE = (
    *COMPUTED,
    ("start", "epoch seconds or RFC 3339"),
    ("end", "likewise, itself included"),
    ("step", "seconds, or a duration such as 15s"),
)


def _routes(
    path: str, endpoint: Endpoint, about: str, parameters: tuple[tuple[str, str], ...]
) -> list[Route]:
    return [
        Route(
            method,
            f"/prometheus/api/v1/{path}",
            endpoint,
            "history:read",
            about,
            query=parameters,
            dialect=DIALECT,
        )
        for method in ("GET", "POST")
    ]


ROUTES = [
    *_routes("query", query, "PromQL at a moment", INSTANT),
    *_routes("query_range", query_range, "PromQL over a span", RANGE),
    *_routes("series", series, "Series that selectors choose", MATCH),
    *_routes("labels", labels, "Names of labels", MATCH),
    *_routes("label/{name}/values", label_values, "Values of a label", MATCH)[:1],
    *_routes(
        "metadata",
        metadata,
        "Type, help and unit of metrics",
        (("metric", "only of this name"), ("limit", "at most so many names")),
    )[:1],
    *_routes("status/buildinfo", buildinfo, "Which Prometheus this answers as", ())[:1],
]
