"""One client's connection, without I/O: bytes in, effects on the broker, bytes to send out.

The socket's owner gives bytes to `receive`, writes what `take` returns, and closes the socket when
`is_closing`. Nothing that a client sends makes `receive` raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gemel.connect.mqtt.codec import PINGRESP, Decoder, encode, encode_ack, topic_at
from gemel.connect.mqtt.fields import decode_topic
from gemel.connect.mqtt.packets import (
    V3_CONNACK,
    Ack,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Properties,
    Property,
    ProtocolError,
    Publish,
    Reason,
    Subscribe,
    Unsubscribe,
)
from gemel.core import fast
from gemel.core.access import SYSTEM, Principal
from gemel.core.message import Message

if TYPE_CHECKING:
    from gemel.connect.mqtt.broker import Broker
    from gemel.connect.mqtt.session import Session

ACCEPTED = 0
WILL = 1
"""Taken in like a message, acknowledged to nobody."""
HURRIED = 2
"""Handed to the host before all that waits; acknowledged in its turn."""
KNOWN = 3
"""A QoS 2 message sent again that is durable: acknowledged, not taken in again."""
REPEATED = 4
"""The same while the first is not durable yet: what becomes of it is the answer to both."""
SCANNED = -1
"""A `Run` of plain messages that stands in place of a packet for each."""

_CACHED_TOPICS = 4_096
MESSAGE_COST = 300
"""Bytes that a small message takes in memory beside its own."""

PROMPT_NS = 10_000_000
"""A client that sends so soon after an acknowledgement may well have waited for it."""

_make = tuple.__new__


class Run(NamedTuple):
    """Messages that were scanned one after the other; all were accepted."""

    first: int
    """Place of the first among the inbox's messages."""
    size: int
    acks: bytes
    """Their PUBACKs."""


class Connection(fast.Line):
    def __init__(self, broker: Broker, peer: str = "") -> None:
        self.broker = broker
        self.peer = peer
        self.session: Session | None = None
        self.who: Principal = SYSTEM
        self.version = 4
        self.is_five = False
        self.maximum = broker.limits.greeting_bytes
        self.is_plain = False
        self.decoder = Decoder(0, broker.limits.greeting_bytes)
        self.keep_alive = 0
        self.seen = 0.0
        """When something was last received, by the socket owner's clock."""
        self.is_closing = False
        self.is_paused = False
        """The socket takes no more bytes at the moment."""
        self.free_descriptor = -1
        """Where bytes may be written past the socket's owner; -1: ask it."""
        self.receive_maximum = broker.limits.inflight
        self.maximum_packet = 1 << 62
        self.alias_maximum = 0
        self.aliases_out: dict[str, int] = {}
        self.aliases_in: dict[int, str] = {}
        self.granted: Callable[[str], None] | None = None
        """Called with each topic that may be published to, where a front holds the socket."""
        self.publishable: set[str] = set()
        self.known_topics: dict[bytes, str] = {}
        """The same as they stand in a packet."""
        self.acknowledged = 0
        """When it was last given acknowledgements (ns)."""
        self.is_prompt = False
        """Whether it last sent soon after an acknowledgement."""
        self.unacknowledged = 0
        self.quota = 1 << 62
        self.wants_problems = True
        self._out: list[bytes] = []
        self._out_bytes = 0

    @property
    def is_open(self) -> bool:
        return self.session is not None and not self.is_closing

    @property
    def is_writable(self) -> bool:
        return not self.is_paused and self._out_bytes < self.broker.limits.write_bytes

    # -- bytes out ---------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self.is_closing:
            return
        if not self._out:
            if not self.broker.dirty:
                self.broker.wake()
            self.broker.dirty.append(self)
        self._out.append(data)
        self._out_bytes += len(data)

    def take(self) -> bytes:
        """Everything to send now."""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self._out_bytes = 0
        return data

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        self.is_paused = False
        if self.session is not None:
            self.session.pump(self.broker.clock())

    def taken(self) -> None:
        """What `take` gave was written: there is room for what waits."""
        if self.session is not None and self.session.is_backlogged and self.is_writable:
            self.session.pump(self.broker.clock())

    # -- bytes in ----------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        if self.is_closing:
            return
        broker, inbox = self.broker, self.broker.inbox
        failure: ProtocolError | None = None
        broker.counters.received_bytes += len(data)
        before = len(inbox.entries)
        now = broker.clock()
        in_runs = inbox.in_runs
        packets: list[Packet] = []
        try:
            whole = self.decoder.join(data)
            if fast.IS_COMPILED and self.session is not None:
                whole = self._scan(whole, now)
            if whole:
                packets = self.decoder.parse(whole)
        except ProtocolError as error:
            failure, packets = error, error.packets
        try:
            self._process(packets, now)
        except ProtocolError as error:
            failure = error
        count = len(inbox.entries) - before
        if count:
            count += inbox.in_runs - in_runs
            broker.counters.received_messages += count
            self.is_prompt = now - self.acknowledged < PROMPT_NS
            inbox.held(len(data), MESSAGE_COST * count, awaited=self.is_prompt)
        if failure is not None:
            self.fail(failure)
        self.is_plain = self.is_open and not self.decoder.buffered

    def _scan(self, data: bytes, now: int) -> bytes:
        """Takes plain messages of topics that are allowed; returns what comes after them."""
        inbox = self.broker.inbox
        at = 0
        while at < len(data):
            first = len(inbox.messages)
            at, count, acks = fast.scan(
                inbox.messages,
                data,
                at,
                self.is_five,
                self.maximum,
                self.known_topics,
                self.quota - self.unacknowledged,
                self.who,
                now,
            )
            if count:
                self.unacknowledged += len(acks) // 4
                inbox.entries.append((self, Run(first, count, acks), SCANNED))
                inbox.in_runs += count - 1
            topic = topic_at(data, at)
            if not topic or topic in self.known_topics:
                break
            if not self._may_publish(decode_topic(topic)) or topic not in self.known_topics:
                break
        return data[at:] if at else data

    def _process(self, packets: list[Packet], now: int) -> None:
        messages, entries = self.broker.inbox.messages, self.broker.inbox.entries
        publishable = self.publishable
        who = self.who
        for packet in packets:
            if packet.__class__ is not Publish:
                self._dispatch(packet, now)
                if self.is_closing:
                    return
                publishable, who = self.publishable, self.who
                continue
            flags, topic, _, payload, properties = packet
            if properties is None and not flags & 4 and topic in publishable:
                if flags & 2:
                    self._count()
                messages.append(_make(Message, (topic, payload, now, who, "")))
                entries.append((self, packet, ACCEPTED))
            else:
                self._publish(packet, now)
                if self.is_closing:
                    return

    def _count(self) -> None:
        self.unacknowledged += 1
        if self.unacknowledged > self.quota:
            raise ProtocolError(
                "more unacknowledged messages than the receive maximum",
                Reason.RECEIVE_MAXIMUM_EXCEEDED,
            )

    def _publish(self, packet: Publish, now: int) -> None:
        flags, topic, packet_id, payload, properties = packet
        session = self.session
        if session is None:
            raise ProtocolError("PUBLISH before CONNECT", Reason.PROTOCOL_ERROR)
        content_type = ""
        if properties:
            topic, properties = self._resolve(topic, properties)
            packet = Publish(flags, topic, packet_id, payload, properties)
            content_type = str(properties.get(Property.CONTENT_TYPE, ""))
        status = ACCEPTED
        if flags & 4 and packet_id in session.received:
            status = KNOWN
        elif flags & 4 and packet_id in session.receiving:
            status = REPEATED
        elif topic not in self.publishable and not self._may_publish(topic):
            self.broker.counters.denied_publish += 1
            if not flags & 6:
                return
            status = Reason.NOT_AUTHORIZED
        if flags & 6 and status not in (KNOWN, REPEATED):
            self._count()
        inbox = self.broker.inbox
        if status == ACCEPTED:
            if flags & 4:
                session.receiving.add(packet_id)
            message = Message(topic, payload, now, self.who, content_type)
            if self.broker.host.is_urgent(topic):
                status = HURRIED
                inbox.hurry(message)
            else:
                inbox.messages.append(message)
        inbox.entries.append((self, packet, status))

    def _may_publish(self, topic: str) -> bool:
        host = self.broker.host
        if not host.may_publish(self.who, topic):
            return False
        if host.is_urgent(topic):
            return True
        if len(self.publishable) >= _CACHED_TOPICS:
            self.publishable.clear()
            self.known_topics.clear()
        self.publishable.add(topic)
        if fast.IS_COMPILED:
            self.known_topics[topic.encode()] = topic
        if self.granted is not None:
            self.granted(topic)
        return True

    def _resolve(self, topic: str, properties: Properties) -> tuple[str, Properties]:
        """The topic behind an alias, and the properties that are passed on."""
        if Property.SUBSCRIPTION_ID in properties:
            raise ProtocolError("a client sent a subscription identifier", Reason.PROTOCOL_ERROR)
        alias = properties.get(Property.TOPIC_ALIAS)
        if alias is None:
            return topic, properties
        if alias > self.broker.limits.topic_aliases:
            raise ProtocolError(
                f"topic alias {alias}; the most is {self.broker.limits.topic_aliases}",
                Reason.TOPIC_ALIAS_INVALID,
            )
        if topic:
            self.aliases_in[alias] = topic
        else:
            topic = self.aliases_in.get(alias, "")
            if not topic:
                raise ProtocolError(f"topic alias {alias} was not given", Reason.PROTOCOL_ERROR)
        return topic, {k: v for k, v in properties.items() if k != Property.TOPIC_ALIAS}

    def _dispatch(self, packet: Packet, now: int) -> None:
        broker = self.broker
        if isinstance(packet, Connect):
            if self.session is not None:
                raise ProtocolError("a second CONNECT", Reason.PROTOCOL_ERROR)
            broker.connect(self, packet)
            return
        session = self.session
        if session is None:
            raise ProtocolError("the first packet is not CONNECT", Reason.PROTOCOL_ERROR)
        match packet:
            case Ping(False):
                self.write(PINGRESP)
            case Ack():
                self._acknowledged(session, packet, now)
            case Subscribe():
                broker.subscribe(self, session, packet)
            case Unsubscribe():
                broker.unsubscribe(self, session, packet)
            case Disconnect():
                self._goodbye(session, packet)
            case Auth():
                raise ProtocolError("no authentication exchange is open", Reason.PROTOCOL_ERROR)
            case _:
                raise ProtocolError(
                    f"a client does not send {type(packet).__name__}", Reason.PROTOCOL_ERROR
                )

    def _acknowledged(self, session: Session, packet: Ack, now: int) -> None:
        kind, packet_id = packet.kind, packet.packet_id
        if kind == Kind.PUBREL:
            self.broker.released(self, session, packet_id)
        elif kind == Kind.PUBREC and packet.reason < Reason.UNSPECIFIED:
            known = session.release(packet_id)
            reason = Reason.SUCCESS if known else Reason.PACKET_ID_NOT_FOUND
            answer = encode_ack(self.version, Kind.PUBREL, packet_id, reason)
            self.broker.journal.then(lambda error: None if error else self.write(answer))
        else:
            self.broker.acknowledged(session, packet, now)

    def _goodbye(self, session: Session, packet: Disconnect) -> None:
        expiry = packet.properties.get(Property.SESSION_EXPIRY)
        if expiry is not None:
            if session.expiry == 0 and expiry:
                raise ProtocolError(
                    "a session without expiry is given one at its end", Reason.PROTOCOL_ERROR
                )
            self.broker.set_expiry(session, expiry)
        self.broker.end(self, "goodbye", has_will=packet.reason != Reason.SUCCESS)

    # -- the end -----------------------------------------------------------------------------

    def fail(self, error: ProtocolError) -> None:
        """The client broke the protocol: it is told why, as far as its version allows."""
        self.broker.counters.malformed += 1
        if self.session is None:
            self.refuse(error.reason, str(error))
        else:
            self.broker.end(self, "refused", error.reason, message=str(error))

    def refuse(self, reason: int, message: str = "") -> None:
        """Answers CONNECT with a CONNACK that says no, and closes."""
        version = self.decoder.version
        if version == 5:
            values: Properties = {}
            if message and self.wants_problems:
                values[Property.REASON_STRING] = message
            self.write(encode(ConnAck(False, reason, values), 5))
        elif reason in V3_CONNACK and (version or reason == Reason.UNSUPPORTED_VERSION):
            self.write(encode(ConnAck(False, V3_CONNACK[reason]), 4))
        self.close()

    def say_goodbye(self, reason: int, message: str = "") -> None:
        """Tells an MQTT 5 client why its connection ends."""
        if self.version == 5:
            values: Properties = {}
            if message and self.wants_problems:
                values[Property.REASON_STRING] = message
            self.write(encode(Disconnect(reason, values), 5))

    def close(self) -> None:
        """No byte is taken in from now on; what is to be sent still is."""
        if not self.is_closing:
            self.is_closing, self.is_plain = True, False
            if not self._out:
                self.broker.dirty.append(self)
                self.broker.wake()
