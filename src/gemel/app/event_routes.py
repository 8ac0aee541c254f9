"""Event routes: what happens to twins is told to webhooks, at least once, in order.

The outbox is the append-only table of edits itself: an event is on disk with the edit that it
tells of. Each endpoint has a cursor, the number of the last edit that was delivered; the cursors
are kept in a file, so after a crash the last events may come again, and none is left out.
Telemetry has no place in that table: its events wait in memory, and are lost when the program ends.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from gemel.app import event_cursors, webhooks
from gemel.app.twin_events import CATEGORIES, KINDS, TELEMETRY, fields, of_change, of_readings
from gemel.core.batch import Batch
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, Damaged, GemelError, InvalidInput, NotFound, Unavailable
from gemel.twins.graph import EditContext, Graph
from gemel.twins.query.filters import Filter, parse_filter
from gemel.twins.validate import check_id

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.events")
MOST_ROUTES = 100
MOST_ENDPOINTS = 50
MOST_WAITING = 10_000
"""Telemetry events of one endpoint."""
PAGE = 200
OLDEST_SECONDS = 86_400
"""Events that could not be delivered for so long are dropped."""
SLOWEST_SECONDS = 300.0
SAVE_SECONDS = 1.0


@dataclass(slots=True)
class Delivery:
    """The work for one endpoint."""

    cursor: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    telemetry: deque[tuple[int, Json]] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None
    delivered: int = 0
    dropped: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    doc: Json
    filter: Filter


class EventRoutes:
    """Endpoints, routes, and the delivery of events."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._path = platform.folder.path / event_cursors.FILE
        self.endpoints: dict[str, Json] = {}
        self.routes: dict[str, Route] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._source = ""
        self._saved: dict[str, int] = {}
        self._is_running = False
        self._wants_telemetry = False
        self._saver: asyncio.Task[None] | None = None

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
        tasks = [d.task for d in self._deliveries.values() if d.task is not None]
        tasks += [self._saver] if self._saver is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._save()

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
                delivery.wake.set()

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
        if not self._is_running:
            return
        delivery = self._deliveries.get(name)
        if delivery is None:
            cursor = int(self._saved.get(name) or self.endpoints[name]["since"])
            delivery = self._deliveries[name] = Delivery(cursor)
            delivery.task = asyncio.get_running_loop().create_task(self._deliver(name, delivery))
        delivery.wake.set()

    def _end(self, name: str) -> None:
        delivery = self._deliveries.pop(name, None)
        self._saved.pop(name, None)
        if delivery is not None and delivery.task is not None:
            delivery.task.cancel()

    # ---- what people ask -----------------------------------------------------------------

    async def put_endpoint(self, name: str, body: Json, who: str) -> Json:
        """Makes or replaces a webhook.

        Raises:
            InvalidInput: its address is none, or not a public one where only such are allowed.
        """
        check_id(name, "endpoint")
        if body.get("kind", "webhook") != "webhook":
            raise InvalidInput("'kind' must be 'webhook'", code="EndpointInvalid")
        authorization = body.get("authorization", "")
        if not isinstance(authorization, str) or not (
            authorization.isascii() and (authorization.isprintable() or not authorization)
        ):
            raise InvalidInput("'authorization' must be one line", code="EndpointInvalid")
        target = webhooks.read_url(body.get("url"))
        try:
            async with asyncio.timeout(webhooks.SECONDS):
                await webhooks.resolve(target, self._platform.config.webhook_private)
        except (Unavailable, TimeoutError):
            pass  # a name that is not known yet may be later
        except GemelError as error:
            raise InvalidInput(error.message, hint=error.hint, code=error.code) from None

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], Json]:
            if name not in self.endpoints and len(self.endpoints) >= MOST_ENDPOINTS:
                raise InvalidInput(f"there are {MOST_ENDPOINTS} endpoints", code="LimitExceeded")
            old = self.endpoints.get(name)
            since = old["since"] if old else self._platform.documents.newest()
            doc = {"name": name, "kind": "webhook", "url": body["url"], "since": since}
            doc |= {"authorization": authorization} if authorization else {}
            return [context.edit("endpoint", name, doc)], doc

        await self._platform.edit(plan, who, f"endpoint {name}")
        return self.endpoint_view(name)

    def endpoint_view(self, name: str) -> Json:
        """An endpoint without its secret, and how its delivery goes.

        Raises:
            NotFound: there is none of this name.
        """
        doc = self.endpoints.get(name)
        if doc is None:
            raise NotFound(f"there is no endpoint '{name}'", hint="GET /endpoints lists them")
        found = self._deliveries.get(name)
        return {
            "name": name,
            "kind": doc["kind"],
            "url": doc["url"],
            "hasAuthorization": "authorization" in doc,
            "delivered": found.delivered if found else 0,
            "dropped": found.dropped if found else 0,
            "lastError": found.last_error if found else "",
        }

    async def delete_endpoint(self, name: str, who: str) -> None:
        """Forgets an endpoint.

        Raises:
            NotFound: there is none of this name.
            Conflict: routes lead to it.
        """

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            self.endpoint_view(name)
            users = [key for key, r in self.routes.items() if r.doc["endpointName"] == name]
            if users:
                raise Conflict(
                    f"event route '{users[0]}' leads to endpoint '{name}'",
                    hint="delete the route first",
                )
            return [context.edit("endpoint", name, None)], None

        await self._platform.edit(plan, who, f"endpoint {name}")

    async def put_route(self, route: str, endpoint: object, text: object, who: str) -> None:
        """Makes or replaces a route.

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
            doc = {"id": route, "endpointName": endpoint, "filter": text, "created": context.now}
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

    # ---- telemetry -----------------------------------------------------------------------

    def readings(self, batch: Batch) -> None:
        """Tells readings that became durable to the routes that want them."""
        if not self._wants_telemetry:
            return
        platform = self._platform
        events = of_readings(
            batch, platform.series, platform.graph, self._source, lambda: str(uuid.uuid4())
        )
        now = platform.clock()
        for event in events:
            for name in self._wanted_by(event, now):
                delivery = self._deliveries.get(name)
                if delivery is None:
                    continue
                if len(delivery.telemetry) >= MOST_WAITING:
                    delivery.telemetry.popleft()
                    delivery.dropped += 1
                delivery.telemetry.append((now, event))
                delivery.wake.set()

    def _wanted_by(self, event: Json, time: int) -> set[str]:
        """The endpoints that routes lead an event to."""
        seen = fields(event)
        return {
            route.doc["endpointName"]
            for route in self.routes.values()
            if time >= route.doc["created"] and route.filter.passes(seen)
        }

    # ---- delivery ------------------------------------------------------------------------

    async def _deliver(self, name: str, delivery: Delivery) -> None:
        while True:
            await delivery.wake.wait()
            delivery.wake.clear()
            try:
                await self._deliver_edits(name, delivery)
                while delivery.telemetry:
                    time, event = delivery.telemetry[0]
                    await self._push(name, delivery, event, time)
                    if delivery.telemetry and delivery.telemetry[0][1] is event:
                        delivery.telemetry.popleft()
            except Exception as error:  # one endpoint must not end for ever
                log.exception("events for '%s' wait", name)
                delivery.last_error = repr(error)
                await asyncio.sleep(SLOWEST_SECONDS)
                delivery.wake.set()

    async def _deliver_edits(self, name: str, delivery: Delivery) -> None:
        loop = asyncio.get_running_loop()
        documents = self._platform.documents
        while True:
            found = await loop.run_in_executor(
                None, documents.changes, delivery.cursor, KINDS, PAGE
            )
            if not found:
                return
            for change in found:
                event = of_change(change, self._source)
                if event is not None and name in self._wanted_by(event, change.time):
                    await self._push(name, delivery, event, change.time)
                delivery.cursor = change.seq
                self._save_soon()

    async def _push(self, name: str, delivery: Delivery, event: Json, time: int) -> None:
        """Sends one event until it is taken, refused for good, or too old."""
        body = orjson.dumps(event)
        wait = 1.0
        while name in self.endpoints:
            problem = await self._try(name, body)
            if problem is None:
                delivery.delivered += 1
                if delivery.last_error:
                    log.warning("events for '%s' are delivered again", name)
                    delivery.last_error = ""
                return
            is_final, text = problem
            if not delivery.last_error:
                log.warning("events for '%s' are not delivered: %s", name, text)
            delivery.last_error = f"{to_iso(self._platform.clock())} {text}"
            if is_final or self._platform.clock() - time > OLDEST_SECONDS * SECOND:
                delivery.dropped += 1
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, SLOWEST_SECONDS)

    async def _try(self, name: str, body: bytes) -> tuple[bool, str] | None:
        """One attempt: None if the event was taken, else (whether it is hopeless, why)."""
        doc = self.endpoints[name]
        try:
            status = await webhooks.send(
                webhooks.read_url(doc["url"]),
                body,
                self._platform.config.webhook_private,
                doc.get("authorization", ""),
            )
        except GemelError as error:
            return False, error.message
        if 200 <= status < 300:
            return None
        return status in webhooks.FINAL, f"the endpoint answered {status}"

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
