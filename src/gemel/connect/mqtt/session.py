"""One client's session: its subscriptions and the messages on their way to it, without I/O.

A message of QoS 1 or 2 keeps one packet identifier from the moment it is queued until it is
acknowledged, also over reconnects and restarts: that makes QoS 2 exactly once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from gemel.connect.mqtt.codec import encode_ack, encode_publish
from gemel.connect.mqtt.journal import Journal, encode_message
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Kind, Properties, Property, Reason, WillMessage
from gemel.core.access import Principal

SECOND = 1_000_000_000
RELEASED = 1
"""State of a QoS 2 message whose PUBREC came: PUBREL is what is sent now."""
SENT = 2
"""State of a message that was sent before its connection ended: the next one says DUP."""


@dataclass(slots=True)
class Counters:
    """What happened since the start; `MqttServer.statistics` shows it."""

    received_messages: int = 0
    received_bytes: int = 0
    delivered: int = 0
    acknowledged: int = 0
    dropped_offline: int = 0
    dropped_slow: int = 0
    dropped_full: int = 0
    dropped_too_large: int = 0
    expired: int = 0
    refused_accept: int = 0
    denied_publish: int = 0
    denied_subscribe: int = 0
    denied_connect: int = 0
    malformed: int = 0
    too_many_connections: int = 0
    keep_alive_timeouts: int = 0
    greeting_timeouts: int = 0
    taken_over: int = 0
    retained_refused: int = 0
    shed: int = 0
    hurried: int = 0
    damaged_rows: int = 0
    internal_errors: int = 0


class Link(Protocol):
    """What a session needs of the connection it is attached to."""

    version: int
    receive_maximum: int
    maximum_packet: int
    alias_maximum: int
    aliases_out: dict[str, int]

    @property
    def is_writable(self) -> bool: ...

    def write(self, data: bytes) -> None: ...


class Delivery:
    """A message on its way to subscribers; its QoS 0 bytes are made once for all of them."""

    __slots__ = (
        "_frames",
        "expires",
        "payload",
        "properties",
        "qos",
        "retain",
        "topic",
    )

    def __init__(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
        expires: int = 0,
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.expires = expires
        self._frames: dict[tuple[int, bool], bytes] = {}

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.payload) + 200

    def plain_frame(self, version: int, retain: bool) -> bytes:
        made = self._frames.get((version, retain))
        if made is None:
            made = encode_publish(
                version, self.topic, self.payload, int(retain), 0, self.properties
            )
            self._frames[version, retain] = made
        return made


class Outgoing:
    """A QoS 1 or 2 message from being queued until it is acknowledged."""

    __slots__ = (
        "delivery",
        "identifiers",
        "is_inflight",
        "packet_id",
        "qos",
        "retain",
        "sequence",
        "state",
    )

    def __init__(
        self,
        delivery: Delivery,
        qos: int,
        retain: bool,
        identifiers: tuple[int, ...],
        packet_id: int,
        sequence: int,
        state: int = 0,
    ) -> None:
        self.delivery = delivery
        self.qos = qos
        self.retain = retain
        self.identifiers = identifiers
        self.packet_id = packet_id
        self.sequence = sequence
        self.state = state
        self.is_inflight = False
        """Sent on the connection that is open now (or released): counts against its quota."""


@dataclass(slots=True)
class Subscription:
    session: Session
    topic_filter: str
    options: int
    identifier: int = 0

    @property
    def qos(self) -> int:
        return self.options & 3

    @property
    def no_local(self) -> bool:
        return bool(self.options & 4)

    @property
    def retain_as_published(self) -> bool:
        return bool(self.options & 8)


def with_extras(
    properties: Properties | None, identifiers: tuple[int, ...], expires: int, now: int
) -> Properties | None:
    """The properties to send: what was received, less time left, with subscription identifiers."""
    if not identifiers and not expires:
        return properties
    found = dict(properties or {})
    if expires:
        found[Property.MESSAGE_EXPIRY] = max(0, -(-(expires - now) // SECOND))
    if identifiers:
        found[Property.SUBSCRIPTION_ID] = list(identifiers)
    return found


class Session:
    def __init__(
        self,
        client_id: str,
        who: Principal,
        limits: Limits,
        journal: Journal,
        counters: Counters,
    ) -> None:
        self.client_id = client_id
        self.who = who
        self.key = session_key(who, client_id)
        self.expiry = 0
        """Seconds that the session outlives its connection."""
        self.link: Link | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.received: set[int] = set()
        """QoS 2 packet identifiers taken in and not yet released by the client."""
        self.receiving: set[int] = set()
        """The same before they are durable."""
        self.will: WillMessage | None = None
        self.will_at = 0
        """When a delayed will goes out (ns); 0 while the client is there."""
        self.ended = 0
        """When the connection ended (ns); 0 while the client is there."""
        self.is_gone = False
        self.is_stored = False
        """There are rows of it in the store."""
        self.receivable: dict[str, bool] = {}
        self.inflight = 0
        self.outgoing: dict[int, Outgoing] = {}
        self.queued_bytes = 0
        self._waiting: deque[Outgoing] = deque()
        self._plain: deque[tuple[Delivery, bool, tuple[int, ...]]] = deque()
        self._plain_bytes = 0
        self._last_id = 0
        self._limits = limits
        self._journal = journal
        self._counters = counters

    @property
    def is_persistent(self) -> bool:
        return self.expiry > 0 and not self.is_gone

    @property
    def is_backlogged(self) -> bool:
        return bool(self._waiting or self._plain)

    # -- towards the client ------------------------------------------------------------------

    def offer(
        self,
        delivery: Delivery,
        qos: int,
        retain: bool,
        identifiers: tuple[int, ...],
        sequence: int,
        now: int,
    ) -> bool:
        """Sends or queues a message; False if it could be neither."""
        if qos:
            return self._queue(delivery, qos, retain, identifiers, sequence, now)
        link = self.link
        if link is None:
            self._counters.dropped_offline += 1
            return False
        if link.is_writable and not self._plain:
            self._send_plain(link, delivery, retain, identifiers, now)
            return True
        self._plain.append((delivery, retain, identifiers))
        self._plain_bytes += delivery.size
        while self._plain_bytes > self._limits.queue_bytes:
            self._plain_bytes -= self._plain.popleft()[0].size
            self._counters.dropped_slow += 1
        return bool(self._plain)

    def _send_plain(
        self,
        link: Link,
        delivery: Delivery,
        retain: bool,
        identifiers: tuple[int, ...],
        now: int,
    ) -> None:
        if delivery.expires and delivery.expires <= now:
            self._counters.expired += 1
            return
        if link.alias_maximum or identifiers or delivery.expires:
            extras = with_extras(delivery.properties, identifiers, delivery.expires, now)
            data = self._encode(link, delivery, int(retain), 0, extras)
        else:
            data = delivery.plain_frame(link.version, retain)
        if not data or len(data) > link.maximum_packet:
            self._counters.dropped_too_large += 1
            return
        self._counters.delivered += 1
        link.write(data)

    def _encode(
        self, link: Link, delivery: Delivery, flags: int, packet_id: int, extras: Properties | None
    ) -> bytes:
        """The bytes of a PUBLISH, or none if they are more than the client takes."""
        topic, new = delivery.topic, 0
        if link.alias_maximum:
            alias = link.aliases_out.get(topic, 0)
            if alias:
                topic = ""
            elif len(link.aliases_out) < link.alias_maximum:
                alias = new = len(link.aliases_out) + 1
            if alias:
                extras = {**(extras or {}), Property.TOPIC_ALIAS: alias}
        data = encode_publish(link.version, topic, delivery.payload, flags, packet_id, extras)
        if len(data) > link.maximum_packet:
            return b""
        if new:
            link.aliases_out[topic] = new
        return data

    def _queue(
        self,
        delivery: Delivery,
        qos: int,
        retain: bool,
        identifiers: tuple[int, ...],
        sequence: int,
        now: int,
    ) -> bool:
        size = delivery.size
        limits = self._limits
        while self.outgoing and (
            len(self.outgoing) >= limits.queue_messages
            or self.queued_bytes + size > limits.queue_bytes
        ):
            self._counters.dropped_full += 1
            if not self._waiting:
                return False
            self._forget(self._waiting.popleft())
        out = Outgoing(delivery, qos, retain, identifiers, self._free_id(), sequence)
        self.outgoing[out.packet_id] = out
        self.queued_bytes += size
        if self.is_persistent:
            self._journal.insert("message", self.row_key(out), self.row(out))
        self._waiting.append(out)
        self.pump(now)
        return True

    def _free_id(self) -> int:
        packet_id = self._last_id % 65_535 + 1
        while packet_id in self.outgoing:
            packet_id = packet_id % 65_535 + 1
        self._last_id = packet_id
        return packet_id

    def pump(self, now: int) -> None:
        """Sends what waits, as far as the client's receive maximum and socket allow."""
        link = self.link
        if link is None:
            return
        while self._plain and link.is_writable:
            delivery, retain, identifiers = self._plain.popleft()
            self._plain_bytes -= delivery.size
            self._send_plain(link, delivery, retain, identifiers, now)
        while self._waiting and self.inflight < link.receive_maximum and link.is_writable:
            out = self._waiting.popleft()
            delivery = out.delivery
            if delivery.expires and delivery.expires <= now:
                self._counters.expired += 1
                self._forget(out)
                continue
            flags = out.qos << 1 | int(out.retain) | (8 if out.state & SENT else 0)
            extras = with_extras(delivery.properties, out.identifiers, delivery.expires, now)
            data = self._encode(link, delivery, flags, out.packet_id, extras)
            if not data:
                self._counters.dropped_too_large += 1
                self._forget(out)
                continue
            self.inflight += 1
            out.is_inflight = True
            out.state |= SENT
            self._counters.delivered += 1
            link.write(data)

    def attach(self, link: Link, now: int) -> None:
        """A connection takes the session on: what is unacknowledged is sent again."""
        self.link = link
        self.ended = 0
        self.will_at = 0
        self.receivable.clear()
        for out in self.outgoing.values():
            if out.state & RELEASED:
                link.write(encode_ack(link.version, Kind.PUBREL, out.packet_id))
        self.pump(now)

    def detach(self, now: int) -> None:
        """The connection ended."""
        self.link = None
        self.ended = now
        self._plain.clear()
        self._plain_bytes = 0
        again = [
            out for out in self.outgoing.values() if out.is_inflight and not out.state & RELEASED
        ]
        again.sort(key=lambda out: out.sequence)
        for out in again:
            out.is_inflight = False
        self.inflight -= len(again)
        for out in [o for o in again if self._limits.never_twice(o.delivery.topic)]:
            self._forget(out)  # it may have come: nobody knows, so it is not sent again
            again.remove(out)
        self._waiting.extendleft(reversed(again))
        if self.is_persistent:
            for out in again:
                self._journal.put("message", self.row_key(out), self.row(out))

    def restore(self, out: Outgoing) -> None:
        """Takes a message back from the store, oldest first."""
        self.outgoing[out.packet_id] = out
        self.queued_bytes += out.delivery.size
        self._last_id = out.packet_id
        if self._limits.never_twice(out.delivery.topic):
            self._forget(out)  # it may have been sent before the process ended
            return
        if out.state & RELEASED:
            self.inflight += 1
            out.is_inflight = True
        else:
            self._waiting.append(out)

    # -- acknowledgements of the client ------------------------------------------------------

    def acknowledged(self, kind: int, packet_id: int, reason: int, now: int) -> Outgoing | None:
        """A PUBACK, PUBCOMP or refusing PUBREC: the message is over. Returns it if it was known."""
        out = self.outgoing.get(packet_id)
        if out is None or not out.is_inflight:
            return None
        if kind == Kind.PUBACK and out.qos != 1:
            return None
        is_released = bool(out.state & RELEASED)
        if kind != Kind.PUBACK and (out.qos != 2 or is_released != (kind == Kind.PUBCOMP)):
            return None
        self.inflight -= 1
        self._forget(out)
        if reason < Reason.UNSPECIFIED:
            self._counters.acknowledged += 1
        self.pump(now)
        return out

    def release(self, packet_id: int) -> bool:
        """A PUBREC came; False if no such QoS 2 message is on its way."""
        out = self.outgoing.get(packet_id)
        if out is None or out.qos != 2 or not out.is_inflight:
            return False
        if not out.state & RELEASED:
            out.state |= RELEASED
            before = out.delivery
            self.queued_bytes -= before.size
            out.delivery = Delivery(before.topic, b"", 2)
            self.queued_bytes += out.delivery.size
            if self.is_persistent:
                self._journal.put("message", self.row_key(out), self.row(out))
        return True

    def _forget(self, out: Outgoing) -> None:
        if self.outgoing.pop(out.packet_id, None) is None:
            return
        self.queued_bytes -= out.delivery.size
        if self.is_persistent:
            self._journal.delete("message", self.row_key(out))

    # -- rows --------------------------------------------------------------------------------

    def row_key(self, out: Outgoing) -> str:
        return f"{out.sequence:016x} {self.key}"

    def row(self, out: Outgoing) -> bytes:
        delivery = out.delivery
        properties = with_extras(delivery.properties, out.identifiers, 0, 0)
        flags = out.qos << 1 | int(out.retain)
        return encode_message(
            delivery.topic,
            delivery.payload,
            flags,
            out.packet_id,
            properties,
            delivery.expires,
            out.state,
        )

    def received_key(self, packet_id: int) -> str:
        return f"{packet_id:05d} {self.key}"


def session_key(who: Principal, client_id: str) -> str:
    """Sessions belong to a principal: another one's client identifier cannot take them over."""
    return f"{who.name}\n{client_id}"
