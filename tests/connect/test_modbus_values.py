"""What registers mean: types, orders of bytes, bits, scales; and back, as they are written."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.modbus.registers import ORDERS, SIZES, Register
from gemel.connect.modbus.values import Reading, data_for, step_of
from gemel.core.errors import InvalidInput

NUMBERS = ("u16", "i16", "u32", "i32", "u64", "i64")
WORDS = st.integers(0, 0xFFFF)


def register(kind: str, address: int = 0, **more: Any) -> Register:
    said: dict[str, Any] = {
        "name": f"r{address}",
        "device": "",
        "twin": "",
        "unit_id": 1,
        "table": "holding",
        "address": address,
        "type": kind,
        "size": SIZES[kind] or 4,
        "bits": None,
        "order": "ABCD",
        "scale": 1.0,
        "offset": 0.0,
        "unit": "",
        "every": 1.0,
        "is_writable": True,
        **more,
    }
    return Register(**said)


def bytes_of(words: list[int]) -> bytes:
    return struct.pack(f">{len(words)}H", *words)


def plainly(words: list[int], kind: str, order: str) -> Any:
    """The value, bit by bit."""
    if order in ("CDAB", "DCBA"):
        words = words[::-1]
    if order in ("BADC", "DCBA"):
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    whole = 0
    for word in words:
        whole = whole << 16 | word
    bits = 16 * len(words)
    if kind[0] == "i" and whole >> bits - 1:
        whole -= 1 << bits
    if kind == "bool":
        return whole != 0
    if kind[0] != "f":
        return whole
    found = struct.unpack(">f" if bits == 32 else ">d", whole.to_bytes(bits // 8, "big"))[0]
    return found if math.isfinite(found) else None


@given(st.data())
def test_registers_of_all_types_are_read_together(data: st.DataObject) -> None:
    kinds = data.draw(
        st.lists(
            st.tuples(st.sampled_from([*NUMBERS, "f32", "f64", "bool"]), st.sampled_from(ORDERS)),
            min_size=1,
            max_size=12,
        )
    )
    gap = data.draw(st.integers(0, 3))
    first = data.draw(st.integers(0, 60_000))
    found, words, wanted = [], [], []
    for kind, order in kinds:
        own = data.draw(st.lists(WORDS, min_size=SIZES[kind], max_size=SIZES[kind]))
        found.append(register(kind, first + len(words), order=order))
        words += own + [data.draw(WORDS)] * gap
        wanted.append(plainly(own, kind, order))
    values = Reading(found, first).values(bytes_of(words))
    assert values == wanted
    assert [type(one) for one in values] == [type(one) for one in wanted]


@given(st.lists(st.booleans(), min_size=1, max_size=2000), st.data())
def test_bits_are_read_from_the_lowest_of_the_first_byte(
    bits: list[bool], data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, len(bits) - 1), min_size=1, max_size=20))
    packed = bytes(
        sum(bit << place for place, bit in enumerate(bits[start : start + 8]))
        for start in range(0, len(bits), 8)
    )
    found = [register("bool", 7 + place, table="coil") for place in places]
    assert Reading(found, 7).values(packed) == [bits[place] for place in places]


@given(WORDS, st.integers(0, 15), st.integers(0, 15))
def test_bits_of_a_register_are_a_number_or_a_boolean(word: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    [value] = Reading([register("u16", bits=(low, high))], 0).values(bytes_of([word]))
    text = f"{word:016b}"[::-1][low : high + 1][::-1]
    assert value == int(text, 2)
    assert isinstance(value, bool) == (low == high)


@given(st.sampled_from(NUMBERS), st.sampled_from(ORDERS), st.data())
def test_what_is_written_is_read_again(kind: str, order: str, data: st.DataObject) -> None:
    bits = 16 * SIZES[kind]
    low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    value = data.draw(st.integers(low, high))
    one = register(kind, order=order)
    assert Reading([one], 0).values(data_for(one, value)) == [value]
    for beyond in (low - 1, high + 1):
        with pytest.raises(InvalidInput, match="cannot hold"):
            data_for(one, beyond)


@given(st.sampled_from(["f32", "f64"]), st.sampled_from(ORDERS), st.floats(width=32))
def test_fractions_are_written_and_read_again(kind: str, order: str, value: float) -> None:
    one = register(kind, order=order)
    if math.isfinite(value):
        assert Reading([one], 0).values(data_for(one, value)) == [value]
    else:
        with pytest.raises(InvalidInput, match="a number"):
            data_for(one, value)


@given(
    st.sampled_from(NUMBERS[:4]),
    st.sampled_from([0.1, 0.01, 0.5, 2.0, -0.1, 10.0, 0.3]),
    st.sampled_from([0.0, -40.0, 100.0]),
    st.integers(-1000, 1000),
)
def test_what_is_scaled_is_written_within_half_a_step(
    kind: str, scale: float, offset: float, raw: int
) -> None:
    one = register(kind, scale=scale, offset=offset)
    wanted = raw * scale + offset
    if kind[0] == "u" and raw < 0:
        with pytest.raises(InvalidInput, match="it takes"):
            data_for(one, wanted)
        return
    [found] = Reading([one], 0).values(data_for(one, wanted))
    assert abs(found - wanted) < step_of(one)


def test_a_scale_of_a_tenth_divides() -> None:
    one = register("u16", scale=0.1)
    assert Reading([one], 0).values(bytes_of([3])) == [0.3]


def test_a_text_ends_at_its_first_zero() -> None:
    one = register("string", size=4)
    assert Reading([one], 0).values(b"Pump\0\0xy") == ["Pump"]
    assert Reading([register("string", size=4, order="BADC")], 0).values(b"uPpm 7\0\0") == ["Pump7"]
    assert data_for(one, "Pumpe") == b"Pumpe\0\0\0"
    with pytest.raises(InvalidInput, match="8 bytes"):
        data_for(one, "too long a text")


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("u16", 2.5, "a whole number"),
        ("u16", True, "a number"),
        ("u16", "7", "a number"),
        ("u16", -1, "0 to 65535"),
        ("bool", 1, "true or false"),
        ("f32", 1e39, "the range of f32"),
        ("string", 5, "a text"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(kind: str, value: object, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        data_for(register(kind, 40), value)
    assert "unit 1, holding 40" in str(caught.value)
    assert says in str(caught.value)
