"""What a route is: a method, a path, the permission it needs, and words for the reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from gemel.core.access import Principal
from gemel.core.errors import GemelError

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Endpoint = Callable[["Platform", Request, Principal], Awaitable[Response]]

ANYONE = ""
"""The permission of the few routes that need no token."""


@dataclass(frozen=True)
class Dialect:
    """How clients that were made for another product log in, and how they are told of errors."""

    secret: Callable[[HTTPConnection], str]
    """The token as such a client sends it; "" if there is none."""
    told: Callable[[GemelError], Response]
    error: dict[str, Any]
    """JSON schema of what is told."""


@dataclass(frozen=True)
class Route:
    """One operation; `allow` is a permission of `core.access`, or `ANYONE`."""

    method: str
    path: str
    endpoint: Endpoint
    allow: str
    summary: str
    body: dict[str, Any] | None = None
    """JSON schema of the request body, for the OpenAPI document."""
    query: tuple[tuple[str, str], ...] = ()
    """(name, description) of each query parameter."""
    status: int = 200
    answer: Any = None
    """The type of the JSON that is answered, of `api.answers`."""
    dialect: Dialect | None = None
    """None for ours: bearer tokens, and errors as in docs/reference/errors.md."""
    takes: str = "application/json"
    """The media type of the request body."""
