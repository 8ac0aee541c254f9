"""Messages in, checked readings out: the one public verb of this stage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

from gemel.core.access import Principal
from gemel.core.batch import I64, Batch, Reject
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.core.message import Message, Samples
from gemel.core.series import MEASURED, SeriesTable
from gemel.ingest.decode import Route, Source, decode_common, source_of
from gemel.ingest.duplicates import Recent
from gemel.ingest.intake import Intake, Unknown
from gemel.ingest.payload import decode, shown
from gemel.ingest.points import Named, PointTable, TwinPoints, topic_of
from gemel.ingest.samples import take_samples
from gemel.ingest.senml import Problem
from gemel.ingest.sparkplug.host import Nodes
from gemel.ingest.sparkplug.session import PREFIX, Sign, address_of
from gemel.ingest.topics import (
    Binding,
    BindingIndex,
    default_route,
    device_id,
    is_ours,
    is_personal,
    only_twin,
)

log = logging.getLogger("gemel.ingest")
MOST_ROUTES = 200_000
MOST_UNKNOWN = 10_000
BARE = "value"
"""The name of a bare value on a topic that is nobody's: it names the device and nothing else."""


@dataclass(slots=True)
class Accepted:
    """What became of the messages of one call."""

    batch: Batch
    rejects: list[Reject]
    duplicates: int
    readings: int
    seen: dict[str, int]
    """Every twin that sent at least one good reading, and when it was received."""
    unknown: dict[str, Unknown]
    """Devices that no twin stands for; their readings are in the batch under this id."""
    other: list[Message]
    """Messages whose topic carries no telemetry."""
    signs: list[Sign]
    """What edge nodes told besides: see `sparkplug`."""


class Ingest:
    """Decodes, binds to twins, and checks.

    Args:
        series: numbers for new names.
        points: what each twin may report.
        future_ns: how far ahead of `now` a reading's time may lie.
        provenance: of all that is taken in here. Anything but measured is taken for twins that
            `points` has and for no others, and a repetition counts: it may take back another.
        newest: the newest durable times by series, so that few readings are looked up.
    """

    def __init__(
        self,
        series: SeriesTable,
        points: PointTable,
        *,
        future_ns: int = 60 * SECOND,
        provenance: str = MEASURED,
        newest: Callable[[], I64] | None = None,
    ) -> None:
        self.provenance = provenance
        self._series = series
        self._points = points
        self._future = future_ns
        self._bindings = BindingIndex(())
        self._routes: dict[str, Route] = {}
        self._recent = Recent(newest)
        self.nodes = Nodes(points, lambda: self._bindings)
        """The edge nodes that speak Sparkplug."""

    def set_bindings(self, bindings: Sequence[Binding]) -> None:
        """Says what further topics mean; the first that matches counts, all before the defaults."""
        self._bindings = BindingIndex(bindings)
        self._forget_routes()

    @property
    def bindings(self) -> BindingIndex:
        """What further topics mean; another object whenever that has changed."""
        return self._bindings

    def bound_twin(self, topic: str) -> str | None:
        """The twin that a binding maps a topic to."""
        found = self._bindings.find(topic)
        return found[1] if found else None

    def device_of(self, topic: str, who: Principal) -> str:
        """The twin or device that a message on a topic is from, as far as that is known."""
        route = self._routes.get(topic)
        if route is not None:
            return route.twin
        if is_personal(topic):
            return only_twin(who) or who.name
        if topic.startswith(PREFIX):
            return self._device_of_node(topic)
        found = self._bindings.find(topic) or (None, *(default_route(topic, who) or ("", "")))
        return found[1] or who.name

    def _device_of_node(self, topic: str) -> str:
        try:
            address = address_of(topic)
        except Problem:
            return ""
        found = self._bindings.find(address.topic)
        return found[1] if found else device_id(address.twin)

    def forget_senders(self, twins: Iterable[str] | None = None) -> None:
        """Asks anew whether senders may write, on the topics of these twins or on all."""
        topics: Iterable[str] = self._routes
        if twins is not None:
            entries = [entry for twin in twins if (entry := self._points.find(twin)) is not None]
            topics = [topic for e in entries for topic in (topic_of(e.twin), *(e.topics or ()))]
        for topic in topics:
            if (route := self._routes.get(topic)) is not None:
                route.who = None
        self.nodes.forget_senders()

    def accept(self, messages: Sequence[Message | Samples], now: int) -> Accepted:
        """Takes messages in. Never raises, whatever was sent.

        Args:
            messages: in the order of their receipt.
            now: ns since 1970 UTC.
        """
        try:
            return self._accept(messages, now)
        except Exception as error:  # noqa: BLE001  (a flaw here must not cost other devices' data)
            self._surprised(error)
        good: list[Message | Samples] = []
        bad: list[Message | Samples] = []
        for message in messages:
            try:
                self._accept([message], now)
            except Exception:  # noqa: BLE001  (logged above)
                bad.append(message)
            else:
                good.append(message)
        accepted = self._accept(good, now)
        for m in bad:
            raw = shown(m)
            accepted.rejects.append(
                Reject(m.received, m.received, "", "", raw, "undecodable", m.topic)
            )
        return accepted

    def _surprised(self, error: Exception) -> None:
        """Called with what must not happen; tests raise it."""
        log.error("a message could not be taken in, and was rejected", exc_info=error)

    def _accept(self, messages: Sequence[Message | Samples], now: int) -> Accepted:
        if self._points.stale:
            for topic in self._points.stale:
                self._routes.pop(topic, None)
            self._points.stale.clear()
        call = Intake(self._series, self._points, now + self._future, self.provenance)
        index = 0
        while True:
            index = self._take_common(messages, index, call)
            if index >= len(messages):
                break
            message = messages[index]
            if self._is_of_node(message):
                self.nodes.take(message, call)
                index += 1
                continue
            route = self._route(message, call)
            if route is not None:
                if isinstance(message, Samples):
                    take_samples(call, message, route)
                elif not self._became_common(message, route, call):
                    call.take(message, route)
            index += 1
        batch = call.columns.finish(self._points.slots, now)
        kept = self._recent.drop(batch) if self.provenance == MEASURED else batch
        return Accepted(
            kept,
            call.rejects,
            len(batch) - len(kept),
            len(kept),
            call.seen,
            call.unknown,
            call.other,
            call.signs,
        )

    def remember(self, batch: Batch) -> None:
        """Call with a batch once it is durable: what repeats it is then dropped at the door."""
        if self.provenance == MEASURED:
            self._recent.remember(batch)

    def _is_of_node(self, message: Message | Samples) -> TypeGuard[Message]:
        """Whether it is to be read as Sparkplug."""
        is_there = message.topic.startswith(PREFIX) and self.provenance == MEASURED
        return is_there and isinstance(message, Message)

    def _take_common(self, messages: Sequence[Message | Samples], start: int, call: Intake) -> int:
        common = cast("Sequence[Message]", messages)  # what holds no bytes is left
        return decode_common(common, start, self._routes, call.columns, call.limit, call.seen)

    def _became_common(self, message: Message, route: Route, call: Intake) -> bool:
        """Tries the common path again where only the route, or its sender, was new to it."""
        if not route.entry.is_known or route.who is message.who:
            return False
        route.who = message.who
        if is_personal(message.topic):
            message = message._replace(topic=topic_of(route.twin))
        return self._take_common([message], 0, call) == 1

    # ---- from topic to route -------------------------------------------------------------

    def _route(self, message: Message | Samples, call: Intake) -> Route | None:
        """The route of a message, or None if it carries no telemetry or its sender may not."""
        bound = None
        topic = message.topic
        if is_personal(topic):
            bound = self._bindings.find(topic)
            if bound is None:
                topic = topic_of(only_twin(message.who))
        route = self._routes.get(topic)
        if route is None:
            return self._new_route(message, topic, call)
        if not message.who.may_write_twin(route.twin):
            _refuse(message, route.twin, call)
            return None
        return route

    def _new_route(self, message: Message | Samples, topic: str, call: Intake) -> Route | None:
        binding, twin, name = None, "", ""
        bound = self._bindings.find(message.topic)
        if bound is not None:
            binding, twin, name = bound
        else:
            found = default_route(message.topic, message.who)
            if found is None:
                _note_other(message, call)
                return None
            twin, name = found
        entry = self._points.find(twin)
        stray = bound is None and not is_ours(message.topic)
        if entry is None and stray and not _looks_like_telemetry(message):
            _note_other(message, call)
            return None
        if not twin or not message.who.may_write_twin(twin):
            _refuse(message, twin, call)
            return None
        if entry is None and self.provenance != MEASURED:
            call.reject(message, twin, "unknown-twin", raw=shown(message))
            return None
        if entry is None:
            if self._points.unknown_count >= MOST_UNKNOWN:
                call.reject(message, twin, "too-many", raw=shown(message))
                return None
            entry = self._points.unknown(twin)
        return self._add_route(topic, entry, name, binding, BARE if stray else "")

    def _add_route(
        self, topic: str, entry: TwinPoints, name: str, binding: Binding | None, fallback: str
    ) -> Route:
        if len(self._routes) >= MOST_ROUTES:
            self._forget_routes()
        if binding is not None and (binding.fields or binding.only or binding.time):
            named = self._mapped(entry, binding) if binding.fields or binding.only else None
            source = Source(entry.layout, name, binding, named, fallback)
        else:
            source = source_of(entry.layout, name, fallback)
        route = self._routes[topic] = Route(entry, source)
        if topic != topic_of(entry.twin):
            entry.topics = entry.topics or set()
            entry.topics.add(topic)
        return route

    def _mapped(self, entry: TwinPoints, binding: Binding) -> Named:
        """The tables of a binding's source names; what cannot be converted stays out of them."""
        named = Named()
        if not binding.only:
            for path, point in entry.points.items():
                if path not in binding.fields:
                    named.add(path, point)
        for source, target in binding.fields.items():
            if target.property not in entry.points:
                continue
            try:
                named.add(source, self._points.in_unit(entry, target.property, target.unit))
            except InvalidInput:
                continue
        return named

    def _forget_routes(self) -> None:
        for route in self._routes.values():
            route.entry.topics = None
        self._routes.clear()
        self.nodes.forget_sources()


def _refuse(message: Message | Samples, twin: str, call: Intake) -> None:
    call.reject(message, twin, "not-allowed", raw=shown(message))


def _note_other(message: Message | Samples, call: Intake) -> None:
    if isinstance(message, Message):
        call.other.append(message)


def _looks_like_telemetry(message: Message | Samples) -> bool:
    """Whether a payload on a topic that is nobody's holds named values, or a number."""
    if isinstance(message, Samples):
        return True
    try:
        data = decode(message.payload, message.content_type)
    except Problem:
        return False
    if type(data) is list:
        return bool(data) and all(type(item) is dict and item for item in data)
    return (type(data) is dict and bool(data)) or type(data) in (int, float, bool)
