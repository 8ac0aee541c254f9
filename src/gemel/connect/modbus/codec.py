"""Frames of Modbus, without I/O: requests into bytes, bytes into answers.

Source: MODBUS Application Protocol 1.1b3, chapters 4 to 7; Messaging on TCP/IP 1.0b, 3.1.3;
Serial Line 1.02, 2.5.1 (RTU framing) and 6.2 (CRC).
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

from gemel.connect.modbus.registers import COIL, DISCRETE, HOLDING, INPUT, OF_BITS

READ = {COIL: 1, DISCRETE: 2, HOLDING: 3, INPUT: 4}
"""The function that reads a table."""
WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS = 5, 6, 16
REFUSED = 0x80
"""Is added to the function in the answer that refuses it."""
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, FAILURE = 1, 2, 3, 4
ACKNOWLEDGED, BUSY = 5, 6
NO_PATH, NO_TARGET = 10, 11
WORDS = {
    ILLEGAL_FUNCTION: "the device has no such function (illegal function, 1)",
    ILLEGAL_ADDRESS: "the device has no such address (illegal data address, 2)",
    ILLEGAL_VALUE: "the device does not take it (illegal data value, 3)",
    FAILURE: "the device failed (server device failure, 4)",
    ACKNOWLEDGED: "the device is still at work on it (acknowledge, 5)",
    BUSY: "the device is busy (server device busy, 6)",
    8: "the memory of the device is damaged (memory parity error, 8)",
    NO_PATH: "the gateway has no way to it (gateway path unavailable, 10)",
    NO_TARGET: "it does not answer the gateway (gateway target failed to respond, 11)",
}
LARGEST_PDU = 253
_HEADER = struct.Struct(">HHHB")
_READ = struct.Struct(">BHH")


class Malformed(Exception):
    """What came is no answer to what was asked: the bytes that follow mean nothing any more."""


class Denied(Exception):
    """The device answers that it does not do it."""

    def __init__(self, code: int) -> None:
        super().__init__(WORDS.get(code, f"the device refuses it (exception {code})"))
        self.code = code


class Frame(NamedTuple):
    number: int
    """Of the request that it answers; 0 where frames have none."""
    unit_id: int
    pdu: bytes


def read_request(table: str, first: int, count: int) -> bytes:
    return _READ.pack(READ[table], first, count)


def write_request(table: str, address: int, data: bytes, *, many: bool = False) -> bytes:
    """Asks to write one coil, or registers.

    Args:
        data: of a coil, one byte that is 0 or not; of registers, as they are sent.
        many: whether one register too is written by the function for many.
    """
    if table == COIL:
        return _READ.pack(WRITE_COIL, address, 0xFF00 if data[0] else 0)
    count = len(data) // 2
    if count == 1 and not many:
        return struct.pack(">BH", WRITE_REGISTER, address) + data
    return struct.pack(">BHHB", WRITE_REGISTERS, address, count, len(data)) + data


def data_of(request: bytes, answer: bytes) -> bytes:
    """What an answer brings; nothing of one to a write.

    Raises:
        Denied: the device refuses.
        Malformed: it is not the answer to this request.
    """
    if len(answer) == 2 and answer[0] == request[0] | REFUSED:
        raise Denied(answer[1])
    if not answer or answer[0] != request[0]:
        raise Malformed("it answers another function")
    if request[0] > READ[INPUT]:
        if answer[:5] != request[:5] or len(answer) != 5:
            raise Malformed("it has written something else")
        return b""
    function, _, count = _READ.unpack(request)
    is_of_bits = function in (READ[table] for table in OF_BITS)
    size = (count + 7) // 8 if is_of_bits else 2 * count
    if len(answer) != 2 + size or answer[1] != size:
        raise Malformed(f"it answers {len(answer) - 2} bytes in place of {size}")
    return answer[2:]


class Framing(Protocol):
    """How requests and answers are told apart on the way."""

    def encode(self, number: int, unit_id: int, pdu: bytes) -> bytes: ...

    def feed(self, data: bytes) -> list[Frame]:
        """The answers that are whole now.

        Raises:
            Malformed: it is none.
        """
        ...

    def forget(self) -> None:
        """What came of an answer that is not whole is left out."""
        ...


class TcpFraming:
    """A header with a number, by which answers find their requests."""

    def __init__(self) -> None:
        self._held = b""

    def encode(self, number: int, unit_id: int, pdu: bytes) -> bytes:
        return _HEADER.pack(number, 0, len(pdu) + 1, unit_id) + pdu

    def feed(self, data: bytes) -> list[Frame]:
        held = self._held + data
        found: list[Frame] = []
        at = 0
        while len(held) - at >= _HEADER.size:
            number, protocol, length, unit_id = _HEADER.unpack_from(held, at)
            if protocol != 0 or not 2 < length <= LARGEST_PDU + 1:
                raise Malformed("what it sends is no Modbus/TCP")
            end = at + 6 + length
            if len(held) < end:
                break
            found.append(Frame(number, unit_id, held[at + _HEADER.size : end]))
            at = end
        self._held = held[at:]
        return found

    def forget(self) -> None:
        pass  # its rest comes, with the number of what nobody waits for


class RtuFraming:
    """The frames of serial lines, on one or through a gateway: no number, a checksum."""

    def __init__(self) -> None:
        self._held = b""

    def encode(self, number: int, unit_id: int, pdu: bytes) -> bytes:
        frame = bytes([unit_id]) + pdu
        return frame + checksum(frame)

    def feed(self, data: bytes) -> list[Frame]:
        self._held += data
        found: list[Frame] = []
        while size := _rtu_size(self._held):
            frame, rest = self._held[:size], self._held[size:]
            if len(frame) < size:
                break
            if checksum(frame[:-2]) != frame[-2:]:
                raise Malformed("the checksum of an answer is wrong: the line is disturbed")
            found.append(Frame(0, frame[0], frame[1:-2]))
            self._held = rest
        return found

    def forget(self) -> None:
        self._held = b""


def _rtu_size(held: bytes) -> int:
    """Bytes of the answer that begins; 0 while that cannot be told."""
    if len(held) < 3:
        return 0
    function = held[1]
    if function & REFUSED:
        return 5
    if function <= READ[INPUT]:
        return 5 + held[2]
    if function in (WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS):
        return 8
    raise Malformed(f"it answers function {function}, which nobody asked for")


def _crc_table() -> list[int]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        found.append(value)
    return found


_CRC = _crc_table()


def checksum(data: bytes) -> bytes:
    """CRC-16 of a frame, as it is sent.

    Cost: about 0.06 us a byte.
    """
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")
