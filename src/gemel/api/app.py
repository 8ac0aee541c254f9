"""The HTTP application: every route with its permission, errors as answers, safe headers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gemel.api import (
    aas,
    adt,
    alarms,
    attachments,
    audit,
    changes,
    commands,
    derived,
    evolution,
    exports,
    foreign,
    gaps,
    geometries,
    graphql,
    history,
    influx,
    ingest,
    installation,
    interchange,
    neighbours,
    notify,
    odata,
    oidc,
    openapi,
    page,
    plant,
    policies,
    prometheus,
    rules,
    scenarios,
    scene,
    services,
    session,
    sparkplug,
    system,
    twins,
    value,
    work,
    wot,
)
from gemel.api.dispatching import Dispatching
from gemel.api.errors import error_response
from gemel.api.guards import guarded
from gemel.api.live import live
from gemel.api.packing import packed
from gemel.api.page import SECURITY_HEADERS
from gemel.api.routes import ANYONE, Route
from gemel.api.session import LOGGED_IN, authenticate
from gemel.app.platform import Platform
from gemel.core.access import Principal, lacks
from gemel.core.errors import GemelError, InvalidInput, NotFound

log = logging.getLogger("gemel.http")
NOBODY = Principal("nobody", "")
REQUEST_ID = "x-ms-client-request-id"

ROUTES: list[Route] = [
    *adt.ROUTES,
    *twins.ROUTES,
    *neighbours.ROUTES,
    *graphql.ROUTES,
    *changes.ROUTES,
    *evolution.ROUTES,
    *plant.ROUTES,
    *interchange.ROUTES,
    *aas.ROUTES,
    *wot.ROUTES,
    *odata.ROUTES,
    *scene.ROUTES,
    *geometries.ROUTES,
    *history.ROUTES,
    *prometheus.ROUTES,
    *alarms.ROUTES,
    *notify.ROUTES,
    *work.ROUTES,
    *attachments.ROUTES,
    *commands.ROUTES,
    *audit.ROUTES,
    *derived.ROUTES,
    *rules.ROUTES,
    *policies.ROUTES,
    *services.ROUTES,
    *scenarios.ROUTES,
    *foreign.ROUTES,
    *value.ROUTES,
    *ingest.ROUTES,
    *influx.ROUTES,
    *session.ROUTES,
    *oidc.ROUTES,
    *system.ROUTES,
    *installation.ROUTES,
    *exports.ROUTES,
    *gaps.ROUTES,
    *sparkplug.ROUTES,
    *page.ROUTES,
]
ROUTES += openapi.routes_for(ROUTES)


def create_app(platform: Platform) -> ASGIApp:
    """The ASGI application of a started platform."""

    async def socket_endpoint(socket: WebSocket) -> None:
        await live(platform, socket)

    async def graphql_endpoint(socket: WebSocket) -> None:
        await graphql.graphql_socket(platform, socket)

    table: list[BaseRoute] = [
        StarletteRoute(route.path, _endpoint(platform, route), methods=[route.method])
        for route in ROUTES
    ]
    table.append(WebSocketRoute("/live", socket_endpoint))
    table.append(WebSocketRoute("/graphql", graphql_endpoint))
    app = Starlette(exception_handlers={HTTPException: _http_exception, GemelError: _gemel_error})
    app.router = Dispatching(table)
    return _with_headers(app)


def _endpoint(platform: Platform, route: Route) -> Callable[[Request], Awaitable[Response]]:
    told = route.dialect.told if route.dialect else error_response

    async def endpoint(request: Request) -> Response:
        try:
            who = NOBODY
            if route.allow != ANYONE:
                who = await authenticate(platform, request, route.dialect)
                if route.allow != LOGGED_IN and not who.allows(route.allow):
                    raise lacks(who.role, route.allow)
            response = packed(request, await guarded(platform, route, request, who))
        except GemelError as error:
            response = told(error)
        except UnicodeError as error:
            response = told(InvalidInput(f"not valid UTF-8: {error}"))
        except Exception:
            log.exception("%s %s failed", route.method, request.url.path)
            response = told(
                GemelError("something failed inside; it is in the server's log", code="Internal")
            )
        if REQUEST_ID in request.headers:
            response.headers[REQUEST_ID] = request.headers[REQUEST_ID][:200]
        return response

    endpoint.__name__ = route.endpoint.__name__
    return endpoint


async def _http_exception(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        response = error_response(
            InvalidInput(f"{request.url.path} has no {request.method}", code="MethodNotAllowed")
        )
        response.status_code = 405
        response.headers.update(getattr(error, "headers", None) or {})
        return response
    return error_response(NotFound(f"there is nothing at {request.url.path}", hint="see /docs"))


async def _gemel_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, GemelError)
    return error_response(error)


def _with_headers(app: ASGIApp) -> ASGIApp:
    """Adds the headers that keep browsers from being turned against us."""
    fixed = [(k.lower().encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                headers += fixed
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        await app(scope, receive, send_with)

    return wrapped
