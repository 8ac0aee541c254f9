"""What a front keeps and what it passes on, bytes in and steps out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.mqtt.codec import PINGREQ, encode, encode_ack
from gemel.connect.mqtt.lane import Lane, packet_end, plain_scan
from gemel.connect.mqtt.packets import Kind, Property, Publish, Subscribe
from gemel.core import fast
from gemel.core.access import SYSTEM

MINE, OTHER = "devices/p/telemetry", "devices/p/responses/1"
SIZE = 100_000


def lane(*topics: str, version: int = 4, quota: int = 0) -> Lane:
    made = Lane(1, SIZE)
    made.introduce(version == 5, quota, SIZE)
    for topic in topics:
        made.grant(topic.encode())
    return made


def message(identifier: int = 0, topic: str = MINE, version: int = 4, **values) -> bytes:
    flags = 2 if identifier else 0
    flags |= values.pop("flags", 0)
    return encode(Publish(flags, topic, identifier, b"1", values.get("properties")), version)


def puback(*identifiers: int) -> bytes:
    return b"".join(encode_ack(4, Kind.PUBACK, one) for one in identifiers)


def test_nothing_is_kept_before_a_topic_is_granted():
    found = lane().receive(message(1))
    assert [(step.is_kept, step.data) for step in found] == [(False, message(1))]


def test_messages_of_a_granted_topic_are_kept_with_their_acknowledgements():
    data = message(1) + message() + message(7)
    (step,) = lane(MINE).receive(data)
    assert step == (data, True, puback(1, 7), False)


@pytest.mark.parametrize("version", [4, 5])
def test_what_is_not_plain_is_passed_on(version: int):
    retained = message(1, version=version, flags=1)
    second = encode(Publish(4, MINE, 2, b"1", None), version)
    asked = encode(Subscribe(3, (("a", 0),), {}), version)
    for data in (retained, second, asked, PINGREQ):
        (step,) = lane(MINE, version=version).receive(data)
        assert (step.is_kept, step.data) == (False, data)
    if version == 5:
        dated = message(4, version=5, properties={Property.MESSAGE_EXPIRY: 9})
        assert not lane(MINE, version=5).receive(dated)[0].is_kept


def test_a_kept_message_waits_for_the_acknowledgement_of_one_passed_on_before():
    one = lane(MINE)
    steps = one.receive(message(1, "new/topic") + message(2) + message(3))
    assert [step.is_kept for step in steps] == [False]
    assert one.receive(message(4)) == []
    assert one.answered(puback(1))
    (step,) = one.receive(b"")
    assert (step.is_kept, step.acks) == (True, puback(2, 3, 4))


def test_no_more_is_kept_than_the_receive_maximum():
    one = lane(MINE, version=5, quota=2)
    (step,) = one.receive(b"".join(message(i, version=5) for i in (1, 2, 3)))
    assert step.acks == puback(1, 2)
    one.undurable -= 2
    assert one.receive(b"")[0].acks == puback(3)


def test_an_answer_to_a_command_does_not_wait():
    assert lane(MINE).receive(message(1, OTHER))[0].is_urgent
    assert not lane(MINE).receive(message(1, "other"))[0].is_urgent
    assert not lane(MINE).receive(PINGREQ + message(1, "other"))[0].is_urgent


def test_an_answer_waits_where_its_acknowledgement_would_overtake():
    one = lane(MINE)
    one.receive(message(1, "other"))
    assert not one.receive(message(2, OTHER))[0].is_urgent


def test_a_length_that_is_none_and_a_packet_that_is_too_long_go_to_who_judges():
    for data in (b"\x30\xff\xff\xff\xff\x01abc", b"\x30\xff\xff\x7f" + bytes(SIZE + 10)):
        one = lane(MINE)
        assert b"".join(step.data for step in one.receive(data)) == data
        assert not any(step.is_kept for step in one.receive(message(1)))


PACKETS = st.one_of(
    st.builds(
        lambda topic, payload, identifier, flags: encode(
            Publish(flags | 2 * bool(identifier), topic, identifier, payload, None), 4
        ),
        st.sampled_from([MINE, OTHER, "a", "é/b"]),
        st.binary(max_size=200),
        st.integers(0, 65_535),
        st.sampled_from([0, 1]),
    ),
    st.sampled_from([PINGREQ, encode(Subscribe(3, (("a", 0),), {}), 4)]),
)


@given(st.lists(PACKETS, max_size=12), st.lists(st.integers(0, 3_000), max_size=6))
def test_every_byte_goes_one_way_in_order_however_it_is_cut(packets: list[bytes], cuts: list[int]):
    data = b"".join(packets)
    one = lane(MINE, "é/b")
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    steps = []
    for begin, end in pairwise(edges):
        steps += one.receive(data[begin:end])
        if one.unanswered:
            one.answered(puback(*range(1, one.unanswered + 1)))
            steps += one.receive(b"")
    while one.waiting:
        one.answered(puback(*range(1, one.unanswered + 1)))
        steps += one.receive(b"")
    assert b"".join(step.data for step in steps) == data
    for step in steps:
        at = 0
        while at < len(step.data):
            end = packet_end(step.data, at)
            assert end > at, "a packet was cut"
            at = end
        if step.is_kept:
            end, acks = plain_scan(step.data, 0, False, SIZE, one.topics, 1 << 30)
            assert (end, acks) == (len(step.data), step.acks)


@pytest.mark.skipif(not fast.IS_COMPILED, reason="there is nothing to compare with")
@given(
    st.lists(PACKETS, max_size=8).map(b"".join) | st.binary(max_size=60),
    st.integers(0, 6),
    st.booleans(),
    st.integers(4, 300),
)
def test_the_scan_in_python_finds_what_the_compiled_one_finds(data, quota, is_five, most):
    topics = {MINE.encode(): MINE, b"a": "a"}
    end, acks = plain_scan(data, 0, is_five, most, topics, quota)
    found = fast.scan(fast.Messages(), data, 0, is_five, most, topics, quota, SYSTEM, 0)
    assert (end, acks) == (found[0], found[2])
