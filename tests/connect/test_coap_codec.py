"""CoAP messages as bytes: what is written is read back, and no bytes do harm."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.coap.codec import (
    Block,
    Malformed,
    Packet,
    block_of,
    decode,
    encode,
    number_of,
    uint,
)
from gemel.connect.coap.words import ACK, CON, CONTENT, EMPTY, GET, NON, POST, RST, Option

OPTIONS = st.lists(st.tuples(st.integers(0, 65_535), st.binary(max_size=300)), max_size=20).map(
    lambda found: tuple(sorted(found, key=lambda one: one[0]))
)
CODES = st.sampled_from([GET, POST, CONTENT, 0x80, 0xA3])


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    return Packet(
        draw(st.sampled_from([CON, NON])),
        draw(CODES),
        draw(st.integers(0, 65_535)),
        draw(st.binary(max_size=8)),
        draw(OPTIONS),
        draw(st.binary(max_size=2_000)),
    )


@given(packets())
def test_what_is_written_is_read_back(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_malformed(data: bytes) -> None:
    try:
        packet = decode(data)
    except Malformed:
        return
    assert decode(encode(packet)) == packet


@given(packets(), st.data())
def test_a_message_with_changed_bytes_is_one_or_malformed(
    packet: Packet, data: st.DataObject
) -> None:
    raw = bytearray(encode(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    with contextlib.suppress(Malformed):
        decode(cut)


def test_the_examples_of_the_specification() -> None:
    # RFC 7252, appendix A: GET /temperature and its piggybacked answer
    asked = bytes.fromhex("40017d34bb") + b"temperature"
    assert decode(asked) == Packet(CON, GET, 0x7D34, b"", ((Option.URI_PATH, b"temperature"),))
    answer = bytes.fromhex("60457d34ff") + b"22.3 C"
    assert decode(answer) == Packet(ACK, CONTENT, 0x7D34, b"", (), b"22.3 C")
    assert encode(Packet(RST, EMPTY, 0x7D34)).hex() == "70007d34"


@pytest.mark.parametrize(
    ("raw", "is_foreign"),
    [
        ("", True),
        ("4001", True),
        ("80017d34", True),  # version 2
        ("40007d3400", False),  # empty, with something behind it
        ("41007d34", False),
        ("49017d34010203040506070809", False),  # a token of 9 bytes
        ("42017d3401", False),  # a token cut short
        ("40017d34ff", False),  # a marker without a payload
        ("40017d34f0", False),  # the reserved delta
        ("40017d340f", False),  # the reserved length
        ("40017d34bb61", False),  # a value cut short
        ("40017d34e0ff", False),  # an extended delta cut short
        ("40217d34", False),  # a reserved class
        ("60017d34", False),  # a request that confirms
        ("70457d34", False),  # a reset with a code
    ],
)
def test_what_breaks_the_form_is_malformed(raw: str, is_foreign: bool) -> None:
    with pytest.raises(Malformed) as found:
        decode(bytes.fromhex(raw))
    assert found.value.is_foreign is is_foreign


@given(st.integers(0, 2**32 - 1))
def test_numbers_are_written_without_leading_zeros(value: int) -> None:
    written = uint(value)
    assert number_of(written) == value
    assert not written.startswith(b"\0")


@given(st.integers(0, 2**20 - 1), st.booleans(), st.integers(0, 6))
def test_blocks_are_read_back(at: int, is_more: bool, exponent: int) -> None:
    block = Block(at, is_more, exponent)
    assert block_of(block.value()) == block
    assert block.start == at * block.size


@pytest.mark.parametrize("raw", ["07", "01000000"])
def test_a_block_of_the_reserved_size_or_too_long_is_none(raw: str) -> None:
    with pytest.raises(ValueError, match="block"):
        block_of(bytes.fromhex(raw))
