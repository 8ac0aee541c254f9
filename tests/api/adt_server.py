"""Serves the twin graph's routes alone, over documents in memory or in a file.

By hand: `PYTHONPATH=tests/api python tests/api/adt_server.py 127.0.0.1 8123 [documents.sqlite]`.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from collections.abc import Callable, Sequence
from functools import partialmethod
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from gemel.api.adt import ROUTES
from gemel.api.errors import error_response
from gemel.api.routes import Route
from gemel.backends.memory import MemoryDocuments
from gemel.backends.sqlite import SqliteDocuments
from gemel.core.access import Principal
from gemel.core.clock import SECOND, Clock, FakeClock, system_clock
from gemel.core.document import Edit
from gemel.core.errors import GemelError
from gemel.core.message import Message
from gemel.core.ports import Documents
from gemel.twins.graph import EditContext, Graph

ADMIN = Principal("ann", "admin")


class GraphPlatform:
    """As much of the platform as the twin graph's routes use."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self.documents = documents
        self.clock = clock
        self.graph = Graph()
        self.graph.load(
            document
            for kind in ("model", "twin", "relationship")
            for document in documents.load(kind)
        )
        self.messages: list[Message] = []
        self.reported: dict[tuple[str, str], tuple[object, int]] = {}
        self.who = ADMIN
        self._editing = asyncio.Lock()
        self._etags = itertools.count(1)

    async def edit(
        self,
        plan: Callable[[Graph, EditContext], tuple[list[Edit], Any]],
        who: str = "gemel",
        why: str = "",
    ) -> Any:
        async with self._editing:
            context = EditContext(self.clock(), who, self._new_etag, why)
            edits, result = plan(self.graph, context)
            self.documents.commit(edits)
            self.graph.apply(edits)
            return result

    edit_graph = edit

    def _new_etag(self) -> str:
        return f'W/"{uuid.UUID(int=next(self._etags))}"'

    def value_of(self, twin: str) -> Callable[[str], tuple[object, int] | None]:
        return lambda path: self.reported.get((twin, path))

    async def ingest(self, messages: Sequence[Message]) -> None:
        self.messages += messages


def make_app(platform: GraphPlatform) -> Starlette:
    return Starlette(
        routes=[
            StarletteRoute(route.path, _endpoint(platform, route), methods=[route.method])
            for route in ROUTES
        ]
    )


def _endpoint(platform: Any, route: Route) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            return await route.endpoint(platform, request, platform.who)
        except GemelError as error:
            return error_response(error)

    return endpoint


class TestClient:
    """Requests without a socket, one after the other on an event loop of its own."""

    __test__ = False

    def __init__(self, platform: GraphPlatform) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(make_app(platform)),
            base_url="http://twins",
        )

    def __enter__(self) -> TestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    get = partialmethod(request, "GET")
    put = partialmethod(request, "PUT")
    post = partialmethod(request, "POST")
    patch = partialmethod(request, "PATCH")
    delete = partialmethod(request, "DELETE")


def memory_platform() -> GraphPlatform:
    clock = FakeClock()

    def ticking() -> int:
        clock.now += SECOND
        return clock.now

    return GraphPlatform(MemoryDocuments(), ticking)


def main() -> None:
    import uvicorn

    host, port, *file = sys.argv[1:]
    documents: Documents = SqliteDocuments(file[0]) if file else MemoryDocuments()
    platform = GraphPlatform(documents, system_clock)
    uvicorn.run(make_app(platform), host=host, port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
