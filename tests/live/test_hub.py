"""Frames and watchers: what is encoded is what was there, and nobody is waited for."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.live.hub import EVENT_LIMIT, HEADER, ROW, SPAN, Hub, Watcher, encode_values

BASE = 1_700_000_000_000


def decode(frames: list[bytes]) -> list[tuple[int, int, int, float]]:
    """Frames as a page reads them: (series, ms, quality, value)."""
    found = []
    for frame in frames:
        head = np.frombuffer(frame[: HEADER.itemsize], HEADER)[0]
        rows = np.frombuffer(frame[HEADER.itemsize :], ROW)
        assert (HEADER.itemsize, ROW.itemsize) == (12, 16)
        assert (len(rows), head["zero"]) == (head["count"], 0)
        for row in rows:
            time = int(head["base"]) + int(row["after"])
            found.append((int(row["series"]), time, int(row["quality"]), float(row["value"])))
    return found


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1),
        st.integers(BASE - 200_000, BASE + 200_000),
        st.integers(0, 255),
        st.floats(allow_nan=False),
    ),
    max_size=80,
)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_frames_decode_to_what_was_encoded(rows: list[tuple[int, int, int, float]]) -> None:
    series, times, quality, value = zip(*rows, strict=True) if rows else ((),) * 4
    frames = encode_values(
        np.array(series, np.int32),
        np.array(times, np.int64) * 1_000_000 + 999_999,
        np.array(quality, np.uint8),
        np.array(value, np.float64),
    )
    assert sorted(decode(frames)) == sorted(rows)
    for frame in frames:
        times_here = [row[1] for row in decode([frame])]
        assert max(times_here) - min(times_here) <= SPAN


def test_a_span_of_more_than_65_seconds_takes_two_frames() -> None:
    times = np.array([0, 65_535, 65_536, 200_000], np.int64) * 1_000_000
    four = np.arange(4, dtype=np.int32)
    frames = encode_values(four, times, four.astype(np.uint8), four.astype(np.float64))
    assert [len(decode([frame])) for frame in frames] == [2, 1, 1]


def test_many_rows_take_several_frames() -> None:
    size = 150_000
    frames = encode_values(
        np.arange(size, dtype=np.int32),
        np.zeros(size, np.int64),
        np.zeros(size, np.uint8),
        np.full(size, math.nan),
    )
    assert [row[0] for row in decode(frames)] == list(range(size))


def test_values_are_last_wins_and_only_the_watched() -> None:
    hub, woken = Hub(), []
    watcher = Watcher(lambda: woken.append(1))
    hub.join(watcher)
    watcher.want([1, 3], 5)
    assert watcher.take_dirty().tolist() == [1, 3]
    hub.values_changed(np.array([0, 2, 4, 99], np.int32))
    assert not woken
    for _ in range(1_000):
        hub.values_changed(np.array([3, 3, 7], np.int32))
    assert watcher.take_dirty().tolist() == [3]
    assert watcher.take_dirty().tolist() == []
    watcher.want_more([7], 8)
    assert watcher.take_dirty().tolist() == [7]
    hub.leave(watcher)
    hub.values_changed(np.array([3], np.int32))
    assert watcher.take_dirty().tolist() == []


def test_events_of_one_that_does_not_read_are_bounded() -> None:
    hub = Hub()
    slow, quick = Watcher(lambda: None), Watcher(lambda: None)
    hub.join(slow)
    hub.join(quick)
    for number in range(3 * EVENT_LIMIT):
        hub.event({"n": number})
        assert quick.take_events() == [{"n": number}]
    assert len(slow.events) == EVENT_LIMIT
    assert slow.overflowed
    assert not quick.overflowed
