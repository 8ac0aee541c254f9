"""Bytes of payloads, held against the protobuf library."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.errors import InvalidInput
from gemel.ingest.senml import Problem
from gemel.ingest.sparkplug import values, wire
from gemel.ingest.sparkplug.wire import MOST_METRICS, read_payload
from ingest.sparkplug.payloads import TYPES, Payload, payload

INT, LONG, FLOAT, DOUBLE, BOOLEAN, STRING, RAW = range(10, 17)
U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
FIELDS: dict[int, tuple[str, Any]] = {
    INT: ("int_value", U32),
    LONG: ("long_value", U64),
    FLOAT: ("float_value", st.floats(width=32)),
    DOUBLE: ("double_value", st.floats()),
    BOOLEAN: ("boolean_value", st.booleans()),
    STRING: ("string_value", st.text(max_size=20)),
    RAW: ("bytes_value", st.binary(max_size=20)),
}
OPTIONAL = {
    "name": st.text(min_size=1, max_size=20),
    "alias": U64,
    "timestamp": U64,
    "datatype": U32,
    "is_historical": st.booleans(),
    "is_null": st.booleans(),
}
metrics = st.tuples(
    st.fixed_dictionaries({}, optional=OPTIONAL),
    st.sampled_from(sorted(FIELDS)).flatmap(
        lambda field: st.tuples(st.just(field), FIELDS[field][1])
    ),
    st.booleans(),
)


def same(one: Any, other: Any) -> bool:
    is_nan = isinstance(one, float) and math.isnan(one)
    return math.isnan(other) if is_nan else one == other


@given(st.lists(metrics, max_size=5), st.none() | U64, st.none() | U64, st.booleans())
def test_what_the_library_writes_is_read_as_it_was(
    sent: list[Any], seq: int | None, time: int | None, is_wrapped: bool
) -> None:
    made = Payload()
    if seq is not None:
        made.seq = seq
    if time is not None:
        made.timestamp = time
    if is_wrapped:
        made.body, made.uuid = b"x", "SPBV1.0_COMPRESSED"
    for fields, (kind, value), has_properties in sent:
        metric = made.metrics.add(**fields)
        setattr(metric, FIELDS[kind][0], value)
        if has_properties:
            metric.properties.keys.extend(["engUnit", "other", "Quality"])
            metric.properties.values.add(type=12, string_value="kPa")
            metric.properties.values.add(type=9, float_value=1.0)
            metric.properties.values.add(type=3, int_value=192)
    found = read_payload(made.SerializeToString())
    assert found.seq == (-1 if seq is None else seq)
    assert found.time == (-1 if time is None else time)
    assert found.is_wrapped == is_wrapped
    assert len(found.metrics) == len(sent)
    for metric, (fields, (kind, value), has_properties) in zip(found.metrics, sent, strict=True):
        assert metric.name == fields.get("name", "")
        assert metric.alias == fields.get("alias", -1)
        assert metric.time == fields.get("timestamp", -1)
        assert metric.datatype == fields.get("datatype", 0)
        assert metric.is_historical == fields.get("is_historical", False)
        assert metric.is_null == fields.get("is_null", False)
        assert metric.kind == kind
        assert same(metric.value, value)
        said = ("kPa", 192) if has_properties else ("", -1)
        assert (metric.unit, metric.quality) == said


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_a_problem(data: bytes) -> None:
    with suppress(Problem):
        read_payload(data)


@given(st.data())
def test_a_damaged_payload_is_a_payload_or_a_problem(data: st.DataObject) -> None:
    whole = bytearray(
        payload(
            {"name": "a", "alias": 1, "value": 1.5, "timestamp": 1_700_000_000_000, "unit": "kPa"},
            {"name": "b", "type": "String", "value": "text", "quality": 192},
            seq=3,
            timestamp=1_700_000_000_000,
        )
    )
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(Problem):
        read_payload(cut)


def test_a_field_of_another_version_is_passed_over() -> None:
    extra = b"\xf2\x07\x03abc"  # field 126, three bytes
    assert read_payload(extra + payload(seq=7) + extra).seq == 7


def test_too_many_metrics_are_a_problem() -> None:
    with pytest.raises(Problem, match=r"more than 10000 metrics"):
        read_payload(b"\x12\x00" * (MOST_METRICS + 1))


@pytest.mark.parametrize("data", [b"{}", b"hello", b'{"flow": 12}', b"\x12\xff", b"\x08"])
def test_what_is_no_protobuf_is_a_problem(data: bytes) -> None:
    with pytest.raises(Problem):
        read_payload(data)


NUMBERS = {
    "Int8": (-128, 127),
    "Int16": (-32768, 32767),
    "Int32": (-(2**31), 2**31 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt8": (0, 255),
    "UInt16": (0, 65535),
    "UInt32": (0, 2**32 - 1),
    "UInt64": (0, 2**64 - 1),
}


@pytest.mark.parametrize("name", NUMBERS)
@given(data=st.data())
def test_whole_numbers_come_back_with_their_sign(name: str, data: st.DataObject) -> None:
    value = data.draw(st.integers(*NUMBERS[name]))
    metric = read_payload(payload({"name": "m", "type": name, "value": value})).metrics[0]
    assert values.value_of(metric, metric.datatype) == value
    kind, raw = values.sent_as(TYPES[name], value)
    back = wire.Metric()
    back.kind, back.value = kind, raw
    assert values.value_of(back, TYPES[name]) == value


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("Boolean", True, True),
        ("String", "ü", "ü"),
        ("Text", "long", "long"),
        ("UUID", "4cfd8a5e-0000-4000-8000-000000000000", "4cfd8a5e-0000-4000-8000-000000000000"),
        ("DateTime", 1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        ("Bytes", b"\x00\xff", "AP8"),
        ("Int16Array", b"\x01\x00\xff\xff", [1, -1]),
        ("DoubleArray", b"\0" * 8, [0.0]),
        ("BooleanArray", b"\x03\0\0\0\xa0", [True, False, True]),
        ("StringArray", b"ab\0c\0", ["ab", "c"]),
        ("DateTimeArray", (0).to_bytes(8, "little"), ["1970-01-01T00:00:00Z"]),
    ],
)
def test_types_mean_what_the_specification_says(name: str, value: Any, meant: Any) -> None:
    metric = read_payload(payload({"name": "m", "type": name, "value": value})).metrics[0]
    assert values.value_of(metric, metric.datatype) == meant


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("Template", b"", "a Template is not taken"),
        ("DataSet", b"", "a DataSet is not taken"),
        ("File", b"x", "a File is not taken"),
        ("Double", "1", "Double, and the value is in field 16"),
        ("Int16Array", b"\x01", "Int16Array of 1 bytes"),
        ("BooleanArray", b"\xff\xff\xff\xff", "BooleanArray of 4294967295 in 4 bytes"),
        ("StringArray", b"\xff", "not UTF-8"),
        ("DateTimeArray", b"123", "DateTimeArray of 3 bytes"),
    ],
)
def test_what_is_not_taken_is_named(name: str, data: Any, words: str) -> None:
    metric = wire.Metric()
    metric.kind, metric.value = RAW, data
    with pytest.raises(Problem, match=words):
        values.value_of(metric, TYPES[name])


@given(st.sampled_from(sorted(set(TYPES) - {"DataSet", "Template"})), st.binary(max_size=40))
def test_any_bytes_of_any_type_are_a_value_or_a_problem(name: str, data: bytes) -> None:
    metric = wire.Metric()
    metric.kind, metric.value = RAW, data
    with suppress(Problem):
        values.value_of(metric, TYPES[name])


def test_what_we_write_is_read_by_the_library() -> None:
    sent = [
        wire.write_metric("", 300, TYPES["Double"], 17, DOUBLE, 2.5),
        wire.write_metric("ä", -1, TYPES["Float"], 17, FLOAT, 0.5),
        wire.write_metric("", 0, TYPES["Int8"], 17, *values.sent_as(TYPES["Int8"], -1)),
        wire.write_metric("t", -1, TYPES["String"], 17, STRING, "x" * 200),
        wire.write_metric("b", -1, TYPES["Boolean"], 17, BOOLEAN, True),
    ]
    found = Payload.FromString(wire.write_payload(1_700_000_000_000, sent))
    assert found.timestamp == 1_700_000_000_000
    assert not found.HasField("seq")
    one, two, three, four, five = found.metrics
    assert (one.alias, one.double_value, one.name) == (300, 2.5, "")
    assert (two.name, two.float_value, two.HasField("alias")) == ("ä", 0.5, False)
    assert (three.alias, three.int_value) == (0, 0xFFFF_FFFF)
    assert (four.string_value, five.boolean_value) == ("x" * 200, True)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("UInt8", 256, "takes whole numbers from 0 to 255"),
        ("Int16", 1.5, "Int16"),
        ("Float", 1e39, "beyond"),
        ("Boolean", 1, "Boolean"),
        ("String", 1.0, "String"),
        ("Double", True, "Double"),
        ("Template", "x", "Template"),
        ("Int32", float("nan"), "Int32"),
    ],
)
def test_what_a_type_cannot_hold_is_not_sent(name: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        values.sent_as(TYPES[name], value)
    assert words in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.parametrize(
    ("said", "quality"), [(-1, 0), (192, 0), (500, 64), (64, 64), (0, 128), (0x80000205, 128)]
)
def test_qualities_are_good_uncertain_or_bad(said: int, quality: int) -> None:
    assert values.quality_of(said) == quality
