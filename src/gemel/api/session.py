"""Who is asking: bearer tokens for programs, a cookie for browsers, one-time links to log in."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from gemel.api.answers.installation import Me, Session
from gemel.api.errors import json_response
from gemel.api.routes import ANYONE, Dialect, Route
from gemel.app import tokens
from gemel.app.platform import Platform
from gemel.core.access import ROLES, Principal
from gemel.core.errors import Forbidden, NotAuthenticated

COOKIE = "gemel_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def authenticate(
    platform: Platform, request: HTTPConnection, dialect: Dialect | None = None
) -> Principal:
    """The principal of a request; a dialect says where else its token may stand.

    Raises:
        NotAuthenticated: no valid token or session.
        Unavailable: it is a token of a provider that has never answered.
        Forbidden: a browser sends this from another site.
    """
    header = request.headers.get("authorization", "")
    other = dialect.secret(request) if dialect else ""
    if header or other:
        kind, _, secret = header.partition(" ")
        given, found = other or secret.strip(), None
        if other or kind.lower() == "bearer":
            found = await bearer(platform, given)
        if found is None:
            refused(platform, request)
            raise NotAuthenticated("the token is not valid, or no longer", hint=_way_out(given))
        return found
    secret = request.cookies.get(COOKIE, "")
    found = platform.tokens.principal(secret, ("session",)) if secret else None
    if found is None:
        raise NotAuthenticated(
            "this needs a token", hint="send 'Authorization: Bearer gml_...' or log in"
        )
    method = request.scope.get("method", "WEBSOCKET")
    if method not in SAFE:
        check_origin(request)
    return found


def _way_out(secret: str) -> str:
    """What to do about a token that is not taken."""
    if "." in secret:
        return "the server's log says why a token of a provider is not taken"
    return "gemel token create makes one"


async def bearer(platform: Platform, secret: str) -> Principal | None:
    """Whom a token stands for; where it is of a provider's newer key, that is asked for once.

    Raises:
        Unavailable: it is a token of a provider that has never answered.
    """
    found = platform.tokens.principal(secret)
    if found is None and platform.sign_on is not None and await platform.sign_on.learns(secret):
        found = platform.tokens.principal(secret)
    return found


def foreign_secret(request: HTTPConnection) -> str:
    """The token in the ways in which clients of other products send one.

    `Basic` with the token as password, or as user without one; `Token`, with or without a user
    before a colon; `Bearer` is left to `authenticate`. Browsers keep what is given as Basic, and
    send it whichever site asks them to: the origin of what changes something is looked at.

    Raises:
        Forbidden: a browser sends this from another site.
    """
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "token":
        return given.strip().rpartition(":")[2]
    if kind.lower() != "basic":
        return ""
    if request.scope.get("method", "") not in SAFE:
        check_origin(request)
    try:
        user, _, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except ValueError:
        return ""
    return password or user


def refused(platform: Platform, request: HTTPConnection) -> None:
    """Has it in the audit log that somebody came with a token or link that is not valid."""
    platform.refusals.add("http", request.client.host if request.client else "")


def check_origin(request: HTTPConnection) -> None:
    """Refuses what another site makes a browser send with our cookie.

    Raises:
        Forbidden: the origin is not ours.
    """
    origin = request.headers.get("origin")
    if origin is None:
        if request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
            return
    elif _host_of(origin) == request.headers.get("host"):
        return
    raise Forbidden("the request comes from another site", code="ForeignOrigin")


def _host_of(origin: str) -> str:
    """Host and port of an origin; "" for one that names none, such as `null`."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def with_cookie(response: Response, platform: Platform, request: Request, secret: str) -> None:
    """Has the browser keep a session."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=tokens.SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=page_of(platform, request).startswith("https:"),
    )


async def login(platform: Platform, request: Request, _: Principal) -> Response:
    ticket = request.query_params.get("ticket", "")
    found = await platform.on_disk(platform.tokens.take_link, ticket)
    if found is None:
        refused(platform, request)
        return RedirectResponse("/app/login?reason=link", 303)
    response = RedirectResponse("/app/overview", 303, {"Cache-Control": "no-store"})
    new = await platform.on_disk(platform.tokens.begin_session, found)
    with_cookie(response, platform, request, new.secret)
    return response


async def begin(platform: Platform, request: Request, who: Principal) -> Response:
    secret = request.headers.get("authorization", "").partition(" ")[2].strip()
    if not secret:
        raise NotAuthenticated(
            "a session cannot renew itself", hint="send 'Authorization: Bearer gml_...'"
        )
    response = json_response({"name": who.name, "role": who.role})
    new = await platform.on_disk(platform.tokens.begin_session, who, secret)
    with_cookie(response, platform, request, new.secret)
    return response


async def end(platform: Platform, request: Request, _: Principal) -> Response:
    headers: dict[str, str] = {}
    secret = request.cookies.get(COOKIE, "")
    if secret:
        check_origin(request)
        of = await platform.on_disk(platform.tokens.end_session, secret)
        if of == tokens.SIGN_ON and platform.sign_on is not None:
            there = platform.sign_on.farewell(secret, page_of(platform, request) + "/app/login")
            headers = {"Location": there} if there else {}
    response = Response(status_code=204, headers=headers)
    response.delete_cookie(COOKIE, path="/")
    return response


def page_of(platform: Platform, request: Request) -> str:
    """Under which address the browser knows us."""
    host = request.headers.get("host", "")
    return platform.config.oidc.page.rstrip("/") or f"{request.url.scheme}://{host}"


async def me(_: Platform, __: Request, who: Principal) -> Response:
    return json_response(
        {"name": who.name, "role": who.role, "permissions": sorted(ROLES[who.role])}
    )


LOGGED_IN = "*"
"""The permission of routes that any valid token may use."""

ROUTES = [
    Route("GET", "/login", login, ANYONE, "Log in with a one-time link", query=(("ticket", ""),)),
    Route(
        "POST",
        "/session",
        begin,
        LOGGED_IN,
        "Begin a browser session with a bearer token",
        answer=Session,
    ),
    Route("DELETE", "/session", end, ANYONE, "End the browser session", status=204),
    Route("GET", "/me", me, LOGGED_IN, "Who the token stands for and what it may do", answer=Me),
]
