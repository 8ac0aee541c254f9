"""Roll-ups: what a minute or an hour of one series held, in one row.

A row tells how many readings there were, the first, last, lowest and highest with their times, the
sum and the spread. Only good readings that are numbers count: a bad one says nothing of the world,
and a text has no sum.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I32, I64, U8, Columns
from gemel.core.quality import Quality
from gemel.history.table import Table, latest_versions

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
WIDTHS = (MINUTE, HOUR)
ROWS_THAT_PAY = 30
"""A roll-up is kept beside its readings where it stands for so many of them on average."""


@dataclass(frozen=True, slots=True)
class Rolls:
    """Shapes: all columns (n,). In order of (series, time)."""

    series: I32
    time: I64
    """When the minute or hour begins, ns."""
    count: I64
    first_time: I64
    first: F64
    last_time: I64
    last: F64
    low_time: I64
    """Of the first of the lowest readings."""
    low: F64
    high_time: I64
    high: F64
    total: F64
    deviation: F64
    """Standard deviation of the readings about their mean (the population's)."""

    def __len__(self) -> int:
        return len(self.series)

    def columns(self) -> list[NDArray[Any]]:
        return [getattr(self, name) for name in self.__slots__]

    def take(self, rows: NDArray[Any] | slice) -> Rolls:
        return Rolls(*(column[rows] for column in self.columns()))

    def numbered(self, series: NDArray[Any]) -> Rolls:
        """The same rows under other numbers."""
        return Rolls(series.astype(np.int32), *self.columns()[1:])


_TIME, _VALUE = np.empty(0, np.int64), np.empty(0, np.float64)
NO_ROLLS = Rolls(
    np.empty(0, np.int32), _TIME, _TIME, _TIME, _VALUE, _TIME, _VALUE, _TIME, _VALUE, _TIME,
    _VALUE, _VALUE, _VALUE,
)  # fmt: skip


def stacked(parts: Sequence[Rolls]) -> Rolls:
    """Rows one after the other."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else NO_ROLLS
    columns = zip(*(part.columns() for part in parts), strict=True)
    return Rolls(*(np.concatenate(column) for column in columns))


def roll(table: Table, width: int, revised: Collection[int] = ()) -> tuple[Rolls, I32]:
    """Roll-ups of readings, and the series of which none may be kept beside the readings.

    Those have values which are no numbers, or are revised and have a bad value, which may have
    taken the place of a good one that lies elsewhere.

    Args:
        table: sorted by (series, time), copies left out.
        width: of a row, ns.
        revised: series of whose values for one time only the last counts.
    """
    if revised:
        is_revised = _among(table.series, revised)
        if is_revised.any():
            newest = latest_versions(table)
            table = newest if is_revised.all() else _mixed(table, newest, is_revised)
    counts = table.quality < Quality.BAD
    odd = counts & np.isnan(table.value)
    alone = odd if not revised or counts.all() else odd | (~counts & _among(table.series, revised))
    strange = np.unique(table.series[alone]) if alone.any() else table.series[:0]
    counts &= ~odd
    if not counts.all():
        table = table.take(counts)
    return _rolled(table.series, table.time, table.value, width), strange.astype(np.int32)


def _among(series: I32, some: Collection[int]) -> NDArray[np.bool_]:
    return np.isin(series, np.fromiter(some, np.int32, len(some)))


def _mixed(table: Table, newest: Table, is_revised: NDArray[np.bool_]) -> Table:
    """Rows of series that are not revised, and the newest versions of those that are."""
    is_last = np.ones(len(table), bool)
    series, time = table.series, table.time
    is_last[:-1] = (time[1:] != time[:-1]) | (series[1:] != series[:-1])
    return table.take(is_last | ~is_revised) if len(newest) < len(table) else table


class NotNumbers(ValueError):
    """Some values are texts, which roll-ups leave out and answers count."""


def roll_columns(series: int, columns: Columns, width: int) -> Rolls:
    """Roll-ups of one series as queries find it (bad readings left out).

    Raises:
        NotNumbers: they cannot stand for these readings.
    """
    if np.isnan(columns.value).any():
        raise NotNumbers
    number = np.full(len(columns), series, np.int32)
    return _rolled(number, columns.time, columns.value, width)


@np.errstate(over="ignore", invalid="ignore")  # sums of the very largest numbers
def _rolled(series: I32, time: I64, value: F64, width: int) -> Rolls:
    if not len(series):
        return NO_ROLLS
    bucket = time // width
    is_first = np.ones(len(series), bool)
    is_first[1:] = (bucket[1:] != bucket[:-1]) | (series[1:] != series[:-1])
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(series))
    count = ends - starts
    low, high = np.minimum.reduceat(value, starts), np.maximum.reduceat(value, starts)
    total = np.add.reduceat(value, starts)
    off = value - np.repeat(total / count, count)
    spread = np.add.reduceat(np.multiply(off, off, out=off), starts)
    return Rolls(
        np.ascontiguousarray(series[starts]),
        bucket[starts] * width,
        count,
        time[starts],
        value[starts],
        time[ends - 1],
        value[ends - 1],
        time[_first_equal(value, low, starts, count)],
        low,
        time[_first_equal(value, high, starts, count)],
        high,
        total,
        np.sqrt(spread / count),
    )


def _first_equal(
    value: F64, wanted: F64, starts: NDArray[np.intp], count: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The first row of each group whose value is the wanted one."""
    rows = np.flatnonzero(value == np.repeat(wanted, count))
    return rows[np.searchsorted(rows, starts)]


@np.errstate(over="ignore", invalid="ignore")
def coarsened(rolls: Rolls, width: int) -> Rolls:
    """The same in rows of `width`, a multiple of theirs; equal (series, time) become one row.

    Args:
        rolls: in any order.
        width: ns.
    """
    if not len(rolls):
        return rolls
    bucket = rolls.time // width
    order = np.lexsort((rolls.first_time, bucket, rolls.series))
    if not (order[1:] > order[:-1]).all():
        rolls, bucket = rolls.take(order), bucket[order]
    is_first = np.ones(len(rolls), bool)
    is_first[1:] = (bucket[1:] != bucket[:-1]) | (rolls.series[1:] != rolls.series[:-1])
    starts = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    rows = np.diff(np.append(starts, len(rolls)))
    low, high = np.minimum.reduceat(rolls.low, starts), np.maximum.reduceat(rolls.high, starts)
    last_time = np.maximum.reduceat(rolls.last_time, starts)
    count, total = np.add.reduceat(rolls.count, starts), np.add.reduceat(rolls.total, starts)
    own = rolls.total / rolls.count
    squares = rolls.count * (rolls.deviation**2 + (own - (total / count)[group]) ** 2)
    return Rolls(
        rolls.series[starts],
        bucket[starts] * width,
        count,
        rolls.first_time[starts],
        rolls.first[starts],
        last_time,
        rolls.last[_last_equal(rolls.last_time, last_time, group)],
        rolls.low_time[_first_equal(rolls.low, low, starts, rows)],
        low,
        rolls.high_time[_first_equal(rolls.high, high, starts, rows)],
        high,
        total,
        np.sqrt(np.add.reduceat(squares, starts) / count),
    )


def _last_equal(time: I64, wanted: I64, group: NDArray[np.intp]) -> NDArray[np.intp]:
    rows = np.flatnonzero(time == wanted[group])
    is_last = np.ones(len(rows), bool)
    is_last[:-1] = group[rows[1:]] != group[rows[:-1]]
    return rows[is_last]


def points(rolls: Rolls) -> Columns:
    """The readings of one series that its roll-ups remember, in order of time, each once."""
    time = np.concatenate((rolls.first_time, rolls.low_time, rolls.high_time, rolls.last_time))
    value = np.concatenate((rolls.first, rolls.low, rolls.high, rolls.last))
    order = np.lexsort((value, time))
    time, value = time[order], value[order]
    again = np.zeros(len(time), bool)
    again[1:] = (time[1:] == time[:-1]) & (value[1:] == value[:-1])
    time, value = time[~again], value[~again]
    good: U8 = np.zeros(len(time), np.uint8)
    return Columns(time, value, good, time)


def aggregate(rolls: Rolls, name: str) -> NDArray[Any]:
    """One figure of each row, as `query.bucket` names them."""
    if name == "avg":
        return rolls.total / rolls.count
    column = {
        "count": rolls.count,
        "min": rolls.low,
        "max": rolls.high,
        "sum": rolls.total,
        "first": rolls.first,
        "last": rolls.last,
        "sd": rolls.deviation,
    }
    return column[name]
