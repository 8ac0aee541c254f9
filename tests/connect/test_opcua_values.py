"""What values, statuses and times of OPC UA become; the library's own codec is the other side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from gemel.connect.opcua.values import (
    EPOCH,
    Item,
    Unsupported,
    has_overflowed,
    nanoseconds,
    plain,
    quality_of,
    sample_of,
    time_of,
)
from gemel.core.quality import Quality

NOW = 1_790_000_000_000_000_000
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def item() -> Item:
    return Item(ua.NodeId("Speed", 2), "press/Plant", "Speed")


def over_the_wire(found: ua.DataValue) -> ua.DataValue:
    return struct_from_binary(ua.DataValue, Buffer(struct_to_binary(found)))


@pytest.mark.parametrize(
    ("name", "quality"),
    [
        ("Good", Quality.GOOD),
        ("GoodClamped", Quality.GOOD),
        ("UncertainSubNormal", Quality.UNCERTAIN),
        ("UncertainLastUsableValue", Quality.UNCERTAIN),
        ("Bad", Quality.BAD),
        ("BadNotConnected", Quality.BAD),
        ("BadSensorFailure", Quality.SENSOR_FAULT),
        ("BadDeviceFailure", Quality.SENSOR_FAULT),
        ("BadOutOfRange", Quality.OUT_OF_RANGE),
    ],
)
def test_a_status_has_the_quality_of_its_severity_or_cause(name: str, quality: int) -> None:
    status = getattr(ua.StatusCodes, name)
    assert quality_of(status) == quality
    assert quality_of(status | 0x0480) == quality, "bits of the value do not change it"


def test_the_overflow_bit_counts_only_where_it_speaks_of_a_value() -> None:
    assert has_overflowed(0x0480)
    assert not has_overflowed(0x0080)
    assert not has_overflowed(0x0400)


def test_the_time_is_that_of_the_first_clock_there_is() -> None:
    later = AT + timedelta(seconds=1)
    both = ua.DataValue(ua.Variant(1.0), SourceTimestamp=AT, ServerTimestamp=later)
    server = ua.DataValue(ua.Variant(1.0), ServerTimestamp=later)
    neither = ua.DataValue(ua.Variant(1.0))
    assert time_of(both, "source", NOW) == (nanoseconds(AT), "source")
    assert time_of(both, "server", NOW) == (nanoseconds(later), "server")
    assert time_of(both, "received", NOW) == (NOW, "received")
    assert time_of(server, "source", NOW) == (nanoseconds(later), "server")
    assert time_of(neither, "source", NOW) == (NOW, "received")
    counted = item()
    for one in (both, both, server, neither):
        sample_of(counted, one, "source", NOW, Quality.GOOD)
    assert counted.times == {"source": 2, "server": 1, "received": 1}


@given(st.integers(0, 7_258_118_400_000_000))
def test_times_come_over_the_wire_to_the_microsecond(microseconds: int) -> None:
    moment = EPOCH + timedelta(microseconds=microseconds)
    sent = ua.DataValue(ua.Variant(1.0), SourceTimestamp=moment)
    assert time_of(over_the_wire(sent), "source", NOW)[0] == microseconds * 1000


T = ua.VariantType
SCALARS = {
    T.Boolean: st.booleans(),
    T.SByte: st.integers(-(2**7), 2**7 - 1),
    T.Byte: st.integers(0, 2**8 - 1),
    T.Int16: st.integers(-(2**15), 2**15 - 1),
    T.UInt16: st.integers(0, 2**16 - 1),
    T.Int32: st.integers(-(2**31), 2**31 - 1),
    T.UInt32: st.integers(0, 2**32 - 1),
    T.Int64: st.integers(-(2**63), 2**63 - 1),
    T.UInt64: st.integers(0, 2**64 - 1),
    T.Float: st.floats(width=32, allow_nan=False, allow_infinity=False),
    T.Double: st.floats(allow_nan=False, allow_infinity=False),
    T.String: st.text(max_size=20),
}


@given(st.data())
def test_scalars_and_arrays_come_over_the_wire_as_they_are(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(SCALARS)))
    values = data.draw(st.lists(SCALARS[kind], min_size=1, max_size=5))
    for value in (values[0], values):
        found = over_the_wire(ua.DataValue(ua.Variant(value, kind)))
        assert plain(found.Value) == value
        assert type(plain(found.Value)) is type(value)


def test_what_is_no_value_of_ours_is_named() -> None:
    structure = ua.Variant(ua.Range(0.0, 1.0), T.ExtensionObject)
    with pytest.raises(Unsupported, match=r"ExtensionObject \(Range\)"):
        plain(structure)
    with pytest.raises(Unsupported, match="10,000"):
        plain(ua.Variant([1.0] * 10_001, T.Double))
    matrix = ua.Variant([[1, 2], [3, 4]], T.Int32)
    assert plain(over_the_wire(ua.DataValue(matrix)).Value) == [[1, 2], [3, 4]]


def test_a_bad_value_that_is_no_number_is_no_value() -> None:
    bad = ua.StatusCode(ua.StatusCodes.BadNoCommunication)
    for value in (ua.Variant(float("nan"), T.Double), ua.Variant()):
        found = sample_of(item(), ua.DataValue(value, bad), "source", NOW, Quality.GOOD)
        assert (found.value, found.quality) == (None, Quality.BAD)
    good = sample_of(item(), ua.DataValue(ua.Variant(1.0)), "source", NOW, Quality.CLOCK_SUSPECT)
    assert good.quality == Quality.CLOCK_SUSPECT
