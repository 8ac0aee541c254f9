"""The Web of Things: a Thing Description of each twin, and what its forms lead to.

Observing is long polling: a request is held until the value changes, or answered with the value
as it is after half a minute, and asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.bodies import parsed, read_body, read_json
from gemel.api.errors import json_response
from gemel.api.live import event_shown
from gemel.api.routes import Route
from gemel.app import interchange
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.interchange import wot_export
from gemel.interchange.facts import Value, commands, parts, path_of, signals
from gemel.interchange.losses import Losses
from gemel.live.hub import Watcher
from gemel.twins.dtdl.interface import Property

if TYPE_CHECKING:
    from gemel.app.platform import Platform

HOLD_SECONDS = 30.0
DEADLINE_SECONDS = 300.0
MOST_WAITING = 1_000
"""Requests that are held at once."""


async def description(platform: Platform, request: Request, _: Principal) -> Response:
    base = str(request.base_url).rstrip("/")
    found = await interchange.material(platform, [request.path_params["twin"]], [], base)
    made = wot_export.description(found.twins[0], found, Losses("wot", "export"))
    response = json_response(made)
    response.headers["content-type"] = "application/td+json"
    return response


async def read(platform: Platform, request: Request, _: Principal) -> Response:
    return _answer(_value(platform, *_property(platform, request)))


async def write(platform: Platform, request: Request, who: Principal) -> Response:
    """Asks the device for it, as `PATCH /twins/{twin}/desired` does."""
    twin, path = _property(platform, request)
    await platform.desired.ask(twin, {path: await read_json(request)}, who.name)
    return Response(status_code=204)


async def observe(platform: Platform, request: Request, _: Principal) -> Response:
    twin, path = _property(platform, request)
    before = _value(platform, twin, path)
    if request.method == "HEAD":
        return _answer(before)
    series = [platform.series.id(twin, path)]
    keys = platform.series.keys
    series += [n for n in platform.series.of_twin(twin) if keys[n].path == path]

    def stamp() -> object:
        """What differs whenever the value may be another one; cheap, for it is asked often."""
        return platform.value_of(twin)(path), platform.graph.twin(twin).etag

    known = stamp()

    def changed(_: list[Json]) -> Value | None:
        nonlocal known
        if known == (known := stamp()):
            return None
        now = _value(platform, twin, path)
        return now if now != before else None

    return _answer(await _held(platform, request, changed, series) or _value(platform, twin, path))


async def invoke(platform: Platform, request: Request, who: Principal) -> Response:
    """A command with the body as its argument; 202 with the command as it was taken."""
    twin, name = request.path_params["twin"], request.path_params["name"]
    model = platform.graph.twin(twin).model
    known = {
        path_of(part, one)
        for part, interface in parts(platform.graph.models, model)
        for one in commands(interface)
    }
    if name not in known:
        raise NotFound(f"'{twin}' has no action '{name}'", hint="its description has them all")
    content = await read_body(request)
    body = parsed(content) if content.strip() else None
    dispatch = platform.reactions.dispatch
    ask = dispatch.guarding.asked(who, twin, name, body, DEADLINE_SECONDS)
    return json_response(await dispatch.send(ask), 202)


async def follow(platform: Platform, request: Request, who: Principal) -> Response:
    """The next change of an alarm of the twin; 204 when there is none for a while."""
    twin = request.path_params["twin"]
    platform.graph.twin(twin)
    if request.path_params["name"] != "alarm":
        raise NotFound(f"'{twin}' has no such event", hint="alarm is the one over HTTP")
    if request.method == "HEAD":
        return Response(status_code=200)
    sight = platform.policies.sight(who)

    def raised(events: list[Json]) -> Json | None:
        for event in events:
            is_here = event["type"] == "alarm" and event["alarm"].get("twin") == twin
            shown = event_shown(sight, event) if is_here else None
            if shown is not None:
                alarm: Json = shown["alarm"]
                return alarm
        return None

    found = await _held(platform, request, raised, [])
    return Response(status_code=204) if found is None else json_response(found)


def _property(platform: Platform, request: Request) -> tuple[str, str]:
    """(twin, path) of what is asked for.

    Raises:
        NotFound: there is none, or it is hidden.
    """
    twin, path = request.path_params["twin"], request.path_params["name"]
    model = platform.graph.twin(twin).model
    for part, interface in parts(platform.graph.models, model):
        for name, content in signals(interface).items():
            if path_of(part, name) == path and platform.series.is_shown(twin, path):
                if request.method == "PUT" and not (
                    isinstance(content, Property) and content.writable
                ):
                    raise InvalidInput(f"'{path}' of '{twin}' is read only")
                return twin, path
    raise NotFound(f"'{twin}' has no property '{path}'", hint="its description has them all")


def _value(platform: Platform, twin: str, path: str) -> Value:
    return interchange.facts_of(platform, twin).value(path)


def _answer(value: Value) -> Response:
    """The value alone, as the Web of Things wants it; when and how sure it is in headers."""
    headers = {"Gemel-Quality": value.quality}
    if value.time:
        headers["Gemel-Time"] = value.time
    return json_response(value.value, headers=headers)


async def _held(
    platform: Platform, request: Request, find: Callable[[list[Json]], Any], series: list[int]
) -> Any:
    """Waits until `find` finds something in what happens; None when nothing does for a while.

    Every second something wakes it: then it also sees whether the client has gone.
    """
    awake = asyncio.Event()
    watcher = Watcher(awake.set)
    if len(platform.hub.watchers) >= MOST_WAITING:
        raise InvalidInput("too many are waiting already", hint="use the WebSocket /live")
    watcher.want(series, max(series, default=-1) + 1)
    watcher.dirty = np.zeros_like(watcher.dirty)
    platform.hub.join(watcher)
    try:
        async with asyncio.timeout(HOLD_SECONDS):
            while not platform.hub.is_closing:
                await awake.wait()
                awake.clear()
                watcher.take_dirty()
                found = find(watcher.take_events())
                if found is not None or await request.is_disconnected():
                    return found
    except TimeoutError:
        pass
    finally:
        platform.hub.leave(watcher)
    return None


ANY = {"description": "the value, as the description says"}
ROUTES = [
    Route("GET", "/wot/{twin}", description, "twins:read", "A twin as a Thing Description"),
    Route("GET", "/wot/{twin}/properties/{name}", read, "twins:read", "The value alone"),
    Route(
        "PUT",
        "/wot/{twin}/properties/{name}",
        write,
        "commands:send",
        "Ask the device for a value",
        body=ANY,
        status=204,
    ),
    Route(
        "GET",
        "/wot/{twin}/properties/{name}/next",
        observe,
        "twins:read",
        "The value when it next changes",
    ),
    Route(
        "POST",
        "/wot/{twin}/actions/{name}",
        invoke,
        "commands:send",
        "Send a command with this argument",
        body=ANY,
        status=202,
    ),
    Route(
        "GET",
        "/wot/{twin}/events/{name}/next",
        follow,
        "alarms:read",
        "An alarm of the twin when it next changes",
    ),
]
