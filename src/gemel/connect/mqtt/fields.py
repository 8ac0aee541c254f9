"""The fields inside MQTT packets: integers, strings and MQTT 5 properties, read and written."""

from __future__ import annotations

from typing import Any

from gemel.connect.mqtt.packets import Kind, Properties, Property, ProtocolError, Reason

WILL = 0
"""Stands for the properties of a will among the packet kinds."""

_ACKS = {Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP}
_MESSAGE = {Kind.PUBLISH, WILL}
_ANSWERS = {Kind.CONNACK, Kind.SUBACK, Kind.UNSUBACK, Kind.DISCONNECT, Kind.AUTH} | _ACKS
_GREETING = {Kind.CONNECT, Kind.CONNACK}
_EVERY = _ANSWERS | _MESSAGE | {Kind.CONNECT, Kind.SUBSCRIBE, Kind.UNSUBSCRIBE}

TABLE: dict[int, tuple[str, frozenset[int]]] = {
    number: (form, frozenset(kinds))
    for number, form, kinds in (
        (Property.PAYLOAD_FORMAT, "flag", _MESSAGE),
        (Property.MESSAGE_EXPIRY, "u32", _MESSAGE),
        (Property.CONTENT_TYPE, "text", _MESSAGE),
        (Property.RESPONSE_TOPIC, "text", _MESSAGE),
        (Property.CORRELATION_DATA, "bytes", _MESSAGE),
        (Property.SUBSCRIPTION_ID, "varint", {Kind.PUBLISH, Kind.SUBSCRIBE}),
        (Property.SESSION_EXPIRY, "u32", _GREETING | {Kind.DISCONNECT}),
        (Property.ASSIGNED_CLIENT_ID, "text", {Kind.CONNACK}),
        (Property.SERVER_KEEP_ALIVE, "u16", {Kind.CONNACK}),
        (Property.AUTH_METHOD, "text", _GREETING | {Kind.AUTH}),
        (Property.AUTH_DATA, "bytes", _GREETING | {Kind.AUTH}),
        (Property.REQUEST_PROBLEM_INFO, "flag", {Kind.CONNECT}),
        (Property.WILL_DELAY, "u32", {WILL}),
        (Property.REQUEST_RESPONSE_INFO, "flag", {Kind.CONNECT}),
        (Property.RESPONSE_INFO, "text", {Kind.CONNACK}),
        (Property.SERVER_REFERENCE, "text", {Kind.CONNACK, Kind.DISCONNECT}),
        (Property.REASON_STRING, "text", _ANSWERS),
        (Property.RECEIVE_MAXIMUM, "u16", _GREETING),
        (Property.TOPIC_ALIAS_MAXIMUM, "u16", _GREETING),
        (Property.TOPIC_ALIAS, "u16", {Kind.PUBLISH}),
        (Property.MAXIMUM_QOS, "flag", {Kind.CONNACK}),
        (Property.RETAIN_AVAILABLE, "flag", {Kind.CONNACK}),
        (Property.USER, "pair", _EVERY),
        (Property.MAXIMUM_PACKET_SIZE, "u32", _GREETING),
        (Property.WILDCARDS_AVAILABLE, "flag", {Kind.CONNACK}),
        (Property.SUBSCRIPTION_IDS_AVAILABLE, "flag", {Kind.CONNACK}),
        (Property.SHARED_AVAILABLE, "flag", {Kind.CONNACK}),
    )
}
_NOT_ZERO = {
    Property.RECEIVE_MAXIMUM,
    Property.MAXIMUM_PACKET_SIZE,
    Property.SUBSCRIPTION_ID,
    Property.TOPIC_ALIAS,
}


def decode_text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a string is not valid UTF-8") from error
    if "\0" in text:
        raise ProtocolError("a string holds U+0000")
    return text


def decode_topic(raw: bytes) -> str:
    """A topic name of a PUBLISH or will; "" where a topic alias takes its place."""
    text = decode_text(raw)
    if "+" in text or "#" in text:
        raise ProtocolError("a topic name holds a wildcard", Reason.TOPIC_INVALID)
    return text


class Reader:
    """Reads one packet's fields from `data[position:end]` and never beyond."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data = data
        self.position = position
        self.end = end

    def take(self, count: int) -> bytes:
        start = self.position
        stop = start + count
        if stop > self.end:
            raise ProtocolError("a packet ends inside a field")
        self.position = stop
        return self.data[start:stop]

    def rest(self) -> bytes:
        return self.take(self.end - self.position)

    @property
    def left(self) -> int:
        return self.end - self.position

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def binary(self) -> bytes:
        return self.take(self.u16())

    def text(self) -> str:
        return decode_text(self.binary())

    def packet_id(self) -> int:
        value = self.u16()
        if value == 0:
            raise ProtocolError("packet identifier 0", Reason.PROTOCOL_ERROR)
        return value

    def varint(self) -> int:
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                if byte == 0 and shift:
                    raise ProtocolError("an integer is longer than it must be")
                return value
        raise ProtocolError("an integer is longer than four bytes")

    def properties(self, kind: int) -> Properties:
        length = self.varint()
        stop = self.position + length
        if stop > self.end:
            raise ProtocolError("the properties end beyond the packet")
        outer, self.end = self.end, stop
        found: Properties = {}
        while self.position < stop:
            self._property(kind, found)
        self.end = outer
        return found

    def _property(self, kind: int, found: Properties) -> None:
        number = self.varint()
        form, kinds = TABLE.get(number, ("", frozenset()))
        if kind not in kinds:
            raise ProtocolError(f"property {number:#04x} has no place in this packet")
        value = self._value(form)
        if number in _NOT_ZERO and value == 0:
            raise ProtocolError(f"property {number:#04x} is 0", Reason.PROTOCOL_ERROR)
        if number == Property.USER or (number == Property.SUBSCRIPTION_ID and kind == Kind.PUBLISH):
            found.setdefault(number, []).append(value)
        elif number in found:
            raise ProtocolError(f"property {number:#04x} twice", Reason.PROTOCOL_ERROR)
        else:
            found[number] = value

    def _value(self, form: str) -> Any:
        if form == "text":
            return self.text()
        if form == "pair":
            return (self.text(), self.text())
        if form == "u32":
            return self.u32()
        if form == "u16":
            return self.u16()
        if form == "bytes":
            return self.binary()
        if form == "varint":
            return self.varint()
        value = self.u8()
        if value > 1:
            raise ProtocolError("a flag property is neither 0 nor 1", Reason.PROTOCOL_ERROR)
        return value


def varint(value: int) -> bytes:
    if value < 128:
        return value.to_bytes(1, "big")
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def binary(value: bytes) -> bytes:
    if len(value) > 65_535:
        raise ProtocolError(f"a field of {len(value)} bytes; MQTT allows 65,535")
    return len(value).to_bytes(2, "big") + value


def text(value: str) -> bytes:
    return binary(value.encode())


def properties(values: Properties | None) -> bytes:
    """The properties with their length in front."""
    if not values:
        return b"\0"
    parts: list[bytes] = []
    for number, value in values.items():
        form = TABLE[number][0]
        several = value if isinstance(value, list) else (value,)
        for one in several:
            parts.append(number.to_bytes(1, "big"))
            parts.append(_encode(form, one))
    body = b"".join(parts)
    return varint(len(body)) + body


def _encode(form: str, value: Any) -> bytes:
    if form == "text":
        return text(value)
    if form == "pair":
        return text(value[0]) + text(value[1])
    if form == "bytes":
        return binary(value)
    if form == "varint":
        return varint(value)
    width = {"flag": 1, "u16": 2, "u32": 4}[form]
    encoded: bytes = int(value).to_bytes(width, "big")
    return encoded
