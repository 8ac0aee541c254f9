"""The OpenAPI document and a page that shows it, both made from the table of routes."""

from __future__ import annotations

import html
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gemel import __version__
from gemel.api.answers.schema import Schema, schema_of
from gemel.api.errors import json_response
from gemel.api.routes import ANYONE, Route
from gemel.app.platform import Platform
from gemel.core.access import Principal

ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def document(routes: list[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 of the given routes."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Schema] = {"Error": ERROR}
    for route in routes:
        path = re.sub(r":path}", "}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gemel", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _operation(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    names = re.findall(r"{(\w+)", route.path)
    parameters: list[dict[str, Any]] = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names
    ]
    parameters += [
        {"name": name, "in": "query", "description": about, "schema": {"type": "string"}}
        for name, about in route.query
    ]
    wrong = route.dialect.error if route.dialect else {"$ref": "#/components/schemas/Error"}
    found: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z]+', '_', route.path.lower())}",
        "parameters": parameters,
        "responses": {
            str(route.status): {"description": "done"},
            "default": {
                "description": "what is wrong, where, and the way out",
                "content": {"application/json": {"schema": wrong}},
            },
        },
    }
    if route.answer is not None:
        answer = {"application/json": {"schema": schema_of(route.answer, schemas)}}
        found["responses"][str(route.status)]["content"] = answer
    if route.body is not None:
        found["requestBody"] = {"content": {route.takes: {"schema": route.body}}}
    if route.allow != ANYONE:
        found["security"] = [{"token": []}, *([{"password": []}] if route.dialect else [])]
        found["description"] = f"Needs the permission `{route.allow}`."
    return found


def docs_page(routes: list[Route]) -> str:
    """A plain page with every operation; it needs no script."""
    rows = []
    for route in sorted(routes, key=lambda r: (r.path, r.method)):
        query = ", ".join(html.escape(name) for name, _ in route.query)
        rows.append(
            f"<tr><td><code>{route.method}</code></td><td><code>{html.escape(route.path)}</code>"
            f"{'<br>?' + query if query else ''}</td><td>{html.escape(route.summary)}</td>"
            f"<td>{html.escape(route.allow or 'open to all')}</td></tr>"
        )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Gemel API</title>'
        '<meta name="viewport" content="width=device-width"><h1>Gemel API</h1>'
        "<p>Send <code>Authorization: Bearer gml_...</code>. Machine-readable: "
        '<a href="/openapi.json">/openapi.json</a>.</p>'
        "<table><tr><th>Method</th><th>Path</th><th>What</th><th>Permission</th></tr>"
        + "".join(rows)
        + "</table></html>"
    )


def routes_for(all_routes: list[Route]) -> list[Route]:
    """The two routes that describe all others."""

    async def openapi(_: Platform, __: Request, ___: Principal) -> Response:
        return json_response(document(all_routes))

    async def docs(_: Platform, __: Request, ___: Principal) -> Response:
        return HTMLResponse(docs_page(all_routes))

    return [
        Route("GET", "/openapi.json", openapi, ANYONE, "This API as OpenAPI 3.1"),
        Route("GET", "/docs", docs, ANYONE, "This API as a page"),
    ]
