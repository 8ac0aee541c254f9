"""Serves the built page under /app/, precompressed, with a strict content security policy."""

from __future__ import annotations

import mimetypes
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gemel.api.routes import ANYONE, Route
from gemel.app.platform import Platform
from gemel.core.access import Principal

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; worker-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=()",
}
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Gemel</title>
<h1>The page is not built</h1>
<p>The server runs. Build the page with <code>./scripts/page</code> (it needs Node 20), then reload.
The API is described at <a href="/docs">/docs</a>.</p>"""
FOREVER = "public, max-age=31536000, immutable"
mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("application/manifest+json", ".webmanifest")


def web_folder() -> Path:
    return Path(str(files("gemel"))) / "_web"


async def page(_: Platform, request: Request, __: Principal) -> Response:
    """A file of the page; any path that is no file is a route inside the page."""
    root = web_folder().resolve()
    wanted = request.path_params.get("path", "")
    file = _inside(root, wanted)
    if file is None and wanted.startswith("assets/"):
        return Response("no such file", 404, media_type="text/plain")
    if file is None:
        file = root / "index.html"
        if not file.is_file():
            return HTMLResponse(NOT_BUILT, 503)
    response = _file(file, request)
    if file.name == "index.html":
        ahead = _ahead(root, wanted.split("/", 1)[0] or "overview")
        if ahead:
            response.headers["Link"] = ahead
    return response


def _ahead(root: Path, route: str) -> str:
    """What the page of a route is made of, so that browsers fetch it with the shell, not after."""
    file = root / "pages.json"
    try:
        known = _pages(file, file.stat().st_mtime_ns)
    except (OSError, ValueError):
        return ""
    style = "preload; as=style; crossorigin"
    return ", ".join(
        f"</app/{name}>; rel={style if name.endswith('.css') else 'modulepreload'}"
        for name in known.get(route, ())
    )


@lru_cache(maxsize=2)
def _pages(file: Path, _: int) -> dict[str, list[str]]:
    found = orjson.loads(file.read_bytes())
    return found if isinstance(found, dict) else {}


def _inside(root: Path, wanted: str) -> Path | None:
    """The page's file of this path; None for what is no file, or lies anywhere else."""
    if "." not in wanted.rsplit("/", 1)[-1]:
        return None
    try:
        file = (root / wanted).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # too long for a file's name, or with a NUL in it
        return None


def _file(file: Path, request: Request) -> Response:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith(("javascript", "json")):
        kind += "; charset=utf-8"
    is_asset = file.parent.name == "assets"
    headers = {
        "Cache-Control": FOREVER if is_asset else "no-cache",
        "Content-Type": kind,
        "Vary": "Accept-Encoding",
    }
    wanted = file.name
    packed = file.with_name(file.name + ".gz")
    if "gzip" in request.headers.get("accept-encoding", "") and packed.is_file():
        headers["Content-Encoding"] = "gzip"
        file = packed
    if wanted == "sw.js":
        headers["Service-Worker-Allowed"] = "/"
    stat = file.stat()
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers["ETag"] = etag
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(file.read_bytes(), headers=headers)


async def home(_: Platform, __: Request, ___: Principal) -> Response:
    return RedirectResponse("/app/overview", 307)


async def short_link(_: Platform, request: Request, __: Principal) -> Response:
    """The plain address that a QR code on a machine holds."""
    twin = request.path_params["twin"]
    return RedirectResponse(f"/app/twins/{quote(twin, safe='')}", 307)


async def favicon(_: Platform, request: Request, __: Principal) -> Response:
    file = web_folder() / "favicon.svg"
    return _file(file, request) if file.is_file() else Response(status_code=204)


ROUTES = [
    Route("GET", "/", home, ANYONE, "The page"),
    Route("GET", "/favicon.ico", favicon, ANYONE, "The icon of the page"),
    Route("GET", "/t/{twin}", short_link, ANYONE, "A short address for a twin, for QR codes"),
    Route("GET", "/app/{path:path}", page, ANYONE, "The page's files and routes"),
]
