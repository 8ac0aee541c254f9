"""One connection against the other end of a socket pair."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.mqtt.codec import Decoder
from gemel.load.frames import Frames
from gemel.load.link import Link
from gemel.load.plan import Plan

PLAN = Plan(1, 1, 2, 1_763_799_000_000_000, 1_000)


def puback(number: int) -> bytes:
    return b"\x40\x02" + (number % 65_535 + 1).to_bytes(2, "big")


def linked(first: int = 0) -> tuple[Link, socket.socket]:
    link = Link(0, Frames(PLAN, "{device}", 1), 16, 1)
    link.socket, other = socket.socketpair()
    link.socket.setblocking(False)
    link.sent = link.acknowledged = first
    return link, other


@pytest.fixture
def pair() -> Iterator[tuple[Link, socket.socket]]:
    link, other = linked()
    yield link, other
    link.close()
    other.close()


@given(order=st.permutations(range(12)), first=st.sampled_from((0, 65_530)), cut=st.integers(1, 7))
def test_acknowledgements_in_any_order_and_torn_count_once(
    order: list[int], first: int, cut: int
) -> None:
    link, other = linked(first)
    link.sent = first + 12
    data = b"".join(puback(first + number) for number in order)
    counted = 0
    for at in range(0, len(data), cut):
        other.sendall(data[at : at + cut])
        counted += link.read()
        whole = {first + number for number in order[: (at + cut) // 4]}
        missing = [n for n in range(first, first + 12) if n not in whole]
        assert link.acknowledged == (missing[0] if missing else first + 12)
    assert counted == 12
    assert not link.early
    link.close()
    other.close()


def test_messages_are_sent_in_order_and_go_on_where_they_stopped(
    pair: tuple[Link, socket.socket],
) -> None:
    link, other = pair
    assert link.send(10, False)
    assert link.send(40, True)
    packets = Decoder(4).feed(other.recv(1 << 20))
    assert [packet.packet_id for packet in packets] == list(range(1, 41))  # type: ignore[union-attr]


def test_a_full_socket_keeps_the_rest(pair: tuple[Link, socket.socket]) -> None:
    link, other = pair
    other.settimeout(60)
    decoder, got = Decoder(4), 0
    while not link.send(20_000, False):
        got += len(decoder.feed(other.recv(1 << 20)))
    while got < 20_000:
        got += len(decoder.feed(other.recv(1 << 20)))
    assert got == link.sent == 20_000


def test_what_is_no_acknowledgement_ends_the_connection(
    pair: tuple[Link, socket.socket],
) -> None:
    link, other = pair
    other.sendall(b"\x90\x03\x00\x01")
    with pytest.raises(ConnectionResetError, match="no PUBACK"):
        link.read()
    other.close()
    with pytest.raises(OSError, match="closed the connection"):
        link.read()
