"""Event routes: what happens to twins is told outside, at least once, in order.

The outbox is the append-only table of edits itself: an event is on disk with the edit that it
tells of. Each endpoint has a cursor, the number of the last edit that was settled; the cursors
are kept in a file, so after a crash the last events may come again, and none is left out.
Telemetry has no place in that table: its events wait in memory, and are lost when the program ends.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gemel.app import endpoint_kinds, event_cursors
from gemel.app.endpoint_settings import Endpoint, from_body, from_document, to_document
from gemel.app.event_delivery import Delivery, Make, Page
from gemel.app.twin_events import (
    CATEGORIES,
    KINDS,
    TELEMETRY,
    cloud_event,
    fields,
    of_change,
    of_readings,
)
from gemel.backends.sqlite import Change
from gemel.core.batch import Batch
from gemel.core.cloud_event import CloudEvent
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, Damaged, GemelError, InvalidInput, NotFound
from gemel.twins.graph import EditContext, Graph
from gemel.twins.query.filters import Filter, parse_filter
from gemel.twins.validate import check_id

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.events")
MOST_ROUTES = 100
MOST_ENDPOINTS = 50
MOST_COUNTED = 10_000
PAGE = 200
FAR = 1_000
"""Edits of other things that a cursor moves over at once."""
SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    doc: Json
    filter: Filter


class EventRoutes:
    """Endpoints, routes, and what they want to be told."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._path = platform.folder.path / event_cursors.FILE
        self.endpoints: dict[str, Json] = {}
        self.routes: dict[str, Route] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._source = ""
        self._saved: dict[str, int] = {}
        self._is_running = False
        self._wants_telemetry = False
        self._saver: asyncio.Task[None] | None = None
        self._run = uuid.uuid4().hex
        self._told = 0

    # ---- start, stop, follow -------------------------------------------------------------

    async def start(self) -> None:
        """Loads routes and cursors, and goes on delivering."""
        documents = self._platform.documents
        self._load_cursors()
        for document in documents.load("endpoint"):
            self.endpoints[document.key] = document.doc
        for document in documents.load("route"):
            self._set_route(document.key, document.doc)
        self._look_for_telemetry()
        self._is_running = True
        for name in self.endpoints:
            self._begin(name)

    def _load_cursors(self) -> None:
        try:
            self._source, self._saved = event_cursors.read(self._path)
        except Damaged as error:
            log.error("%s %s", self._path, error.message)
        self._source = self._source or f"urn:uuid:{uuid.uuid4()}"

    async def stop(self) -> None:
        """Leaves what was not delivered for the next start."""
        self._is_running = False
        for name in list(self._deliveries):
            self._to_end(self._deliveries[name])
        tasks = list(self._ending)
        if self._saver is not None:
            self._saver.cancel()
            tasks.append(self._saver)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._save()

    @property
    def deliveries(self) -> list[Delivery]:
        return list(self._deliveries.values())

    def apply(self, edits: Iterable[Edit]) -> None:
        """Follows edits of endpoints and routes; wakes deliveries for those of twins."""
        is_told = False
        for edit in edits:
            if edit.kind in KINDS:
                is_told = True
            elif edit.kind == "endpoint":
                if edit.doc is None:
                    self.endpoints.pop(edit.key, None)
                    self._end(edit.key)
                else:
                    self.endpoints[edit.key] = edit.doc
                    self._begin(edit.key)
            elif edit.kind == "route":
                self.routes.pop(edit.key, None)
                if edit.doc is not None:
                    self._set_route(edit.key, edit.doc)
                self._look_for_telemetry()
        if is_told:
            for delivery in self._deliveries.values():
                delivery.changed()

    def _set_route(self, key: str, doc: Json) -> None:
        try:
            self.routes[key] = Route(doc, parse_filter(doc["filter"]))
        except GemelError as error:
            log.warning("event route '%s' does not run: %s", key, error)

    def _look_for_telemetry(self) -> None:
        """Whether any route could want telemetry: else readings cost nothing here."""
        known = {"type": TELEMETRY, "$eventType": CATEGORIES[TELEMETRY], "specversion": "1.0"}
        self._wants_telemetry = any(r.filter.may_pass(known) for r in self.routes.values())

    def _begin(self, name: str) -> None:
        """Begins to deliver to an endpoint, or begins again as it is said to be now."""
        if not self._is_running:
            return
        make = self._maker(name)
        if name not in self._deliveries:
            self._deliveries[name] = Delivery(
                name,
                int(self._saved.get(name) or self.endpoints[name]["since"]),
                make=make,
                read=partial(self._page, name),
                moved=self._save_soon,
                clock=self._platform.clock,
            )
        self._deliveries[name].begin(make)

    def _maker(self, name: str) -> Make:
        doc = self.endpoints[name]
        return lambda told: endpoint_kinds.sender(self._platform, name, from_document(doc), told)

    def _end(self, name: str) -> None:
        self._saved.pop(name, None)
        if name in self._deliveries:
            self._to_end(self._deliveries.pop(name))

    def _to_end(self, delivery: Delivery) -> None:
        task = delivery.end()
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    # ---- what people ask -----------------------------------------------------------------

    async def put_endpoint(self, name: str, body: Json, who: str) -> Json:
        """Makes or replaces an endpoint; a secret that is left out stays as it was.

        Raises:
            InvalidInput: a field is not of its form; a webhook's address is not a public one where
                only such are allowed, or it does not agree to be sent events.
            Unavailable: a library that it needs is not installed.
        """
        check_id(name, "endpoint")
        endpoint = from_body(body, self.endpoints.get(name, {}))
        await endpoint_kinds.check(self._platform, endpoint)

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], Json]:
            if name not in self.endpoints and len(self.endpoints) >= MOST_ENDPOINTS:
                raise InvalidInput(f"there are {MOST_ENDPOINTS} endpoints", code="LimitExceeded")
            old = self.endpoints.get(name)
            since = old["since"] if old else self._platform.documents.newest()
            doc = {"name": name, **to_document(endpoint), "since": since}
            return [context.edit("endpoint", name, doc)], doc

        await self._platform.edit(plan, who, f"endpoint {name}")
        return await self.endpoint_view(name)

    async def endpoint_view(self, name: str) -> Json:
        """An endpoint without its secret, and how its delivery goes.

        Raises:
            NotFound: there is none of this name.
        """
        doc = self._require_endpoint(name)
        found = self._deliveries.get(name)
        return {
            "name": name,
            **_without_secret(from_document(doc)),
            "delivered": found.delivered if found else 0,
            "waiting": await self._waiting(found) if found else 0,
            "dropped": found.dropped if found else 0,
            "lastError": found.last_error if found else "",
            "drops": list(found.drops) if found else [],
        }

    def _require_endpoint(self, name: str) -> Json:
        doc = self.endpoints.get(name)
        if doc is None:
            raise NotFound(f"there is no endpoint '{name}'", hint="GET /endpoints lists them")
        return doc

    async def _waiting(self, delivery: Delivery) -> int:
        """Edits that were not settled, 10,000 at most, and telemetry events."""
        documents = self._platform.documents
        edits = await asyncio.to_thread(
            documents.count_changes, delivery.cursor, KINDS, MOST_COUNTED
        )
        return edits + delivery.telemetry_waiting

    async def delete_endpoint(self, name: str, who: str) -> None:
        """Forgets an endpoint.

        Raises:
            NotFound: there is none of this name.
            Conflict: routes lead to it.
        """

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            self._require_endpoint(name)
            users = [key for key, r in self.routes.items() if r.doc["endpointName"] == name]
            if users:
                raise Conflict(
                    f"event route '{users[0]}' leads to endpoint '{name}'",
                    hint="delete the route first",
                )
            return [context.edit("endpoint", name, None)], None

        await self._platform.edit(plan, who, f"endpoint {name}")

    async def put_route(self, route: str, endpoint: object, text: object, who: str) -> None:
        """Makes or replaces a route; what waits for the same endpoint goes by the new filter.

        Raises:
            InvalidInput: the endpoint is unknown, or the filter cannot be read.
        """
        check_id(route, "event route")
        if not isinstance(text, str):
            raise InvalidInput("'filter' must be a text", code="EventRouteFilterInvalid")
        parse_filter(text)

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            if endpoint not in self.endpoints:
                raise InvalidInput(
                    f"the endpoint '{str(endpoint)[:100]}' does not exist",
                    hint="make it with PUT /endpoints/{name}",
                    code="EventRouteEndpointInvalid",
                )
            if route not in self.routes and len(self.routes) >= MOST_ROUTES:
                raise InvalidInput(f"there are {MOST_ROUTES} event routes", code="LimitExceeded")
            old = self.routes[route].doc if route in self.routes else {}
            is_same = old.get("endpointName") == endpoint
            created = old["created"] if is_same else context.now
            doc = {"id": route, "endpointName": endpoint, "filter": text, "created": created}
            return [context.edit("route", route, doc)], None

        await self._platform.edit(plan, who, f"event route {route}")

    def route(self, route: str) -> Json:
        """One route.

        Raises:
            NotFound: there is none of this id.
        """
        found = self.routes.get(route)
        if found is None:
            raise NotFound(
                f"there is no event route '{route}'",
                hint="GET /eventroutes lists them",
                code="EventRouteNotFound",
            )
        return {name: found.doc[name] for name in ("id", "endpointName", "filter")}

    async def delete_route(self, route: str, who: str) -> None:
        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            self.route(route)
            return [context.edit("route", route, None)], None

        await self._platform.edit(plan, who, f"event route {route}")

    # ---- what is told --------------------------------------------------------------------

    def readings(self, batch: Batch) -> None:
        """Tells readings that became durable to the routes that want them."""
        if not self._wants_telemetry:
            return
        platform = self._platform
        events = of_readings(batch, platform.series, platform.graph, self._source, self._new_id)
        now = platform.clock()
        for event in events:
            wanted = self._wanted_by(event, now)
            if wanted:
                told = cloud_event(event, now)
                for name in wanted:
                    if name in self._deliveries:
                        self._deliveries[name].offer(told)

    def _new_id(self) -> str:
        """An id that no event of this installation had before."""
        self._told += 1
        return f"{self._run}-{self._told}"

    def _wanted_by(self, event: Json, time: int) -> set[str]:
        """The endpoints that routes lead an event to."""
        seen = fields(event)
        return {
            route.doc["endpointName"]
            for route in self.routes.values()
            if time >= route.doc["created"] and route.filter.passes(seen)
        }

    async def _page(self, name: str, cursor: int) -> Page:
        """The next edits of twins behind a number, with the events that an endpoint wants."""
        found, passed = await asyncio.to_thread(self._changes, cursor)
        page: list[tuple[int, CloudEvent | None]] = []
        for change in found:
            event = of_change(change, self._source)
            is_wanted = event is not None and name in self._wanted_by(event, change.time)
            told = cloud_event(event, change.time) if event is not None and is_wanted else None
            page.append((change.seq, told))
        return page or ([(passed, None)] if passed > cursor + FAR else [])

    def _changes(self, cursor: int) -> tuple[list[Change], int]:
        """The next edits of twins, and up to where there are none if there are none."""
        newest = self._platform.documents.newest()
        return self._platform.documents.changes(cursor, KINDS, PAGE), newest

    # ---- cursors -------------------------------------------------------------------------

    def _save_soon(self) -> None:
        if self._saver is None or self._saver.done():
            self._saver = asyncio.get_running_loop().create_task(self._save_later())

    async def _save_later(self) -> None:
        await asyncio.sleep(SAVE_SECONDS)
        self._save()

    def _save(self) -> None:
        cursors = {n: d.cursor for n, d in self._deliveries.items()}
        if not cursors and not self._path.exists():
            return
        try:
            event_cursors.write(self._path, self._source, cursors)
        except OSError as error:
            log.error("the cursors of event routes cannot be stored: %s", error)


def _without_secret(of: Endpoint) -> Json:
    said = to_document(of)
    is_there = bool(said.pop(of.secret, ""))
    return {**said, f"has{of.secret.title()}": is_there}
