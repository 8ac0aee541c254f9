"""Shifts: who is on now, and from when to when, by the clock on the wall of the plant.

A shift begins at a time of day and lasts until the next one begins, so a day always has somebody;
the days on which clocks are put forward or back have a shorter or a longer shift.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gemel.core.clock import EPOCH, SECOND
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

MOST = 12
"""Shifts a day."""
LONGEST_NAME = 40
FORM = {"name": "Early", "start": "06:00"}


@dataclass(frozen=True, slots=True)
class Shift:
    name: str
    start: int
    """Minutes after midnight."""

    def to_json(self) -> Json:
        return {"name": self.name, "start": f"{self.start // 60:02d}:{self.start % 60:02d}"}


@dataclass(frozen=True, slots=True)
class Duty:
    """A shift of one day."""

    name: str
    begin: int
    end: int
    """Times in ns; the end belongs to the next."""

    def holds(self, moment: int) -> bool:
        return self.begin <= moment < self.end


def read_shifts(found: object) -> tuple[Shift, ...]:
    """The shifts of a day from their document, in their order over the day.

    Raises:
        InvalidInput: names what was expected.
    """
    if not isinstance(found, list) or len(found) > MOST:
        raise InvalidInput(f"'shifts' must be a list of at most {MOST}", hint=f"like [{FORM}]")
    shifts = sorted((_read(one) for one in found), key=lambda one: one.start)
    starts = [one.start for one in shifts]
    if len(set(starts)) < len(starts):
        raise InvalidInput("two shifts start at the same time", hint="each has a start of its own")
    return tuple(shifts)


def _read(found: object) -> Shift:
    if not isinstance(found, dict) or set(found) != set(FORM):
        raise InvalidInput("a shift has a name and a start", hint=f"like {FORM}")
    name, start = found["name"], found["start"]
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InvalidInput(f"a shift's name must have 1 to {LONGEST_NAME} letters")
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", start) if isinstance(start, str) else None
    if match is None:
        raise InvalidInput(f"a shift cannot start at {start!r}", hint="like 06:00, up to 23:59")
    return Shift(name.strip(), int(match[1]) * 60 + int(match[2]))


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        InvalidInput: this system knows no such zone.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise InvalidInput(
            f"'{name}' is no time zone", hint="like Europe/Berlin, or UTC"
        ) from error


def duty_at(shifts: Sequence[Shift], zone: ZoneInfo, moment: int) -> Duty | None:
    """The shift that is on at a moment (ns); None if the plant has none."""
    if not shifts:
        return None
    day = (EPOCH + timedelta(seconds=moment // SECOND)).astimezone(zone).date()
    found = []
    for offset in range(-2, 3):
        of = day + timedelta(days=offset)
        for one in shifts:
            local = datetime(
                of.year, of.month, of.day, one.start // 60, one.start % 60, tzinfo=zone
            )
            found.append((round(local.timestamp()) * SECOND, one.name))
    found.sort()
    at = max(i for i, (begin, _) in enumerate(found) if begin <= moment)
    return Duty(found[at][1], found[at][0], found[at + 1][0])
