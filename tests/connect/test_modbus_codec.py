"""Frames of Modbus: however bytes are cut they give the same answers, and only those."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.modbus.codec import (
    Denied,
    Frame,
    Framing,
    Malformed,
    RtuFraming,
    TcpFraming,
    checksum,
    data_of,
    read_request,
    write_request,
)
from gemel.connect.modbus.registers import COIL, DISCRETE, HOLDING, INPUT

NUMBERS = st.integers(0, 0xFFFF)
UNITS = st.integers(0, 255)
REGISTERS = st.binary(min_size=2, max_size=250).map(lambda data: data[: len(data) // 2 * 2])
READS = st.tuples(st.sampled_from([3, 4]), REGISTERS).map(
    lambda found: bytes([found[0], len(found[1])]) + found[1]
)
REFUSALS = st.tuples(st.integers(1, 6), st.integers(1, 11)).map(
    lambda found: bytes([found[0] | 0x80, found[1]])
)
WRITES = st.tuples(st.sampled_from([5, 6, 16]), st.binary(min_size=4, max_size=4)).map(
    lambda found: bytes([found[0]]) + found[1]
)
ANSWERS = st.one_of(READS, REFUSALS, WRITES)


def fed(framing: Framing, data: bytes, cuts: list[int]) -> list[Frame]:
    ends = sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)})
    found: list[Frame] = []
    start = 0
    for end in ends:
        found += framing.feed(data[start:end])
        start = end
    return found


@given(st.lists(st.tuples(NUMBERS, UNITS, ANSWERS), max_size=6), st.lists(NUMBERS, max_size=8))
def test_answers_over_tcp_come_whole_however_they_are_cut(
    said: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(
        struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu for number, unit, pdu in said
    )
    assert fed(TcpFraming(), data, cuts) == [Frame(*one) for one in said]


@given(st.lists(st.tuples(UNITS, ANSWERS), max_size=6), st.lists(NUMBERS, max_size=8))
def test_answers_on_a_line_come_whole_however_they_are_cut(
    said: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    frames = [bytes([unit]) + pdu for unit, pdu in said]
    data = b"".join(frame + checksum(frame) for frame in frames)
    assert fed(RtuFraming(), data, cuts) == [Frame(0, unit, pdu) for unit, pdu in said]


@given(UNITS, ANSWERS, st.data())
def test_a_bit_that_falls_over_on_a_line_is_never_an_answer(
    unit: int, pdu: bytes, data: st.DataObject
) -> None:
    frame = bytes([unit]) + pdu
    sent = bytearray(frame + checksum(frame))
    place = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[place // 8] ^= 1 << place % 8
    try:
        found = RtuFraming().feed(bytes(sent))
    except Malformed:
        return
    assert found == [], "it waits for more, and the time runs out"


def test_the_checksum_is_that_of_the_specification() -> None:
    assert checksum(bytes.fromhex("02 07")) == bytes.fromhex("41 12")
    assert checksum(bytes.fromhex("01 03 00 00 00 0a")) == bytes.fromhex("c5 cd")


@given(st.binary(max_size=300), st.sampled_from([TcpFraming, RtuFraming]))
def test_whatever_comes_is_frames_or_malformed(
    data: bytes, kind: type[TcpFraming] | type[RtuFraming]
) -> None:
    framing = kind()
    try:
        framing.feed(data)
    except Malformed:
        framing.forget()


@given(st.binary(max_size=260), st.sampled_from([COIL, DISCRETE, INPUT, HOLDING]), st.data())
def test_only_an_answer_to_the_request_has_data(
    answer: bytes, table: str, data: st.DataObject
) -> None:
    is_of_bits = table in (COIL, DISCRETE)
    count = data.draw(st.integers(1, 2000 if is_of_bits else 125))
    request = read_request(table, 0, count)
    size = (count + 7) // 8 if is_of_bits else 2 * count
    whole = bytes([request[0], size]) + bytes(size)
    assert data_of(request, whole) == bytes(size)
    is_whole = answer[:2] == whole[:2] and len(answer) == len(whole)
    is_refusal = len(answer) == 2 and answer[0] == request[0] | 0x80
    if is_whole:
        assert data_of(request, answer) == answer[2:]
    else:
        with pytest.raises(Denied if is_refusal else Malformed):
            data_of(request, answer)


def test_what_is_written_is_as_in_the_examples_of_the_specification() -> None:
    assert write_request(COIL, 172, b"\1") == bytes.fromhex("05 00 ac ff 00")
    assert write_request(HOLDING, 1, b"\0\3") == bytes.fromhex("06 00 01 00 03")
    both = write_request(HOLDING, 1, bytes.fromhex("00 0a 01 02"))
    assert both == bytes.fromhex("10 00 01 00 02 04 00 0a 01 02")
    assert write_request(HOLDING, 1, b"\0\3", many=True)[0] == 16
    assert data_of(both, both[:5]) == b""
    with pytest.raises(Malformed):
        data_of(both, bytes.fromhex("10 00 02 00 02"))
    with pytest.raises(Denied, match="illegal data address"):
        data_of(both, bytes([0x90, 2]))
