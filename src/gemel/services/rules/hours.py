"""Hours of the day by the clock on a wall: which seconds lie within, over changes of the offset."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64
from gemel.services.rules.features import Hours

QUARTER = 900
"""Offsets from UTC change at whole quarters of an hour only."""
DAY = 86_400
YEAR = 366 * DAY
THURSDAY = 3
"""1970-01-01."""


@lru_cache(maxsize=65_536)
def _offset(zone: str, quarter: int) -> int:
    found = datetime.fromtimestamp(quarter * QUARTER, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    return round(found.total_seconds()) if found is not None else 0


def local(zone: str, seconds: I64) -> I64:
    """Seconds since 1970 as clocks on the wall show them."""
    quarters, where = np.unique(seconds // QUARTER, return_inverse=True)
    offsets = np.array([_offset(zone, quarter) for quarter in quarters.tolist()], np.int64)
    return seconds + offsets[where]


def within(hours: Hours, seconds: I64) -> NDArray[np.bool_]:
    """Whether each second lies in the hours; after midnight it is still the day they began."""
    wall = local(hours.zone, seconds)
    day = (wall // DAY + THURSDAY) % 7
    now = wall % DAY
    begin, end = hours.begin * 60, hours.end * 60
    chosen = np.zeros(7, np.bool_)
    chosen[list(hours.days)] = True
    if begin < end:
        found: NDArray[np.bool_] = (now >= begin) & (now < end) & chosen[day]
        return found
    evening = (now >= begin) & chosen[day]
    morning = (now < end) & chosen[(day - 1) % 7]
    return evening | morning


def changes(hours: Hours, begin: int, end: int) -> I64:
    """The seconds in [begin, end] at which it may become or cease to be one of the hours."""
    found = [
        _changes(hours, first, min(first + YEAR - 1, end)) for first in range(begin, end + 1, YEAR)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _changes(hours: Hours, begin: int, end: int) -> I64:
    minutes = np.arange(-(-begin // 60), end // 60 + 1, dtype=np.int64) * 60
    if not len(minutes):
        return minutes
    inside = within(hours, np.concatenate(([minutes[0] - 60], minutes)))
    found: I64 = minutes[inside[1:] != inside[:-1]]
    return found
