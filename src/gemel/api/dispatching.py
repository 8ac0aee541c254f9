"""Leads each request to the few routes that begin as its path does.

Starlette tries one route after the other, which costs more than most answers where there are many.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send


class Dispatching(Router):
    """A router that looks only at routes whose first segment is the path's, or a parameter.

    Among those the order stays, so that the route that is found is the same.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__(routes, redirect_slashes=False)
        firsts = [_first(getattr(route, "path", "")) for route in routes]
        pairs = list(zip(routes, firsts, strict=True))
        self._parts = {
            first: Router(
                [route for route, own in pairs if own == first or "{" in own],
                redirect_slashes=False,
            )
            for first in set(firsts)
            if "{" not in first
        }

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None if scope.get("root_path") else self._parts.get(_first(scope.get("path", "")))
        if found is None:
            await super().app(scope, receive, send)
        else:
            await found.app(scope, receive, send)


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else path
