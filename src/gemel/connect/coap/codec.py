"""CoAP messages as bytes and back (RFC 7252, section 3); no I/O, and nothing but `Malformed`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gemel.connect.coap.words import ACK, EMPTY, RST

MARKER = 0xFF
LONGEST_TOKEN = 8
MOST_OPTIONS = 128
_RESERVED = frozenset({1, 6, 7})
"""Classes of codes that mean nothing."""

Options = tuple[tuple[int, bytes], ...]


class Malformed(Exception):
    """Bytes that are no CoAP message.

    Args:
        rule: which one they break.
        is_foreign: whether they must be passed over in silence, whatever their type (another
            version, or less than a header).
    """

    def __init__(self, rule: str, *, is_foreign: bool = False) -> None:
        super().__init__(rule)
        self.is_foreign = is_foreign


class Packet(NamedTuple):
    kind: int
    """CON, NON, ACK or RST."""
    code: int
    number: int
    """Message ID."""
    token: bytes = b""
    options: Options = ()
    """(number, value) in the order of their numbers."""
    payload: bytes = b""


def decode(data: bytes) -> Packet:
    """Reads one datagram.

    Raises:
        Malformed: names the rule.
    """
    if len(data) < 4 or data[0] >> 6 != 1:
        raise Malformed("no header of CoAP version 1", is_foreign=True)
    first, code = data[0], data[1]
    kind, length = first >> 4 & 3, first & 15
    number = data[2] << 8 | data[3]
    if code == EMPTY:
        if length or len(data) > 4:
            raise Malformed("an empty message has nothing behind its header")
        return Packet(kind, EMPTY, number)
    if length > LONGEST_TOKEN or len(data) < 4 + length:
        raise Malformed("a token of more than 8 bytes, or cut short")
    if code >> 5 in _RESERVED:
        raise Malformed("a code of a reserved class")
    if kind == RST or (kind == ACK and code >> 5 == 0):
        raise Malformed("a request cannot confirm, and a reset is empty")
    options, end = read_options(data, 4 + length)
    return Packet(kind, code, number, data[4 : 4 + length], options, data[end:])


def read_options(data: bytes, start: int) -> tuple[Options, int]:
    """Options from a place on, and where the payload begins.

    Raises:
        Malformed: an option is cut short, or nothing follows the payload marker.
    """
    found: list[tuple[int, bytes]] = []
    number, at, end = 0, start, len(data)
    while at < end:
        first = data[at]
        if first == MARKER:
            if at + 1 == end:
                raise Malformed("a payload marker without a payload")
            return tuple(found), at + 1
        if len(found) >= MOST_OPTIONS:
            raise Malformed(f"more than {MOST_OPTIONS} options")
        delta, at = _extended(data, first >> 4, at + 1)
        size, at = _extended(data, first & 15, at)
        number += delta
        if number > 0xFFFF or at + size > end:
            raise Malformed("an option is cut short, or its number is beyond 65535")
        found.append((number, data[at : at + size]))
        at += size
    return tuple(found), end


def _extended(data: bytes, nibble: int, at: int) -> tuple[int, int]:
    if nibble < 13:
        return nibble, at
    if nibble == 13 and at < len(data):
        return data[at] + 13, at + 1
    if nibble == 14 and at + 1 < len(data):
        return (data[at] << 8 | data[at + 1]) + 269, at + 2
    raise Malformed("an option's header is cut short, or has the reserved value 15")


def encode(packet: Packet) -> bytes:
    """The datagram of a message; options are put in the order of their numbers."""
    kind, code, number, token, options, payload = packet
    parts = [bytes((0x40 | kind << 4 | len(token), code, number >> 8, number & 255)), token]
    before = 0
    for option, value in sorted(options, key=_number):
        high, more = _nibble(option - before)
        low, length = _nibble(len(value))
        parts += (bytes((high << 4 | low,)), more, length, value)
        before = option
    if payload:
        parts += (b"\xff", payload)
    return b"".join(parts)


def _number(option: tuple[int, bytes]) -> int:
    return option[0]


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")


def uint(value: int) -> bytes:
    """A number as an option's value: no leading zeros, 0 is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def number_of(value: bytes) -> int:
    return int.from_bytes(value, "big")


class Block(NamedTuple):
    """One part of a long payload (RFC 7959)."""

    at: int
    """Which one, from 0."""
    is_more: bool
    exponent: int
    """Of the size: 16 << exponent bytes; 7 is reserved."""

    @property
    def size(self) -> int:
        return 16 << self.exponent

    @property
    def start(self) -> int:
        return self.at << (self.exponent + 4)

    def value(self) -> bytes:
        return uint(self.at << 4 | self.is_more << 3 | self.exponent)


def block_of(value: bytes) -> Block:
    """A Block1 or Block2 option.

    Raises:
        ValueError: it is too long, or has the reserved size.
    """
    found = number_of(value)
    if len(value) > 3 or found & 7 == 7:
        raise ValueError("a block option has at most 3 bytes and a size of 16 to 1024")
    return Block(found >> 4, bool(found & 8), found & 7)


def total_options(pairs: Iterable[tuple[int, bytes | None]]) -> Options:
    """Options of those that have a value."""
    return tuple((number, value) for number, value in pairs if value is not None)
