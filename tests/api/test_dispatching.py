"""Routes found by the first segment of a path are those that trying one after the other finds."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gemel.api.app import ROUTES
from gemel.api.dispatching import Dispatching


def marked(method: str, path: str) -> Route:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse(f"{method} {path} {sorted(request.path_params.items())}")

    return Route(path, endpoint, methods=[method])


def client(routes: list[BaseRoute], *, is_linear: bool, root_path: str = "") -> httpx.ASGITransport:
    app = Starlette(routes=routes if is_linear else [])
    if not is_linear:
        app.router = Dispatching(routes)
    app.router.redirect_slashes = False
    return httpx.ASGITransport(app, root_path=root_path)


TABLE: list[BaseRoute] = [marked(route.method, route.path) for route in ROUTES]
LINEAR, DIRECT = client(TABLE, is_linear=True), client(TABLE, is_linear=False)


def answer(asked: httpx.ASGITransport, method: str, path: str) -> tuple[int, str, str]:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=asked) as to:
            return await to.request(method, httpx.URL(f"http://gemel{path}"))

    found = asyncio.run(ask())
    return found.status_code, found.text, found.headers.get("allow", "")


def test_every_route_is_found_as_before() -> None:
    for route in ROUTES:
        path = re.sub(r"\{[^}]*:path\}", "a/b", route.path)
        path = re.sub(r"\{[^}]*\}", "a%20b", path)
        found = answer(DIRECT, route.method, path)
        assert found == answer(LINEAR, route.method, path)
        assert found[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "//", "/none", "/none/x", "/alarms/", "/digital%74wins/a", "/models/a/b/c/d"]
)
def test_what_is_not_there_is_answered_as_before(path: str) -> None:
    for method in ("GET", "PURGE"):
        assert answer(DIRECT, method, path) == answer(LINEAR, method, path)


def test_a_route_that_begins_with_a_parameter_keeps_its_place() -> None:
    routes: list[BaseRoute] = [
        marked("GET", "/a/x"),
        marked("GET", "/{first}/{second}"),
        marked("GET", "/a/y"),
        marked("PUT", "/b/{second}"),
    ]
    linear, direct = client(routes, is_linear=True), client(routes, is_linear=False)
    for path in ("/a/x", "/a/y", "/b/y", "/c/d", "/c"):
        for method in ("GET", "PUT"):
            assert answer(direct, method, path) == answer(linear, method, path)


def test_behind_a_prefix_the_same_routes_are_found() -> None:
    linear = client(TABLE, is_linear=True, root_path="/twin")
    direct = client(TABLE, is_linear=False, root_path="/twin")
    for path in ("/twin/models", "/models", "/twin/twin"):
        assert answer(direct, "GET", path) == answer(linear, "GET", path)
