from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.connect.mqtt import fields
from gemel.connect.mqtt.codec import Decoder, encode, encode_publish
from gemel.connect.mqtt.packets import (
    Ack,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Ping,
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

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
topics = text.map(lambda t: t.replace("+", "p").replace("#", "h") or "t")
ids = st.integers(1, 65_535)
payloads = st.binary(max_size=300)
FORMS = {
    "flag": st.integers(0, 1),
    "u16": st.integers(1, 65_535),
    "u32": st.integers(1, 2**32 - 1),
    "varint": st.integers(1, 268_435_455),
    "text": topics,
    "bytes": st.binary(max_size=20),
    "pair": st.tuples(text, text),
}


def properties(kind: int):
    options = {}
    for number, (form, kinds) in fields.TABLE.items():
        if kind in kinds:
            value = FORMS[form]
            if number == Property.USER or (
                number == Property.SUBSCRIPTION_ID and kind == Kind.PUBLISH
            ):
                value = st.lists(value, min_size=1, max_size=3)
            options[int(number)] = value
    return st.fixed_dictionaries({}, optional=options)


def only_five(version: int, strategy):
    return strategy if version == 5 else st.just({})


@st.composite
def publishes(draw, version: int):
    qos = draw(st.integers(0, 2))
    flags = qos << 1 | draw(st.integers(0, 1)) | (draw(st.sampled_from([0, 8])) if qos else 0)
    values = draw(properties(Kind.PUBLISH)) if version == 5 else {}
    return Publish(flags, draw(topics), draw(ids) if qos else 0, draw(payloads), values or None)


@st.composite
def connects(draw, version: int):
    will = None
    if draw(st.booleans()):
        will = WillMessage(
            draw(topics),
            draw(payloads),
            draw(st.integers(0, 2)),
            draw(st.booleans()),
            draw(only_five(version, properties(fields.WILL))),
        )
    username = draw(st.none() | text)
    password = draw(st.none() | payloads) if username is not None or version == 5 else None
    return Connect(
        draw(text),
        version,
        draw(st.booleans()),
        draw(st.integers(0, 65_535)),
        username,
        password,
        will,
        draw(only_five(version, properties(Kind.CONNECT))),
    )


@st.composite
def acks(draw, version: int):
    kind = draw(st.sampled_from([4, 5, 6, 7]))
    if version == 4:
        return Ack(kind, draw(ids))
    return Ack(kind, draw(ids), draw(st.sampled_from([0, 0x10, 0x92])), draw(properties(kind)))


@st.composite
def subscribing(draw, version: int):
    options = st.sampled_from([0, 1, 2] if version == 4 else [0, 1, 2, 6, 8, 0x10, 0x2E])
    kind = draw(st.sampled_from([8, 9, 10, 11]))
    values = draw(only_five(version, properties(kind)))
    if kind == 8:
        pairs = st.lists(st.tuples(text, options), min_size=1, max_size=4).map(tuple)
        return Subscribe(draw(ids), draw(pairs), values)
    if kind == 9:
        return SubAck(draw(ids), draw(st.binary(min_size=1, max_size=4)), values)
    if kind == 10:
        names = st.lists(text, min_size=1, max_size=4).map(tuple)
        return Unsubscribe(draw(ids), draw(names), values)
    return UnsubAck(draw(ids), draw(st.binary(max_size=4)) if version == 5 else b"", values)


@st.composite
def reasoned(draw, version: int):
    if version == 4:
        return draw(st.sampled_from([Disconnect(), Ping(), Ping(True), ConnAck(True, 0)]))
    kind = draw(st.sampled_from([Disconnect, Auth, Ping]))
    if kind is Ping:
        return Ping(draw(st.booleans()))
    number = Kind.DISCONNECT if kind is Disconnect else Kind.AUTH
    return kind(draw(st.sampled_from([0, 0x18, 0x8E])), draw(properties(number)))


@st.composite
def connacks(draw, version: int):
    values = draw(only_five(version, properties(Kind.CONNACK)))
    return ConnAck(draw(st.booleans()), draw(st.integers(0, 5)), values)


def packets(version: int):
    return st.one_of(
        publishes(version),
        acks(version),
        subscribing(version),
        reasoned(version),
        connacks(version),
        connects(version),
    )


def feed_in_parts(decoder: Decoder, data: bytes, cuts: list[int]) -> list:
    found = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, stop in pairwise(places):
        found += decoder.feed(data[start:stop])
    return found


@pytest.mark.parametrize("version", [4, 5])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_packets_come_back_as_they_were_however_the_stream_is_split(version, data):
    sent = data.draw(st.lists(packets(version), max_size=6))
    cuts = data.draw(st.lists(st.integers(0, 10_000), max_size=12))
    stream = b"".join(encode(packet, version) for packet in sent)
    assert feed_in_parts(Decoder(version), stream, cuts) == sent
    assert Decoder(version).feed(stream) == sent


@pytest.mark.parametrize("version", [4, 5])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_single_byte_split_gives_the_same_packets(version, data):
    sent = data.draw(st.lists(packets(version), min_size=1, max_size=3))
    stream = b"".join(encode(packet, version) for packet in sent)
    decoder = Decoder(version)
    found = [p for place in range(len(stream)) for p in decoder.feed(stream[place : place + 1])]
    assert found == sent
    assert decoder.buffered == 0


def outcome(version: int, parts: list[bytes]) -> tuple[list, str]:
    decoder = Decoder(version)
    found: list = []
    try:
        for part in parts:
            found += decoder.feed(part)
    except ProtocolError as error:
        return found + error.packets, "error"
    return found, "waiting"


@pytest.mark.parametrize("version", [0, 4, 5])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_bytes_raise_nothing_but_protocol_errors(version, data):
    sent = data.draw(st.lists(packets(version or 5), max_size=4))
    stream = bytearray(b"".join(encode(packet, version or 5) for packet in sent))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=5)
    ):
        if stream:
            stream[place % len(stream)] = value
    stream += data.draw(st.binary(max_size=30))
    whole = outcome(version, [bytes(stream)])
    bytewise = outcome(version, [bytes((byte,)) for byte in stream])
    assert whole == bytewise


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([0, 4, 5]))
def test_random_bytes_raise_nothing_but_protocol_errors(data, version):
    whole = outcome(version, [data])
    assert whole == outcome(version, [data[:7], data[7:]])


def test_the_bytes_are_those_of_the_standard():
    connect = Connect("gemel", 4, True, 60, "u", b"p")
    assert encode(connect, 4).hex() == "101700044d51545404c2003c000567656d656c000175000170"
    assert encode_publish(4, "a/b", b"hi", 2, 10).hex() == "32090003612f62000a6869"
    assert encode_publish(5, "a/b", b"hi").hex() == "30080003612f62006869"
    assert encode(Subscribe(1, (("a/#", 1),)), 4).hex() == "820800010003612f2301"
    assert encode(Ack(Kind.PUBREL, 7), 4).hex() == "62020007"
    assert encode(Ack(Kind.PUBACK, 7, Reason.QUOTA_EXCEEDED), 5).hex() == "4003000797"
    assert encode(Ping(), 4) == b"\xc0\x00"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("36050001610001", "QoS 3"),
        ("3206000161000068", "packet identifier 0"),
        ("38030001 61", "DUP and QoS 0"),
        ("300400012378", "wildcard"),
        ("300400010078", "U+0000"),
        ("30040001ff78", "UTF-8"),
        ("30020000", "without a topic"),
        ("3003000961", "beyond its packet"),
        ("31808000", "longer than it must be"),
        ("30ffffffff7f", "longer than four bytes"),
        ("800100", "starts no packet"),
        ("82050001000161", "inside a field"),
        ("8206000100016103", "options"),
        ("82020001", "without filters"),
        ("4003000100", "too many"),
        ("40020000", "packet identifier 0"),
        ("00", ""),
    ],
)
def test_what_breaks_the_protocol_is_named(data, what):
    decoder = Decoder(4)
    if not what:
        assert decoder.feed(bytes.fromhex(data)) == []
        return
    with pytest.raises(ProtocolError) as caught:
        decoder.feed(bytes.fromhex(data))
    assert what in str(caught.value)


def test_a_packet_over_the_limit_is_refused_before_it_is_received():
    decoder = Decoder(4, maximum=100)
    assert len(decoder.feed(encode_publish(4, "t", b"x" * 97))) == 1
    with pytest.raises(ProtocolError) as caught:
        decoder.feed(encode_publish(4, "t", b"x" * 98)[:4])
    assert caught.value.reason == Reason.PACKET_TOO_LARGE


def test_packets_before_the_offence_are_kept():
    good = encode_publish(4, "t", b"1")
    with pytest.raises(ProtocolError) as caught:
        Decoder(4).feed(good + good + b"\x36\x06\x00\x01a\x00\x01x")
    assert [p.payload for p in caught.value.packets] == [b"1", b"1"]


def test_repeated_properties_are_read_once_and_stay_equal():
    decoder = Decoder(5)
    sent = Publish(0, "t", 0, b"1", {Property.CONTENT_TYPE: "application/json"})
    other = Publish(0, "t", 0, b"2", {Property.CONTENT_TYPE: "application/cbor"})
    stream = encode(sent, 5) * 3 + encode(other, 5) + encode(sent, 5)
    assert decoder.feed(stream) == [sent, sent, sent, other, sent]
