"""The hub: collects what changed and hands each watcher its frames, coalesced.

A watcher never holds the loop up: values are last-value-wins per series and watcher (a bit in an
array), events are few and bounded; one that cannot take its events is closed and fetches anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gemel.core.batch import F64, I32, I64, U8

EVENT_LIMIT = 2_000
HEADER = np.dtype([("base", "<u8"), ("count", "<u2"), ("zero", "<u2")])
ROW = np.dtype([("series", "<u4"), ("after", "<u2"), ("quality", "<u2"), ("value", "<f8")])
MILLISECOND = 1_000_000
SPAN = 65_535
ROWS_A_FRAME = 60_000


def encode_values(series: I32, time: I64, quality: U8, value: F64) -> list[bytes]:
    """Binary frames: header (u64 base ms, u16 count, u16 0), then rows of 16 bytes.

    Values whose times lie more than 65 s apart go into separate frames.
    """
    frames = []
    order = np.argsort(time, kind="stable")
    milliseconds = time[order] // MILLISECOND
    start, total = 0, len(order)
    while start < total:
        base = int(milliseconds[start])
        stop = int(np.searchsorted(milliseconds, base + SPAN, side="right"))
        stop = min(stop, start + ROWS_A_FRAME)
        rows = order[start:stop]
        head = np.zeros(1, HEADER)
        head["base"], head["count"] = max(base, 0), stop - start
        body = np.empty(stop - start, ROW)
        body["series"] = series[rows]
        body["after"] = milliseconds[start:stop] - base
        body["quality"] = quality[rows]
        body["value"] = value[rows]
        frames.append(head.tobytes() + body.tobytes())
        start = stop
    return frames


class Watcher:
    """One page or program that watches; `wake` is called when there is something to send."""

    __slots__ = ("all", "dirty", "events", "overflowed", "twins", "wake", "wanted")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.all = False
        self.twins: frozenset[str] = frozenset()
        self.wanted = np.zeros(0, np.bool_)
        self.dirty = np.zeros(0, np.bool_)
        self.events: deque[dict[str, Any]] = deque()
        self.overflowed = False

    def want(self, series: Iterable[int], size: int) -> None:
        """Replaces what is watched by these series, all of them to be sent once."""
        self.wanted = np.zeros(size, np.bool_)
        self.wanted[np.fromiter(series, np.int64)] = True
        self.dirty = self.wanted.copy()

    def want_more(self, series: Iterable[int], size: int) -> None:
        grown = np.zeros(max(size, len(self.wanted)), np.bool_)
        grown[: len(self.wanted)] = self.wanted
        dirty = np.zeros(len(grown), np.bool_)
        dirty[: len(self.dirty)] = self.dirty
        rows = np.fromiter(series, np.int64)
        grown[rows] = True
        dirty[rows] = True
        self.wanted, self.dirty = grown, dirty

    def take_dirty(self) -> I32:
        """The series to send now; they count as sent."""
        rows = np.flatnonzero(self.dirty).astype(np.int32)
        self.dirty[rows] = False
        return rows

    def take_events(self) -> list[dict[str, Any]]:
        taken = list(self.events)
        self.events.clear()
        return taken


class Hub:
    """All watchers; the platform tells it what changed, on the loop's thread."""

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self.is_closing = False
        """Whoever waits should wait no longer."""

    def close(self) -> None:
        """Wakes all who wait, for the last time."""
        self.is_closing = True
        for watcher in self.watchers:
            watcher.wake()

    def join(self, watcher: Watcher) -> None:
        self.watchers.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        self.watchers.discard(watcher)

    def values_changed(self, series: I32) -> None:
        for watcher in self.watchers:
            known = series[series < len(watcher.wanted)]
            hit = known[watcher.wanted[known]]
            if len(hit):
                watcher.dirty[hit] = True
                watcher.wake()

    def event(self, event: dict[str, Any]) -> None:
        """An alarm, a command, a change of the graph: kept in order for every watcher."""
        for watcher in self.watchers:
            if len(watcher.events) >= EVENT_LIMIT:
                watcher.overflowed = True
            else:
                watcher.events.append(event)
            watcher.wake()
