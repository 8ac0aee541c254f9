"""Late readings corrected: a formula once more over the span of history that they change."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.core.series import DERIVED
from gemel.services.contract import Series
from gemel.services.rules.derived import Formula
from gemel.services.rules.expression import Relation
from gemel.services.rules.features import longest_window
from gemel.services.rules.whole import Span

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FOREVER = int(np.iinfo(np.int64).max)
MOST_READINGS = 2_000_000
"""Of one series that one correction reads."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A reading that came too late, and the twins whose values it changes."""

    formula: Formula
    series: int
    time: int
    """ns."""
    until: int
    """Up to when values were made without it, ns."""
    twins: list[str]


async def correct(platform: Platform, one: Correction) -> int:
    """Computes anew what a late reading changes and stores what differs; how many values.

    Raises:
        InvalidInput: the span holds too many readings.
        Unavailable: it cannot be stored.
    """
    newest = int(platform.state.time[one.series])
    following = platform.history.read(one.series, one.time + 1, newest + 1, limit=1)
    window = longest_window({one.formula.inner.key: one.formula.inner})
    begin = -(-one.time // SECOND) * SECOND
    held = int(following.time[0]) if len(following) else FOREVER
    end = min(held, FOREVER - (window + 1) * SECOND) + (window + 1) * SECOND
    found = []
    for twin in one.twins:
        number = platform.series.id(twin, one.formula.path, DERIVED)
        last = int(platform.state.time[number]) if number < len(platform.state.time) else 0
        if not last:
            continue
        reader = _Reader(platform, begin - window * SECOND, min(end, one.until))
        series = await asyncio.to_thread(_changed, reader, one.formula, twin, number, begin)
        if series is not None:
            found.append(series)
    await platform.derived.writer.write_series(found)
    return sum(len(series.time) for series in found)


class _Reader:
    """Looks twins up on the loop's thread beforehand, reads the history in another."""

    def __init__(self, platform: Platform, begin: int, end: int) -> None:
        self.platform, self.begin, self.end = platform, begin, end
        self._means = platform.reactions.means

    def kin(self, twin: str, relation: Relation) -> list[str]:
        return self._means.relatives(twin, relation)

    def read(self, twin: str, path: str) -> tuple[I64, F64]:
        number = self._means.series_of(twin).get(path)
        if number is None:
            return np.zeros(0, np.int64), np.zeros(0)
        history = self.platform.history
        columns = history.read(number, self.begin, self.end + 1, limit=MOST_READINGS + 1)
        if len(columns) > MOST_READINGS:
            raise InvalidInput(f"more than {MOST_READINGS:,} readings lie in the span")
        time, value = columns.time, columns.value
        before = history.last(number, self.begin - 1)
        if before is not None and before.quality < 128:
            time = np.concatenate((np.array([before.time], np.int64), time))
            value = np.concatenate((np.array([before.value]), value))
        counts = np.isfinite(value)
        return time[counts], value[counts]


def _changed(
    reader: _Reader, formula: Formula, twin: str, number: int, begin: int
) -> Series | None:
    """The values of the span that are not stored as they should be."""
    span = Span(reader.read, begin, reader.end, reader.kin, reader._means.settings)
    time, value = span.values(formula.inner, twin)
    stored = reader.platform.history.read(number, begin, reader.end + 1, limit=MOST_READINGS)
    if formula.every > 1:
        kept = np.isin(time, stored.time)
        time, value = time[kept], value[kept]
    at = np.searchsorted(stored.time, time)
    there = np.minimum(at, max(len(stored) - 1, 0))
    same = np.zeros(len(time), np.bool_)
    if len(stored):
        same = (stored.time[there] == time) & (stored.value[there] == value)
    if bool(same.all()):
        return None
    return Series(twin, formula.path, DERIVED, time[~same], value[~same])
