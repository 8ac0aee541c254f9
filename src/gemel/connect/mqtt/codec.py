"""Bytes to MQTT packets and back, without I/O; the path of a PUBLISH is kept extremely short.

`Decoder.feed` takes what a socket gave and returns the whole packets in it. The server and the
client use the same decoder and the same `encode` functions.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from gemel.connect.mqtt import fields
from gemel.connect.mqtt.fields import Reader
from gemel.connect.mqtt.packets import (
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
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    WillMessage,
)

MAXIMUM_LENGTH = 268_435_455
_CACHED_TOPICS = 4_096
_CACHED_PROPERTIES = 256

_make = tuple.__new__


class Decoder:
    """Turns a stream of bytes into packets.

    Args:
        version: 4 or 5; 0 waits for CONNECT and takes the version from it.
        maximum: the longest packet taken, in bytes after the fixed header.
    """

    __slots__ = ("_buffer", "_needed", "_properties", "_topics", "maximum", "version")

    def __init__(self, version: int = 0, maximum: int = MAXIMUM_LENGTH) -> None:
        self.version = version
        self.maximum = maximum
        self._buffer = bytearray()
        self._needed = 0
        self._topics: dict[bytes, str] = {}
        self._properties: dict[bytes, Properties] = {}

    @property
    def buffered(self) -> int:
        """Bytes of a packet that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are whole now.

        Raises:
            ProtocolError: with the packets that stood before the offence in `packets`.

        Cost: about 0.4 us for a PUBLISH without properties.
        """
        data = self.join(data)
        return self.parse(data) if data else []

    def join(self, data: bytes) -> bytes:
        """What waits and this, if it can hold a whole packet; else nothing, and it waits."""
        if not self._buffer:
            return data
        self._buffer += data
        if len(self._buffer) < self._needed:
            return b""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def parse(self, data: bytes) -> list[Packet]:
        """As `feed`, of what `join` gave, from the start of a packet on."""
        packets: list[Packet] = []
        try:
            self._parse(data, packets)
        except ProtocolError as error:
            error.packets = packets
            raise
        except IndexError:
            broken = ProtocolError("a PUBLISH ends inside a field")
            broken.packets = packets
            raise broken from None
        return packets

    def _parse(self, data: bytes, packets: list[Packet]) -> None:  # noqa: C901 - one hot loop
        append = packets.append
        topics = self._topics
        is_five = self.version == 5
        size = len(data)
        position = 0
        while position + 1 < size:
            first = data[position]
            length = data[position + 1]
            start = position + 2
            if length > 127:
                start, length = self._length(data, position, size)
                if start == 0:
                    break
            end = start + length
            if length > self.maximum:
                raise ProtocolError(
                    f"a packet of {length} bytes; the limit is {self.maximum}",
                    Reason.PACKET_TOO_LARGE,
                )
            if end > size:
                self._needed = end - position
                break
            if first & 0xF0 != 0x30 or not self.version:
                append(self._packet(first, data, start, end))
                is_five = self.version == 5
                position = end
                continue
            here = start + 2 + (data[start] << 8 | data[start + 1])
            if here > end:
                raise ProtocolError("a topic ends beyond its packet")
            raw = data[start + 2 : here]
            topic = topics.get(raw)
            if topic is None:
                topic = self._topic(raw)
            packet_id = 0
            if first != 0x30:
                if first & 6:
                    packet_id = data[here] << 8 | data[here + 1]
                    here += 2
                    if packet_id == 0 or first & 6 == 6:
                        raise ProtocolError("a PUBLISH with QoS 3 or packet identifier 0")
                elif first & 8:
                    raise ProtocolError("a PUBLISH with DUP and QoS 0")
            properties = None
            if is_five:
                if data[here]:
                    properties, here = self._publish_properties(data, here, end)
                else:
                    here += 1
            if here > end:
                raise ProtocolError("a PUBLISH ends inside a field")
            if not raw and (properties is None or Property.TOPIC_ALIAS not in properties):
                raise ProtocolError("a PUBLISH without a topic", Reason.PROTOCOL_ERROR)
            append(_make(Publish, (first & 15, topic, packet_id, data[here:end], properties)))
            position = end
        if position < size:
            self._buffer += data[position:] if position else data
            if size - position < 2:
                self._needed = 2

    def _length(self, data: bytes, position: int, size: int) -> tuple[int, int]:
        """Where the body starts and how long it is; (0, 0) when more bytes are needed."""
        length = 0
        for place in range(4):
            at = position + 1 + place
            if at >= size:
                self._needed = size - position + 1
                return 0, 0
            byte = data[at]
            length |= (byte & 127) << 7 * place
            if byte < 128:
                if byte == 0:
                    raise ProtocolError("a packet length is written longer than it must be")
                return at + 1, length
        raise ProtocolError("a packet length is longer than four bytes")

    def _topic(self, raw: bytes) -> str:
        topic = fields.decode_topic(raw)
        if len(self._topics) >= _CACHED_TOPICS:
            self._topics.clear()
        if len(raw) <= 256:
            self._topics[raw] = topic
        return topic

    def _publish_properties(self, data: bytes, position: int, end: int) -> tuple[Properties, int]:
        # Devices send the same properties again and again: short ones are read once.
        short = data[position]
        raw = data[position : position + 1 + short] if short < 64 else b""
        found = self._properties.get(raw) if raw else None
        if found is not None and position + len(raw) <= end:
            return found, position + len(raw)
        reader = Reader(data, position, end)
        found = reader.properties(Kind.PUBLISH)
        response = found.get(Property.RESPONSE_TOPIC, "")
        if "+" in response or "#" in response:
            raise ProtocolError("a response topic holds a wildcard", Reason.PROTOCOL_ERROR)
        if raw:
            if len(self._properties) >= _CACHED_PROPERTIES:
                self._properties.clear()
            self._properties[raw] = found
        return found, reader.position

    def _packet(self, first: int, data: bytes, start: int, end: int) -> Packet:
        kind = first >> 4
        expected = 2 if kind in (Kind.PUBREL, Kind.SUBSCRIBE, Kind.UNSUBSCRIBE) else 0
        if kind == 0 or (kind != Kind.PUBLISH and first & 15 != expected):
            raise ProtocolError(f"the first byte {first:#04x} starts no packet")
        if not self.version and kind != Kind.CONNECT:
            raise ProtocolError("the first packet is not CONNECT", Reason.PROTOCOL_ERROR)
        reader = Reader(data, start, end)
        packet = _READERS[kind](reader, self.version, kind)
        if reader.left:
            raise ProtocolError(f"{reader.left} bytes too many in a packet of kind {kind}")
        if type(packet) is Connect and not self.version:
            self.version = packet.version
        return packet


def topic_at(data: bytes, at: int) -> bytes:
    """The topic of the PUBLISH that stands at a place; b"" where there is none."""
    if data[at : at + 1] not in _PUBLISHES:
        return b""
    at += 1
    while data[at : at + 1] > b"\x7f":
        at += 1
    start = at + 3
    end = start + int.from_bytes(data[at + 1 : start], "big")
    return data[start:end] if end <= len(data) else b""


_PUBLISHES = frozenset(bytes((0x30 | flags,)) for flags in range(16))


def _read_connect(reader: Reader, version: int, kind: int) -> Connect:
    name = reader.binary()
    if name not in (b"MQTT", b"MQIsdp"):
        raise ProtocolError("not MQTT: the protocol name is wrong", Reason.UNSUPPORTED_VERSION)
    level = reader.u8()
    if name != b"MQTT" or level not in (4, 5):
        raise ProtocolError(
            f"MQTT protocol level {level}; 4 (3.1.1) and 5 are spoken here",
            Reason.UNSUPPORTED_VERSION,
        )
    flags = reader.u8()
    will_flags = flags & 0x38
    if flags & 1 or flags & 0x18 == 0x18 or (will_flags and not flags & 4):
        raise ProtocolError("the flags of CONNECT contradict each other")
    if level == 4 and flags & 0x40 and not flags & 0x80:
        raise ProtocolError("a password without a user name")
    keep_alive = reader.u16()
    properties = reader.properties(Kind.CONNECT) if level == 5 else {}
    client_id = reader.text()
    will = None
    if flags & 4:
        will_properties = reader.properties(fields.WILL) if level == 5 else {}
        topic = fields.decode_topic(reader.binary())
        if not topic:
            raise ProtocolError("a will without a topic", Reason.TOPIC_INVALID)
        will = WillMessage(
            topic, reader.binary(), flags >> 3 & 3, bool(flags & 0x20), will_properties
        )
    username = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    return Connect(
        client_id, level, bool(flags & 2), keep_alive, username, password, will, properties
    )


def _read_connack(reader: Reader, version: int, kind: int) -> ConnAck:
    flags = reader.u8()
    if flags > 1:
        raise ProtocolError("reserved flags in CONNACK")
    reason = reader.u8()
    return ConnAck(bool(flags), reason, reader.properties(kind) if version == 5 else {})


def _read_publish(reader: Reader, version: int, kind: int) -> Publish:
    raise ProtocolError("PUBLISH before CONNECT", Reason.PROTOCOL_ERROR)


def _read_ack(reader: Reader, version: int, kind: int) -> Ack:
    packet_id = reader.packet_id()
    if version != 5 or not reader.left:
        return Ack(kind, packet_id)
    reason = reader.u8()
    return Ack(kind, packet_id, reason, reader.properties(kind) if reader.left else {})


def _read_subscribe(reader: Reader, version: int, kind: int) -> Subscribe:
    packet_id = reader.packet_id()
    properties = reader.properties(kind) if version == 5 else {}
    filters = []
    while reader.left:
        topic_filter, options = reader.text(), reader.u8()
        allowed = 0x3F if version == 5 else 3
        if options & 3 == 3 or options & ~allowed or options & 0x30 == 0x30:
            raise ProtocolError("impossible subscription options")
        filters.append((topic_filter, options))
    if not filters:
        raise ProtocolError("a SUBSCRIBE without filters", Reason.PROTOCOL_ERROR)
    return Subscribe(packet_id, tuple(filters), properties)


def _read_suback(reader: Reader, version: int, kind: int) -> SubAck:
    packet_id = reader.packet_id()
    properties = reader.properties(kind) if version == 5 else {}
    return SubAck(packet_id, reader.rest(), properties)


def _read_unsubscribe(reader: Reader, version: int, kind: int) -> Unsubscribe:
    packet_id = reader.packet_id()
    properties = reader.properties(kind) if version == 5 else {}
    filters = []
    while reader.left:
        filters.append(reader.text())
    if not filters:
        raise ProtocolError("an UNSUBSCRIBE without filters", Reason.PROTOCOL_ERROR)
    return Unsubscribe(packet_id, tuple(filters), properties)


def _read_unsuback(reader: Reader, version: int, kind: int) -> UnsubAck:
    packet_id = reader.packet_id()
    properties = reader.properties(kind) if version == 5 else {}
    return UnsubAck(packet_id, reader.rest(), properties)


def _read_ping(reader: Reader, version: int, kind: int) -> Ping:
    return Ping(kind == Kind.PINGRESP)


def _read_disconnect(reader: Reader, version: int, kind: int) -> Disconnect:
    if version != 5 or not reader.left:
        return Disconnect()
    reason = reader.u8()
    return Disconnect(reason, reader.properties(kind) if reader.left else {})


def _read_auth(reader: Reader, version: int, kind: int) -> Auth:
    if version != 5:
        raise ProtocolError("AUTH is a packet of MQTT 5")
    if not reader.left:
        return Auth()
    reason = reader.u8()
    return Auth(reason, reader.properties(kind) if reader.left else {})


_READERS: dict[int, Callable[[Reader, int, int], Packet]] = {
    Kind.CONNECT: _read_connect,
    Kind.CONNACK: _read_connack,
    Kind.PUBLISH: _read_publish,
    Kind.PUBACK: _read_ack,
    Kind.PUBREC: _read_ack,
    Kind.PUBREL: _read_ack,
    Kind.PUBCOMP: _read_ack,
    Kind.SUBSCRIBE: _read_subscribe,
    Kind.SUBACK: _read_suback,
    Kind.UNSUBSCRIBE: _read_unsubscribe,
    Kind.UNSUBACK: _read_unsuback,
    Kind.PINGREQ: _read_ping,
    Kind.PINGRESP: _read_ping,
    Kind.DISCONNECT: _read_disconnect,
    Kind.AUTH: _read_auth,
}

PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
_short_ack = Struct(">BBH").pack


def frame(first: int, body: bytes) -> bytes:
    if len(body) > MAXIMUM_LENGTH:
        raise ProtocolError(f"a packet of {len(body)} bytes", Reason.PACKET_TOO_LARGE)
    return first.to_bytes(1, "big") + fields.varint(len(body)) + body


def encode_publish(
    version: int,
    topic: str,
    payload: bytes,
    flags: int = 0,
    packet_id: int = 0,
    properties: Properties | None = None,
) -> bytes:
    head = fields.text(topic)
    if flags & 6:
        head += packet_id.to_bytes(2, "big")
    if version == 5:
        head += fields.properties(properties)
    length = len(head) + len(payload)
    if length > MAXIMUM_LENGTH:
        raise ProtocolError(f"a packet of {length} bytes", Reason.PACKET_TOO_LARGE)
    return b"".join(((0x30 | flags).to_bytes(1, "big"), fields.varint(length), head, payload))


def encode_ack(
    version: int, kind: int, packet_id: int, reason: int = 0, values: Properties | None = None
) -> bytes:
    first = kind << 4 | (2 if kind == Kind.PUBREL else 0)
    if version != 5 or (reason == 0 and not values):
        return _short_ack(first, 2, packet_id)
    body = packet_id.to_bytes(2, "big") + reason.to_bytes(1, "big")
    return frame(first, body + fields.properties(values) if values else body)


def encode_connect(packet: Connect) -> bytes:
    will = packet.will
    flags = 2 if packet.clean else 0
    if will:
        flags |= 4 | will.qos << 3 | (0x20 if will.retain else 0)
    flags |= 0x80 if packet.username is not None else 0
    flags |= 0x40 if packet.password is not None else 0
    is_five = packet.version == 5
    parts = [b"\x00\x04MQTT", bytes((packet.version, flags)), packet.keep_alive.to_bytes(2, "big")]
    if is_five:
        parts.append(fields.properties(packet.properties))
    parts.append(fields.text(packet.client_id))
    if will:
        if is_five:
            parts.append(fields.properties(will.properties))
        parts += (fields.text(will.topic), fields.binary(will.payload))
    if packet.username is not None:
        parts.append(fields.text(packet.username))
    if packet.password is not None:
        parts.append(fields.binary(packet.password))
    return frame(0x10, b"".join(parts))


def encode(packet: Packet, version: int) -> bytes:
    """The bytes of any packet."""
    match packet:
        case Publish(flags, topic, packet_id, payload, properties):
            return encode_publish(version, topic, payload, flags, packet_id, properties)
        case Ack(kind, packet_id, reason, values):
            return encode_ack(version, kind, packet_id, reason, values)
        case Connect():
            return encode_connect(packet)
        case Ping(is_response):
            return PINGRESP if is_response else PINGREQ
        case Disconnect(reason, values):
            return _encode_reasoned(0xE0, version, reason, values)
        case Auth(reason, values):
            return _encode_reasoned(0xF0, version, reason, values)
        case ConnAck(session_present, reason, values):
            body = bytes((session_present, reason))
            return frame(0x20, body + fields.properties(values) if version == 5 else body)
    return _encode_subscribing(packet, version)


def _encode_subscribing(packet: Subscribe | SubAck | Unsubscribe | UnsubAck, version: int) -> bytes:
    head = packet.packet_id.to_bytes(2, "big")
    if version == 5:
        head += fields.properties(packet.properties)
    match packet:
        case Subscribe():
            pairs = [fields.text(name) + bytes((options,)) for name, options in packet.filters]
            return frame(0x82, head + b"".join(pairs))
        case SubAck():
            return frame(0x90, head + packet.reasons)
        case Unsubscribe():
            return frame(0xA2, head + b"".join(map(fields.text, packet.filters)))
        case UnsubAck():
            return frame(0xB0, head + packet.reasons)


def _encode_reasoned(first: int, version: int, reason: int, values: Properties) -> bytes:
    if version != 5 or (reason == 0 and not values):
        return frame(first, b"")
    body = reason.to_bytes(1, "big")
    return frame(first, body + fields.properties(values) if values else body)
