"""Who follows a history from another process, as the history sees them: where each is.

Files that meet where somebody is are not made into one, so that nobody reads twice what stands
before; and the log files that somebody reads are kept a while after they are sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from gemel.history.keep import EARLIEST
from gemel.history.record import FILE_HEADER
from gemel.history.segment import Segment

MOST_KEPT_LOGS = 8
"""Sealed log files that are kept for who follows; whoever is further behind reads segments."""


class Position(NamedTuple):
    """A place in the order of the log: what stands before it is done."""

    log: int
    """All of the log files before this one is done."""
    offset: int = 0
    """And so many bytes of it, where it is read itself."""
    last: int = 0
    """The last log file of the segment that is read in its place; 0 if it is read itself."""
    series: int = -1
    """In that segment: done up to this series,"""
    time: int = EARLIEST
    """and of it up to this time."""


class Followers(Protocol):
    """Called on threads of the history."""

    def positions(self) -> Sequence[Position]: ...

    def expired(self, logs: tuple[int, int], rows: int, times: tuple[int, int]) -> None:
        """Readings of some log files, between two times (ns), were removed for their age."""
        ...


class Nobody:
    """No one follows."""

    def positions(self) -> Sequence[Position]:
        return ()

    def expired(self, logs: tuple[int, int], rows: int, times: tuple[int, int]) -> None:
        pass


def is_at_end(at: Position, durable: tuple[int, int]) -> bool:
    """Whether nothing that is durable lies behind a place."""
    number, written = durable
    is_read = max(at.offset, FILE_HEADER.size) >= written
    return at.log > number or (at.log == number and not at.last and is_read)


def borders(followers: Followers) -> set[int]:
    """Log files with which a segment should end."""
    found = followers.positions()
    return {at.log - 1 for at in found} | {at.last for at in found if at.last}


def apart(segments: Sequence[Segment], ends: set[int]) -> list[list[Segment]]:
    """Neighbours between such borders."""
    parts: list[list[Segment]] = [[]]
    for segment in segments:
        parts[-1].append(segment)
        if segment.last_log in ends:
            parts.append([])
    return parts


def wanted_from(followers: Followers, written: int) -> int:
    """The first log file that somebody reads who is not far behind; else the one written to."""
    logs = [at.log for at in followers.positions() if not at.last]
    return min([log for log in logs if log >= written - MOST_KEPT_LOGS], default=written)
