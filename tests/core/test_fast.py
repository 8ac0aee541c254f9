"""What is compiled gives what its twin in Python gives, bit by bit, or leaves it alone."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.payloads import LIMIT, NOW, TOPICS, WHO, Maker, columns_of, routes
from gemel.connect.mqtt.codec import Decoder, encode_publish
from gemel.connect.mqtt.packets import ProtocolError, Publish
from gemel.core import fast
from gemel.core.access import Principal
from gemel.core.message import Message
from gemel.ingest.columns import Columns
from gemel.ingest.decode import decode_here

compiled = pytest.mark.skipif(not fast.IS_COMPILED, reason="the C fast path is not compiled here")
ROUTES, KEEP = routes()


def taken_by_both(messages: list[Message]) -> tuple[int, Columns]:
    """How many the compiled path takes; Python alone must take them too, with the same result."""
    columns, seen = Columns(), {}
    arrays = (columns.slots, columns.times, columns.values)
    count = fast.decode(messages, 0, ROUTES, *arrays, LIMIT, seen)
    other, other_seen = Columns(), {}
    assert decode_here(messages[:count], 0, ROUTES, other, LIMIT, other_seen) == count
    assert columns_of(columns) == columns_of(other)
    assert seen == other_seen
    return count, columns


def one(payload: bytes, topic: str = TOPICS[0]) -> bool:
    return taken_by_both([Message(topic, payload, NOW, WHO)])[0] == 1


@compiled
@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPICS[0], b'{"a":1.5,"b":3,"c":true,"d":255,"e":-7}'),
        (TOPICS[0], b' { "ts" : 1763799999000 , "a" : 12.4 } \n'),
        (TOPICS[0], b'{"a":1,"time":"2025-11-22T08:26:39.5Z"}'),
        (TOPICS[0], b'{"ts":1763799999.25,"s00":1}'),
        (TOPICS[0], '{"températ":-0.0}'.encode()),
        (TOPICS[0], b'{"ts":1763799999000,"values":{"a":1,"s00":2}}'),
        (TOPICS[0], b'{"time":[1763799999000,1763799999001],"a":[1,2.5],"s00":[3,4]}'),
        (TOPICS[0], b'{"id":"x","r":[["a",1763799999000,1],["s01",1763799999001,2.5]]}'),
        (TOPICS[0], b'[{"ts":1763799999000,"a":1},{"a":2}]'),
        (TOPICS[1], b'{"g":true,"n":5}'),
        (TOPICS[1], b'{"g":2.5}'),
        (TOPICS[2], b" 12.5 "),
        (TOPICS[4], b"true"),
        (TOPICS[5], b'{"when":1763799999,"x":5}'),
    ],
)
def test_common_forms_are_taken(topic: str, payload: bytes) -> None:
    assert one(payload, topic)


@compiled
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"{",
        b'{"a":1',
        b'{"a":01}',
        b'{"a":1}x',
        b'{"a":1,}',
        b'{"a":1,"a":2}',
        b'{"\\u0061":1}',
        b'{"a":"1"}',
        b'{"a":null}',
        b'{"a":1e400}',
        b'{"a":9007199254740993}',
        b'{"b":1.0}',
        b'{"d":256}',
        b'{"c":1}',
        b'{"a":true}',
        b'{"f":"text"}',
        b'{"other":1}',
        b'{"t":25.3,"a":1}',
        b'{"ts":1,"time":2,"a":1}',
        b'{"ts":9999999999999,"a":1}',
        b'[{"n":1}]',
        b'{"ts":1763799999000,"values":{"a":1,"t":1763799999}}',
        b'{"time":[1763799999000],"a":[1,2]}',
        b'{"time":[1763799999,1763799999000],"a":[1,2]}',
        b'{"a":1}\x00',
        b'{"a":1.}',
        b'{"a":-}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_odd_is_left_to_python(payload: bytes) -> None:
    assert not one(payload)


@compiled
@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**63))
def test_made_payloads_give_the_same_columns(seed: int) -> None:
    rng = random.Random(seed)
    maker = Maker(rng)
    messages = [Message(rng.choice(TOPICS), maker.payload(), NOW + i, WHO) for i in range(8)]
    start = 0
    while start < len(messages):  # what one call leaves, the next begins behind
        start += taken_by_both(messages[start:])[0] + 1


@compiled
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_give_the_same_columns(payload: bytes) -> None:
    for topic in TOPICS[:3]:
        one(payload, topic)


@compiled
@settings(max_examples=500, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["r", "g", "e", "f"]))
@example(5e-324, "r")
@example(2.2250738585072014e-308, "r")
@example(9007199254740993.0, "r")
def test_numbers_are_rounded_as_python_rounds_them(number: float, form: str) -> None:
    text = repr(number) if form == "r" else f"{number:.17{form}}"
    one(b'{"a":' + text.encode() + b"}")


@compiled
@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**19), st.integers(0, 24), st.integers(-30, 30))
def test_decimals_are_rounded_as_python_rounds_them(digits: int, places: int, power: int) -> None:
    text = f"{digits:0{places + 1}d}"
    text = f"{text[: len(text) - places]}.{text[len(text) - places :] or '0'}"
    for tail in ("", f"e{power}"):
        one(b'{"a":' + text.encode() + tail.encode() + b"}")


@compiled
def test_halfway_cases_are_rounded_to_even() -> None:
    rng = random.Random(7)
    for _ in range(3000):
        bits = rng.getrandbits(52)
        low = struct.unpack("<d", struct.pack("<Q", 1023 + rng.randrange(-30, 30) << 52 | bits))[0]
        middle = f"{(low + (np.nextafter(low, 1e9) - low) / 2):.19f}"
        one(b'{"a":' + middle.encode() + b"}")
        one(b'{"a":' + middle[: rng.randrange(18, 22)].encode() + b"}")


ROW = b'["a",1763799999000,0.1234567890123456789]'
LONG = {
    "rows": b'{"r":[' + b",".join([ROW] * 2_000) + b"]}",
    "objects": b"[" + b",".join([b'{"ts":1763799999000,"a":1.5,"s00":-2}'] * 2_000) + b"]",
    "columns": b'{"ts":['
    + b",".join([b"1763799999000"] * 8_000)
    + b'],"a":['
    + b",".join([b"72.10000000000001"] * 8_000)
    + b"]}",
    "space": b" " * 70_000 + b'{"a":1}',
}


@compiled
@pytest.mark.parametrize("form", LONG)
def test_long_payloads_give_the_same_columns(form: str) -> None:
    short = Message(TOPICS[0], b'{"b":3}', NOW + 1, WHO)
    messages = [short, Message(TOPICS[0], LONG[form], NOW, WHO), short]
    assert taken_by_both(messages)[0] == 3
    broken = Message(TOPICS[0], LONG[form][:-1], NOW, WHO)
    assert taken_by_both([short, broken])[0] == 1


@compiled
def test_other_threads_run_while_a_long_payload_is_read() -> None:
    long = Message(TOPICS[0], b'{"r":[' + b",".join([ROW] * 50_000) + b"]}", NOW, WHO)
    short = Message(TOPICS[0], b'{"b":3}', NOW, WHO)
    gate, found = threading.Lock(), []

    def take(message: Message) -> int:
        columns = Columns()
        arrays = (columns.slots, columns.times, columns.values)
        return fast.decode([message], 0, ROUTES, *arrays, LIMIT, {})

    def meanwhile() -> None:
        with gate:
            try:
                ROUTES[TOPICS[0]].table.add("new", 0, fast.WHOLE, 0, 1)
            except RuntimeError as error:
                found.append(str(error))
            found.append(take(short))

    thread = threading.Thread(target=meanwhile)
    before = sys.getswitchinterval()
    try:
        with gate:
            thread.start()
            sys.setswitchinterval(1e6)  # nobody is made to give way
        rounds = 0
        while not found and rounds < 1_000:
            assert take(long) == 1
            rounds += 1
        seen = list(found)
    finally:
        sys.setswitchinterval(before)
        thread.join()
    assert seen == ["names are added while a payload is read", 0]


@compiled
def test_another_sender_or_media_type_ends_what_is_taken() -> None:
    stranger = Principal("x", "device", ("pump",))
    good = Message(TOPICS[0], b'{"a":1}', NOW, WHO)
    for odd in (
        good._replace(who=stranger),
        good._replace(content_type="application/cbor"),
        good._replace(topic="devices/nobody/telemetry"),
    ):
        assert taken_by_both([good, odd, good])[0] == 1
    assert taken_by_both([good._replace(content_type="application/json"), good])[0] == 2


@compiled
def test_many_names_are_left_to_python() -> None:
    assert not one(b"{" + b",".join(b'"s00":1' for _ in range(10_001)) + b"}")


# ---- packets -------------------------------------------------------------------------------------

TOPIC_NAMES = {b"t": "t", b"devices/pump/telemetry": "devices/pump/telemetry", "é".encode(): "é"}


def scanned(
    data: bytes, version: int, start: int = 0, maximum: int = 1 << 28, quota: int = 1 << 62
) -> tuple[int, list[Publish], bytes]:
    messages = fast.Messages()
    at, count, acks = fast.scan(
        messages, data, start, version == 5, maximum, TOPIC_NAMES, quota, WHO, NOW
    )
    assert count == len(messages)
    packets = [Publish(*messages.packet(i)) for i in range(count)]
    for packet, message in zip(packets, messages, strict=True):
        assert message == Message(packet.topic, packet.payload, NOW, WHO, "")
    return at, packets, acks


def check_scan(data: bytes, version: int) -> int:
    """What was scanned is what the decoder reads, and its acknowledgements follow."""
    at, packets, acks = scanned(data, version)
    assert Decoder(version).feed(data[:at]) == packets
    wanted = b"".join(b"\x40\x02" + p.packet_id.to_bytes(2, "big") for p in packets if p.flags & 2)
    assert acks == wanted
    return at


@compiled
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**63), st.sampled_from([4, 5]))
def test_scanned_packets_are_those_of_the_decoder(seed: int, version: int) -> None:
    rng = random.Random(seed)
    data = bytearray()
    for _ in range(rng.randrange(1, 8)):
        flags = rng.choice((0, 0, 2, 2, 2, 10, 1, 4))
        topic = rng.choice(("t", "t", "devices/pump/telemetry", "é", "unknown"))
        payload = rng.randbytes(rng.choice((0, 1, 20, 130, 20_000)))
        data += encode_publish(version, topic, payload, flags, rng.randrange(1, 65_536))
    if rng.random() < 0.5:
        Maker(rng).damage(data)
    try:
        check_scan(bytes(data), version)
    except ProtocolError as error:  # only what stands behind the scanned packets may offend
        raise AssertionError("an offence was scanned") from error


@compiled
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([4, 5]))
def test_random_bytes_are_scanned_as_the_decoder_reads_them(data: bytes, version: int) -> None:
    check_scan(b"\x32\x06\x00\x01t\x00\x01x" * (version == 4) + data, version)


@compiled
def test_limits_of_a_scan_are_kept() -> None:
    plain = encode_publish(4, "t", b"x", 2, 7)
    assert scanned(plain * 5, 4, quota=3)[0] == 3 * len(plain)
    assert scanned(plain, 4, maximum=len(plain) - 3)[0] == 0
    assert scanned(plain, 4, maximum=len(plain) - 2)[0] == len(plain)
    assert scanned(b"zz" + plain, 4, start=2)[0] == len(plain) + 2
    for cut in range(len(plain)):
        assert scanned(plain[:cut], 4)[0] == 0
    with pytest.raises(ValueError, match="outside"):
        scanned(plain, 4, start=99)


@compiled
def test_scanned_messages_are_decoded_as_plain_ones() -> None:
    topic = TOPICS[0]
    messages = fast.Messages()
    data = b"".join(encode_publish(4, topic, b'{"a":%d}' % i, 2, i + 1) for i in range(5))
    fast.scan(messages, data, 0, False, 1 << 28, {topic.encode(): topic}, 99, WHO, NOW)
    messages.append(Message(topic, b'{"a":9}', NOW, WHO))
    columns, seen = Columns(), {}
    arrays = (columns.slots, columns.times, columns.values)
    assert fast.decode(messages, 1, ROUTES, *arrays, LIMIT, seen) == 6
    assert columns.values.tolist() == [1, 2, 3, 4, 9]
    assert seen == {"pump": NOW}
    with pytest.raises(IndexError):
        messages.packet(5)
    with pytest.raises(TypeError):
        messages.append("no message")
    assert [m.payload for m in messages] == [b'{"a":%d}' % i for i in (0, 1, 2, 3, 4, 9)]


# ---- columns -------------------------------------------------------------------------------------

rows = st.lists(
    st.tuples(st.integers(-2, 6), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=40
)


@given(rows)
def test_repeated_rows_are_marked(found: list[tuple[int, int, int]]) -> None:
    series, time, bits = (
        np.array(c, k) for c, k in zip(zip(*found, strict=True), "iqq", strict=True)
    )
    known = np.zeros(len(found), np.uint8)
    count = fast.mark_repeated(series, time, bits, known)
    assert known.tolist() == [int(row in found[:i]) for i, row in enumerate(found)]
    assert count == known.sum()


@compiled
def test_columns_that_do_not_belong_together_are_refused() -> None:
    from gemel.core import _fast

    long, short = np.zeros(4, np.int64), np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="belong together"):
        _fast.mark_repeated(long, long, long, np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="contiguous"):
        _fast.mark_repeated(long[::2].view("i4")[::2], short[:2], short[:2], short[:2])
    with pytest.raises(ValueError, match="belong together"):
        _fast.judge((long, long), 0, 1)
    with pytest.raises(TypeError):
        _fast.decode([], 0, {}, 1)


def test_environment_forgoes_the_compiled_path() -> None:
    code = "from gemel.core import fast; print(fast.path, fast.IS_COMPILED)"
    environment = {**os.environ, "GEMEL_PURE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "python False\n"


@pytest.mark.parametrize(
    ("there", "told"),
    [("None", "was not compiled"), ("types.SimpleNamespace(VERSION=1)", "version 1 is compiled")],
)
def test_what_is_not_there_or_of_another_version_is_told_with_what_mends_it(
    there: str, told: str
) -> None:
    code = (
        f"import sys, types; sys.modules['gemel.core._fast'] = {there}\n"
        "from gemel.core import fast; print(fast.path, fast.slower)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GEMEL_PURE"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("python telemetry is decoded in Python")
    assert told in done.stdout
    assert "`pip install -e .`" in done.stdout
