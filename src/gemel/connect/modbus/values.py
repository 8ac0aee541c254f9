"""What registers mean, both ways: bytes of an answer into values, a value into what is written.

All registers of an answer are read by two calls whatever their types: their bytes are gathered in
the order that `struct` wants, then unpacked at once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gemel.connect.modbus.registers import OF_BITS, SIZES, Register
from gemel.core.errors import InvalidInput

CODES = {
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "i32": "i",
    "u64": "Q",
    "i64": "q",
    "f32": "f",
    "f64": "d",
    "bool": "H",
}
NEAR = 1e-9
"""A part of a value, that rounding may take."""
Change = Callable[[Any], Any]


def order_of(register: Register) -> list[int]:
    """The places of its bytes, from its first, in the order in which they count.

    ABCD: the highest first. CDAB: words the other way round. BADC: bytes of each word. DCBA: both.
    """
    words = [[2 * word, 2 * word + 1] for word in range(register.size)]
    if register.order in ("CDAB", "DCBA") and register.type != "string":
        words.reverse()
    if register.order in ("BADC", "DCBA"):
        words = [[second, first] for first, second in words]
    return [place for word in words for place in word]


class Reading:
    """How the answer of one request is read.

    Args:
        registers: of one table; the first byte of the answer is that of `first`.
    """

    def __init__(self, registers: Sequence[Register], first: int) -> None:
        self._bits: Any = None
        if registers[0].table in OF_BITS:
            self._bits = np.array([one.address - first for one in registers], np.intp)
            return
        places = [2 * (one.address - first) + place for one in registers for place in order_of(one)]
        self._places = np.array(places, np.intp)
        self._unpack = struct.Struct(">" + "".join(_code(one) for one in registers)).unpack
        self._changes = [_change(one) for one in registers]

    def values(self, data: bytes) -> list[Any]:
        """The value of each; None for a number that is none (NaN, infinity).

        Cost: about 5 us, and 0.1 us a value.
        """
        found = np.frombuffer(data, np.uint8)
        if self._bits is not None:
            bits: list[Any] = (
                np.unpackbits(found, bitorder="little")[self._bits].astype(bool).tolist()
            )
            return bits
        raw = self._unpack(found[self._places].tobytes())
        return [
            value if change is None else change(value)
            for value, change in zip(raw, self._changes, strict=True)
        ]


def _code(register: Register) -> str:
    return f"{2 * register.size}s" if register.type == "string" else CODES[register.type]


def _change(register: Register) -> Change | None:
    """What makes the value of what is in the registers; None if it is that."""
    if register.bits is not None:
        low, high = register.bits
        mask = (1 << (high - low + 1)) - 1
        if low == high:
            return lambda raw: bool(raw >> low & 1)
        return lambda raw: raw >> low & mask
    if register.type == "bool":
        return bool
    if register.type == "string":
        return _text
    if register.is_scaled:
        return _scaled(register.scale, register.offset)
    return _finite if register.type in ("f32", "f64") else None


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def _finite(raw: float) -> float | None:
    return raw if math.isfinite(raw) else None


def _scaled(scale: float, offset: float) -> Change:
    """Divides where the scale is a part of one: 3 by 10 is 0.3, which 3 times 0.1 is not."""
    part = round(1 / scale) if abs(scale) <= 1 else 0
    if part and 1 / part == scale:
        return lambda raw: _finite(raw / part + offset)
    return lambda raw: _finite(raw * scale + offset)


# ---- what is written ---------------------------------------------------------------------------


def step_of(register: Register) -> float:
    """How far what is read back may be from what was asked: half of what a register can tell."""
    if register.is_boolean or register.type == "string":
        return 0.0
    if register.type in ("f32", "f64"):
        return 0.0
    return abs(register.scale) / 2 if register.is_scaled else 0.0


def data_for(register: Register, value: Any) -> bytes:
    """What is to be written so that the value is read.

    Raises:
        InvalidInput: it cannot stand there; the message names the rule.
    """
    if register.is_boolean:
        if not isinstance(value, bool):
            raise _wrong(register, value, "true or false")
        if register.table in OF_BITS:
            return bytes([value])
        return struct.pack(">H", value)
    if register.type == "string":
        return _ordered(register, _text_data(register, value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(register, value, "a number")
    raw = (value - register.offset) / register.scale if register.is_scaled else value
    if register.type not in ("f32", "f64"):
        whole = round(raw)
        if not register.is_scaled and abs(whole - raw) > NEAR * max(1.0, abs(raw)):
            raise _wrong(register, value, "a whole number")
        raw = whole
    try:
        packed = struct.pack(">" + CODES[register.type], raw)
    except (struct.error, OverflowError) as error:
        raise _wrong(register, value, _range_words(register)) from error
    return _ordered(register, packed)


def _text_data(register: Register, value: Any) -> bytes:
    room = 2 * register.size
    data = value.encode() if isinstance(value, str) else b""
    if not isinstance(value, str) or len(data) > room or "\0" in value:
        raise _wrong(register, value, f"a text of at most {room} bytes")
    return data.ljust(room, b"\0")


def _ordered(register: Register, packed: bytes) -> bytes:
    data = bytearray(len(packed))
    for byte, place in zip(packed, order_of(register), strict=True):
        data[place] = byte
    return bytes(data)


def _range_words(register: Register) -> str:
    if register.type in ("f32", "f64"):
        return f"a number within the range of {register.type}"
    bits = 16 * SIZES[register.type]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1)
    if register.type[0] == "u":
        low, high = 0, (1 << bits) - 1
    ends = [low * register.scale + register.offset, high * register.scale + register.offset]
    return f"{min(ends):.15g} to {max(ends):.15g}" if register.is_scaled else f"{low} to {high}"


def _wrong(register: Register, value: Any, rule: str) -> InvalidInput:
    return InvalidInput(
        f"{register.place} ({register.name}, {register.type}) cannot hold {str(value)[:80]!r}",
        hint=f"it takes {rule}",
    )
