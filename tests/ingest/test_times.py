from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.clock import SECOND, to_iso
from gemel.ingest.times import read_time

AT = 1_763_799_000
NS = AT * SECOND


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (0, 0),
        (AT, NS),
        (AT * 1000 + 123, NS + 123_000_000),
        (AT * 10**6 + 123_456, NS + 123_456_000),
        (NS + 123_456_789, NS + 123_456_789),
        (float(AT), NS),
        (AT + 0.123456, NS + 123_456_000),
        (AT * 1000 + 0.5, NS + 500_000),
        (float(AT) * 1e6, NS),
        (float(AT) * 1e9, NS),
        (str(AT), NS),
        (f"{AT}.123456789", NS + 123_456_789),
        (f"{AT}123.456789", NS + 123_456_789),
        (f"{AT}000000.5", NS + 500),
        (f" {AT} ", NS),
        ("2025-11-22T08:10:00Z", NS),
        ("2025-11-22T08:10:00", NS),
        ("2025-11-22 08:10:00+00:00", NS),
        ("2025-11-22T10:10:00+02:00", NS),
        ("2025-11-22T08:10:00.123456789Z", NS + 123_456_789),
        ("20251122T081000Z", NS),
        ("2025-11-22", NS - 29_400 * SECOND),
    ],
)
def test_times_are_read_exactly(raw, expected):
    assert read_time(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        -1,
        -0.1,
        2**63,
        1e19,
        float("nan"),
        float("inf"),
        True,
        None,
        [],
        {},
        "",
        "soon",
        "-5",
        "1e9",
        "9" * 25,
        "1969-12-31T23:59:59Z",
        "2026-13-01",
        "2026-11-22T25:00:00Z",
        "0x10",
        "9999999999999999999",
        "9999-12-31T23:59:59Z",
        "1" * 5000,
        "2026-11-22T10:00:00." + "9" * 99,
    ],
)
def test_what_is_no_time_is_none(raw):
    assert read_time(raw) is None


@given(st.integers(10**17, 4_000_000_000 * SECOND))
def test_iso_and_integers_keep_every_nanosecond(ns):
    assert read_time(ns) == ns
    assert read_time(to_iso(ns)) == ns
    assert read_time(str(ns)) == ns


@given(st.integers(10**14, 99_999_999_999_999_999))
def test_floats_keep_every_microsecond_of_today(us):
    seconds = us % (4 * 10**15) / 1e6
    assert abs(read_time(seconds) - us % (4 * 10**15) * 1000) <= 1000
    assert read_time(seconds) % 1000 == 0


@given(st.floats() | st.integers() | st.text())
def test_reading_a_time_never_raises(raw):
    found = read_time(raw)
    assert found is None or 0 <= found < 2**63
