"""What readers see: sealed segments and the memories behind them, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from gemel.history.memory import Memory
from gemel.history.segment import Segment


class View(NamedTuple):
    segments: tuple[Segment, ...]
    """In the order of the log."""
    memories: tuple[Memory, ...]
    """In the order of the log; the last one is written to."""


class Views:
    """Holds the current view. A reader takes `now` once and uses it to the end."""

    def __init__(self, segments: Sequence[Segment], memories: Sequence[Memory]) -> None:
        self.now = View(tuple(segments), tuple(memories))
        self.sealed_through = segments[-1].last_log if segments else 0
        """The last log file whose readings are in segments."""
        self._series: dict[int, int] = {}
        self._lock = Lock()

    def add(self, memory: Memory) -> None:
        with self._lock:
            self.now = View(self.now.segments, (*self.now.memories, memory))

    def complete(self, number: int, series: int) -> None:
        """Log file `number` is complete, and so many series are defined up to its end."""
        self._series[number] = series

    def series_through(self, number: int) -> int:
        return max((n for log, n in self._series.items() if log <= number), default=0)

    def sealed(self, segment: Segment, through: int) -> None:
        """A new segment takes the place of the memories up to a log file."""
        with self._lock:
            memories = tuple(m for m in self.now.memories if m.number > through)
            self.now = View((*self.now.segments, segment), memories)
            self.sealed_through = through
            self._series = {log: n for log, n in self._series.items() if log >= through}

    def merged(self, old: Sequence[Segment], new: Segment) -> None:
        with self._lock:
            at = self.now.segments.index(old[0])
            segments = self.now.segments
            kept = (*segments[:at], new, *segments[at + len(old) :])
            self.now = View(kept, self.now.memories)
