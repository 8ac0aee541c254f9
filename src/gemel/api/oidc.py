"""The way of a person to the provider of single sign-on and back."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gemel.api.answers.installation import LoginOptions
from gemel.api.errors import json_response
from gemel.api.routes import ANYONE, Route
from gemel.api.session import page_of, refused, with_cookie
from gemel.app import tokens
from gemel.app.platform import Platform
from gemel.app.sign_on import Attempt, LoginFailed
from gemel.core.access import Principal
from gemel.core.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from gemel.app.oidc import SignOn

COOKIE = "gemel_login"
PATH = "/login/oidc"
BACK = PATH + "/callback"
SECONDS = 600
"""That a person may take at the provider."""
INSIDE = re.compile(r"/app/[\w.~!$&'()*+,;=:@%/?-]{0,1000}", re.ASCII)
"""Addresses in the page; nothing that a browser may take for another host."""
OVERVIEW = "/app/overview"
SAID = ("state", "code", "iss", "error")


def _sign_on(platform: Platform) -> SignOn:
    if platform.sign_on is None:
        raise NotFound(
            "single sign-on is not set up", hint="[oidc] in gemel.toml: docs/how-to/sign-on.md"
        )
    return platform.sign_on


async def options(platform: Platform, _: Request, __: Principal) -> Response:
    on = platform.sign_on
    label = None if on is None else on.settings.label or "single sign-on"
    return json_response({"signOn": None if label is None else {"label": label}})


async def begin(platform: Platform, request: Request, _: Principal) -> Response:
    sign_on = _sign_on(platform)
    to = request.query_params.get("to", "")
    to = to if INSIDE.fullmatch(to) else OVERVIEW
    page = page_of(platform, request)
    try:
        there, attempt = await sign_on.begin(page + BACK, to)
    except Unavailable as error:
        sign_on.tell(str(error), "begin")
        return _failed("provider")
    response = RedirectResponse(there, 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(orjson.dumps(dataclasses.asdict(attempt))).decode(),
        max_age=SECONDS,
        path=PATH,
        httponly=True,
        samesite="lax",
        secure=page.startswith("https:"),
    )
    return response


async def callback(platform: Platform, request: Request, _: Principal) -> Response:
    sign_on = _sign_on(platform)
    query = request.query_params
    said = {name: query[name] for name in SAID if name in query}
    attempt = _attempt(request.cookies.get(COOKIE, ""))
    try:
        if attempt is None:
            raise LoginFailed("again", "the browser that came back had begun no log-in")
        who, word = await sign_on.finish(attempt, said, page_of(platform, request) + BACK)
    except LoginFailed as error:
        sign_on.tell(f"a log-in failed: {error}", "log-in: " + error.reason)
        refused(platform, request)
        return _failed(error.reason)
    new = await platform.on_disk(platform.tokens.begin_session, who, "", tokens.SIGN_ON)
    sign_on.began(new.secret, word)
    response = RedirectResponse(attempt.to, 303, {"Cache-Control": "no-store"})
    with_cookie(response, platform, request, new.secret)
    response.delete_cookie(COOKIE, path=PATH)
    return response


def _failed(reason: str) -> Response:
    """To the page's own words for it; what was begun is over."""
    response = RedirectResponse(f"/app/login?reason={reason}", 303, {"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, path=PATH)
    return response


def _attempt(text: str) -> Attempt | None:
    """What this browser keeps of the log-in that it began; None if that is nothing of ours."""
    names = {field.name for field in dataclasses.fields(Attempt)}
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(found, dict) or found.keys() != names:
        return None
    if not all(isinstance(value, str) and value for value in found.values()):
        return None
    return Attempt(**found) if INSIDE.fullmatch(found["to"]) else None


ROUTES = [
    Route(
        "GET",
        "/login/options",
        options,
        ANYONE,
        "How a person may log in beside links and tokens",
        answer=LoginOptions,
    ),
    Route(
        "GET",
        PATH,
        begin,
        ANYONE,
        "Log in at the provider of single sign-on",
        query=(("to", "an address of the page to end at"),),
        status=303,
    ),
    Route(
        "GET",
        BACK,
        callback,
        ANYONE,
        "Where the provider sends a browser back to",
        query=tuple((name, "as OpenID Connect has it") for name in SAID),
        status=303,
    ),
]
