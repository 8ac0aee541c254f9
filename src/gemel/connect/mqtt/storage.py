"""Sessions as rows, and rows as sessions after a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gemel.connect.mqtt.journal import (
    Journal,
    decode_json,
    decode_message,
    encode_json,
    from_text,
    to_text,
)
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Properties, Property, ProtocolError, Publish, WillMessage
from gemel.connect.mqtt.session import (
    SENT,
    Counters,
    Delivery,
    Outgoing,
    Session,
    Subscription,
)
from gemel.connect.mqtt.topics import check_filter, split_shared
from gemel.core.access import Principal
from gemel.core.errors import Damaged
from gemel.core.ports import MqttSessions


@dataclass(slots=True)
class Loaded:
    sessions: list[Session] = field(default_factory=list)
    retained: list[tuple[str, Delivery]] = field(default_factory=list)
    sequence: int = 0


def session_row(session: Session) -> bytes:
    """The JSON of a session; a will is in it only while it waits for its delay."""
    document: dict[str, Any] = {
        "client": session.client_id,
        "who": {
            "name": session.who.name,
            "role": session.who.role,
            "twins": list(session.who.twins),
        },
        "expiry": session.expiry,
        "ended": session.ended,
        "subscriptions": {
            name: [s.options, s.identifier] for name, s in session.subscriptions.items()
        },
    }
    if session.will is not None and session.will_at:
        document["willAt"] = session.will_at
        document["will"] = _will_document(session.will)
    return encode_json(document)


def _will_document(will: WillMessage) -> dict[str, Any]:
    return {
        "topic": will.topic,
        "payload": to_text(will.payload),
        "qos": will.qos,
        "retain": will.retain,
        "properties": [
            [number, to_text(value) if isinstance(value, bytes) else value]
            for number, value in will.properties.items()
        ],
    }


def _read_will(document: dict[str, Any]) -> WillMessage:
    properties: Properties = {}
    for number, value in document["properties"]:
        if number == Property.CORRELATION_DATA:
            properties[number] = from_text(value)
        elif number == Property.USER:
            properties[number] = [(name, text) for name, text in value]
        else:
            properties[number] = value
    return WillMessage(
        document["topic"],
        from_text(document["payload"]),
        document["qos"],
        document["retain"],
        properties,
    )


def _read_session(
    value: bytes, limits: Limits, journal: Journal, counters: Counters, now: int
) -> tuple[Session, bool]:
    """The session of a row, and whether it was connected when the process ended."""
    document = decode_json(value)
    try:
        who = document["who"]
        principal = Principal(who["name"], who["role"], tuple(who["twins"]))
        session = Session(document["client"], principal, limits, journal, counters)
        session.expiry = int(document["expiry"])
        ended = int(document["ended"])
        session.ended = ended or now
        session.is_stored = True
        for name, (options, identifier) in document["subscriptions"].items():
            check_filter(split_shared(name)[1])
            session.subscriptions[name] = Subscription(session, name, options, identifier)
        if "will" in document:
            session.will = _read_will(document["will"])
            session.will_at = int(document["willAt"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("a stored MQTT session lacks a field") from error
    return session, ended == 0


def _delivery(packet: Publish, expires: int) -> tuple[Delivery, tuple[int, ...]]:
    properties = dict(packet.properties or {})
    identifiers = tuple(properties.pop(Property.SUBSCRIPTION_ID, ()))
    made = Delivery(
        packet.topic,
        packet.payload,
        packet.qos,
        packet.is_retained,
        properties or None,
        expires,
    )
    return made, identifiers


class Loader:
    """Reads all rows; what is damaged or belongs to nobody is deleted and counted."""

    def __init__(self, limits: Limits, journal: Journal, counters: Counters, now: int) -> None:
        self._limits = limits
        self._journal = journal
        self._counters = counters
        self._now = now
        self._sessions: dict[str, tuple[Session, bool]] = {}
        self.found = Loaded()

    def load(self, store: MqttSessions) -> Loaded:
        rows: dict[str, list[tuple[str, bytes]]] = {}
        for table, key, value in store.load():
            if value is None:
                self._counters.damaged_rows += 1
            else:
                rows.setdefault(table, []).append((key, value))
        steps: tuple[tuple[str, Callable[[str, bytes], None]], ...] = (
            ("session", self._session),
            ("message", self._message),
            ("received", self._received),
            ("retained", self._retained),
        )
        for table, step in steps:
            for key, value in sorted(rows.get(table, ())):
                try:
                    step(key, value)
                except (Damaged, ProtocolError):
                    self._counters.damaged_rows += 1
                    self._journal.delete(table, key)
        return self.found

    def _session(self, key: str, value: bytes) -> None:
        session, was_there = _read_session(
            value, self._limits, self._journal, self._counters, self._now
        )
        if session.key != key:
            raise Damaged("a stored MQTT session has another's key")
        self._sessions[key] = (session, was_there)
        self.found.sessions.append(session)

    def _owner(self, key: str) -> tuple[str, Session, bool]:
        head, _, owner = key.partition(" ")
        if owner not in self._sessions:
            raise Damaged("a stored MQTT message belongs to no session")
        return head, *self._sessions[owner]

    def _message(self, key: str, value: bytes) -> None:
        head, session, was_there = self._owner(key)
        packet, expires, state = decode_message(value)
        try:
            sequence = int(head, 16)
        except ValueError as error:
            raise Damaged("a stored MQTT message has no place in its queue") from error
        if not packet.qos or packet.packet_id in session.outgoing:
            raise Damaged("a stored MQTT message has another's packet identifier")
        delivery, identifiers = _delivery(packet, expires)
        if was_there:
            state |= SENT
        session.restore(
            Outgoing(
                delivery,
                packet.qos,
                packet.is_retained,
                identifiers,
                packet.packet_id,
                sequence,
                state,
            )
        )
        self.found.sequence = max(self.found.sequence, sequence)

    def _received(self, key: str, value: bytes) -> None:
        head, session, _ = self._owner(key)
        if not head.isdecimal():
            raise Damaged("a stored MQTT packet identifier is no number")
        session.received.add(int(head))

    def _retained(self, key: str, value: bytes) -> None:
        packet, expires, _ = decode_message(value)
        self.found.retained.append((key, _delivery(packet, expires)[0]))
