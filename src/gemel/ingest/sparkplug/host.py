"""Messages of edge nodes on their way into columns, and what is known of every node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gemel.core.access import Principal
from gemel.core.errors import InvalidInput
from gemel.core.message import Message
from gemel.core.quality import HISTORICAL, Quality, worse
from gemel.ingest.columns import LARGEST
from gemel.ingest.decode import Route, Source
from gemel.ingest.intake import Intake
from gemel.ingest.payload import show
from gemel.ingest.points import EXACT, FRACTIONS, OPEN, WHOLE, PointTable
from gemel.ingest.senml import Problem
from gemel.ingest.sparkplug import values
from gemel.ingest.sparkplug.session import (
    BD_SEQ,
    BORN,
    CONTROL,
    DIED,
    MOST_KNOWN,
    MOST_NODES,
    STATE,
    STATED,
    TOLD,
    WANTED,
    Address,
    Device,
    Known,
    Session,
    Sign,
    address_of,
    is_from_host,
    told,
)
from gemel.ingest.sparkplug.values import MILLISECOND, name_of, quality_of, value_of
from gemel.ingest.sparkplug.wire import Metric, Payload, read_payload
from gemel.ingest.topics import BindingIndex, device_id

MOST_UNKNOWN = 10_000
MOST_ADDRESSES = 200_000
Plain = tuple[int, int, float, float]
"""Slot, type, lowest and highest value of a metric whose values go straight into columns."""


class _Source:
    """How the data of one device are read."""

    __slots__ = ("address", "device", "plain", "route", "session", "who")

    def __init__(self, address: Address, route: Route) -> None:
        self.address = address
        self.route = route
        self.who: Principal | None = None
        """Who was last found allowed."""
        self.session: Session | None = None
        self.device: Device | None = None
        self.plain: dict[int | str, Plain] | None = None
        """By alias or name; None before data came."""


class Nodes:
    """All edge nodes; `take` is called with each message of the namespace, in order.

    Args:
        points: what each twin may report.
        bindings: the bindings as they are now.
    """

    def __init__(self, points: PointTable, bindings: Callable[[], BindingIndex]) -> None:
        self.sessions: dict[str, Session] = {}
        self._points = points
        self._bindings = bindings
        self._sources: dict[str, _Source] = {}
        """By the topic of data, which stands for the device."""
        self._addresses: dict[str, Address] = {}
        self._known = 0
        """Metrics of all births."""

    def restore(self, sessions: Iterable[Session]) -> None:
        """Takes over what was known before a restart."""
        for session in sessions:
            self.sessions[session.key] = session
            self._known += sum(len(device.by_name) for device in session.devices.values())

    def forget_sources(self) -> None:
        """Asks anew what topics and metrics mean: bindings have changed."""
        self._sources.clear()

    def forget_senders(self) -> None:
        """Asks anew whether senders may write."""
        for source in self._sources.values():
            source.who = None

    def source_of(self, group: str, node: str, device: str) -> tuple[str, Route]:
        """The twin that stands for a device, and how its metrics are bound."""
        found = self._source(Address(group, node, device, ""))
        return found.route.twin, found.route

    # ---- taking in -----------------------------------------------------------------------

    def take(self, message: Message, call: Intake) -> None:
        """Takes one message; what cannot be taken is rejected, with the reason."""
        topic = message.topic
        if topic.startswith(STATE):
            call.signs.append(Sign(STATED, None, (), message.received, message))
            return
        if is_from_host(topic):
            return  # another host's, for its nodes
        twin = ""
        try:
            address = self._address(topic)
            source = self._source(address)
            twin = source.route.twin
            if source.who is not message.who:
                if not message.who.may_write_twin(twin):
                    call.reject(message, twin, "not-allowed", raw=show(message.payload))
                    return
                source.who = message.who
            self._take(message, address, source, call)
            session = source.session
            if session is not None and session.wanted:
                call.signs.append(Sign(WANTED, session, at=message.received))
        except Problem as problem:
            raw = f"{problem}: {show(message.payload)}"
            call.reject(message, twin, "undecodable", raw=raw)

    def _address(self, topic: str) -> Address:
        found = self._addresses.get(topic)
        if found is None:
            if len(self._addresses) >= MOST_ADDRESSES:
                self._addresses.clear()
            found = self._addresses[topic] = address_of(topic)
        return found

    def _source(self, address: Address) -> _Source:
        topic = address.topic
        source = self._sources.get(topic)
        if source is not None and self._points.find(source.route.twin) is source.route.entry:
            return source
        bound = self._bindings().find(topic)
        binding, twin = (bound[0], bound[1]) if bound else (None, device_id(address.twin))
        entry = self._points.find(twin)
        if entry is None:
            if self._points.unknown_count >= MOST_UNKNOWN:
                raise Problem(f"there are {MOST_UNKNOWN} devices already that no twin stands for")
            entry = self._points.unknown(twin)
        if len(self._sources) >= MOST_ADDRESSES:
            self._sources.clear()
        made = _Source(address, Route(entry, Source(entry.layout, "", binding)))
        self._sources[topic] = made
        return made

    def _take(self, message: Message, address: Address, source: _Source, call: Intake) -> None:
        kind, now = address.kind, message.received
        session = self.sessions.get(address.key)
        if kind == "NDEATH" and session is None:
            return
        payload = read_payload(message.payload)
        if session is None:
            session = self._new_session(address)
        if source.session is not session:
            source.session, source.device = session, session.device(address.device)
        device = source.device
        assert device is not None
        device.twin = source.route.twin
        session.last_seen = now
        session.who = message.who
        if kind == "NDEATH":
            gone = session.died(payload)
            if gone:
                call.signs.append(Sign(DIED, session, tuple(d.name for d in gone), at=now))
            return
        if kind[1:] == "BIRTH":
            self._born(message, payload, source, session, device, call)
            return
        session.follow(payload.seq, now)
        if kind == "DDEATH":
            device.is_alive = False
            call.signs.append(Sign(DIED, session, (device.name,), at=now))
            return
        if not (session.is_alive and device.is_alive):
            session.want("data before a birth", now)
        self._data(message, payload, source, session, device, call)

    def _new_session(self, address: Address) -> Session:
        if len(self.sessions) >= MOST_NODES:
            over = next((s for s in self.sessions.values() if not s.is_alive), None)
            if over is None:
                raise Problem(f"there are {MOST_NODES} edge nodes already")
            self._known -= sum(len(device.by_name) for device in over.devices.values())
            del self.sessions[over.key]
        made = self.sessions[address.key] = Session(address.group, address.node)
        return made

    def _born(
        self,
        message: Message,
        payload: Payload,
        source: _Source,
        session: Session,
        device: Device,
        call: Intake,
    ) -> None:
        now = message.received
        try:
            metrics = told(payload)
            if self._known + len(metrics) > MOST_KNOWN:
                raise Problem(f"more than {MOST_KNOWN} metrics of all nodes together")
        except Problem:
            session.is_sure = False
            session.want("a birth that was refused", now)
            raise
        self._known += len(metrics) - len(device.by_name)
        source.plain = None
        gone: list[Device] = []
        if device.name:
            session.follow(payload.seq, now)
            device.learn(metrics)
            device.is_alive = not session.is_dead
            if not session.is_alive:
                session.want("a device's birth before its node's", now)
        else:
            gone = session.born(payload, metrics)
        if gone:
            call.signs.append(Sign(DIED, session, tuple(d.name for d in gone), at=now - 1))
        self._data(message, payload, source, session, device, call)
        if device.is_alive:
            call.seen[device.twin] = now
            call.signs.append(Sign(BORN, session, (device.name,), at=now))
        call.signs.append(Sign(TOLD, session))

    # ---- readings ------------------------------------------------------------------------

    def _data(
        self,
        message: Message,
        payload: Payload,
        source: _Source,
        session: Session,
        device: Device,
        call: Intake,
    ) -> None:
        if payload.is_wrapped:
            raise Problem("a compressed payload is not taken: let the node send it plain")
        start = call.begin(message, source.route)
        rest: list[Metric] = payload.metrics
        if session.is_sure and source.route.entry.is_known:
            rest = self._plainly(message, payload, source, device, call)
        sure = Quality.GOOD if session.is_sure else Quality.UNCERTAIN
        for metric in rest:
            self._metric(message, payload.time, metric, source, session, device, call, sure)
        is_there = not session.is_dead and device.is_alive
        call.end(message, source.route, start if is_there else len(call.columns))

    def _plainly(
        self, message: Message, payload: Payload, source: _Source, device: Device, call: Intake
    ) -> list[Metric]:
        """Numbers and booleans of a device whose model knows them; returns all other metrics."""
        plain = source.plain
        if plain is None:
            plain = source.plain = self._plain_of(source.route, device)
        columns, limit = call.columns, call.limit
        slots, times, numbers = columns.slots, columns.times, columns.values
        rest: list[Metric] = []
        for metric in payload.metrics:
            found = plain.get(metric.alias if metric.alias >= 0 else metric.name)
            value: Any = metric.value
            if found is None or metric.is_historical or metric.is_null or value is None:
                rest.append(metric)
                continue
            slot, datatype, low, high = found
            if type(value) is not values.PLAIN[datatype]:
                rest.append(metric)
                continue
            if datatype <= 8:
                value = values.whole(datatype, metric.value)
            time = metric.time if metric.time >= 0 else payload.time
            moment = time * MILLISECOND if time >= 0 else message.received
            if moment > limit or metric.quality >= 0 or not low <= value <= high:
                rest.append(metric)
                continue
            slots.append(slot)
            times.append(moment)
            numbers.append(value)
        return rest

    def _plain_of(self, route: Route, device: Device) -> dict[int | str, Plain]:
        found: dict[int | str, Plain] = {}
        for known in device.by_name.values():
            plain = self._plain(route, known)
            if plain is not None:
                found[known.name] = plain
                if known.alias >= 0:
                    found[known.alias] = plain
        return found

    def _plain(self, route: Route, known: Known) -> Plain | None:
        """Where a metric goes whose type suits its property; None needs a closer look."""
        name, unit = place_of(route, known)
        entry = route.entry
        point = entry.points.get(name)
        if point is None or known.datatype not in values.PLAIN:
            return None
        try:
            point = self._points.in_unit(entry, name, unit) if unit else point
        except InvalidInput:
            return None
        slot, datatype = entry.first + point.slot, known.datatype
        if datatype == values.A_BOOLEAN:
            return (slot, datatype, 0, 1) if point.kind in ("boolean", OPEN) else None
        if point.kind in FRACTIONS or point.kind == OPEN:
            if datatype in values.WHOLE:
                return slot, datatype, 1 - EXACT, EXACT - 1
            return slot, datatype, -LARGEST, LARGEST
        if point.kind in WHOLE and datatype in values.WHOLE:
            low, high = WHOLE[point.kind]
            return slot, datatype, max(low, 1 - EXACT), min(high, EXACT - 1)
        return None

    def _metric(
        self,
        message: Message,
        time: int,
        metric: Metric,
        source: _Source,
        session: Session,
        device: Device,
        call: Intake,
        sure: Quality,
    ) -> None:
        """One metric, with a closer look."""
        twin, now = device.twin, message.received
        known = _known_of(metric, device)
        if known is None:
            session.want(f"the alias {metric.alias}, which no birth told of", now)
            raw = f"alias {metric.alias}, which no birth told of: a birth is asked for"
            call.reject(message, twin, "undecodable", raw=raw)
            return
        if known.name == BD_SEQ or known.name.startswith(CONTROL):
            return
        name, unit = place_of(source.route, known)
        if metric.unit and metric.unit != known.unit:
            unit = place_of(source.route, Known(known.name, -1, 0, metric.unit))[1]
        said = metric.time if metric.time >= 0 else time
        moment = said * MILLISECOND if said >= 0 else now
        if moment > call.limit:
            late = moment if moment < 2**63 else None
            call.reject(message, twin, "far-future", name=name, raw=f"{said} ms", time=late)
            return
        try:
            value = value_of(metric, metric.datatype or known.datatype)
        except Problem as problem:
            raw = f"{problem}; {name_of(metric.datatype or known.datatype)} '{known.name[:100]}'"
            call.reject(message, twin, "undecodable", name=name, raw=raw, time=moment)
            return
        quality = worse(sure, quality_of(metric.quality))
        if metric.is_historical:
            quality |= HISTORICAL
        source_name = known.name if _is_mapped(source.route, known) else name
        call.reading(source.route, source_name, value, moment, unit, quality)


def place_of(route: Route, known: Known) -> tuple[str, str]:
    """The path of the property that a metric means, and the unit in which it is sent."""
    mapped = route.binding.fields.get(known.name) if route.binding else None
    if mapped is not None:
        return mapped.property, mapped.unit or known.unit
    return known.path, known.unit


def _is_mapped(route: Route, known: Known) -> bool:
    return route.binding is not None and known.name in route.binding.fields


def _known_of(metric: Metric, device: Device) -> Known | None:
    """What a birth told of a metric; of one that names itself, no birth is needed."""
    if metric.name:
        return device.by_name.get(metric.name) or Known(
            metric.name, metric.alias, metric.datatype, metric.unit
        )
    return device.by_alias.get(metric.alias)
