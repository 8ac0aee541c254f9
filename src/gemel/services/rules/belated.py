"""Readings that came too late for rules, until it is found out what they would have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64

MILLISECOND = 1_000_000
DOUBT = -1
"""Stands for a series where no reading came late: what was told may be wrong from a moment on."""
MOST = 200_000
"""Readings kept; of those after them only the number is known."""


@dataclass(frozen=True, slots=True)
class LateReadings:
    """What came too late for one rule on one twin."""

    rule: str
    twin: str
    times: dict[int, I64]
    """By series, the source times in order, ns."""
    receipts: dict[int, I64]
    """By series and for each time, when it came (first), ns."""

    @property
    def begin(self) -> int:
        return min(int(times[0]) for times in self.times.values())

    @property
    def end(self) -> int:
        return max(int(times[-1]) for times in self.times.values())

    def __len__(self) -> int:
        return sum(map(len, self.times.values()))

    @property
    def readings(self) -> int:
        """How many readings came late."""
        return sum(len(times) for number, times in self.times.items() if number != DOUBT)

    def is_news(self, series: int, time: I64, received: I64) -> NDArray[np.bool_]:
        """Which stored readings of a series are these; the others were known before they came.

        Args:
            series: its number.
            time: ns.
            received: when each was first received, ns, rounded down to ms.
        """
        mine = self.times.get(series)
        if mine is None:
            return np.zeros(len(time), np.bool_)
        at = np.minimum(np.searchsorted(mine, time), len(mine) - 1)
        found: NDArray[np.bool_] = mine[at] == time
        return found & (received // MILLISECOND >= self.receipts[series][at] // MILLISECOND)

    def only(self, news: Mapping[int, I64]) -> LateReadings:
        """Those of given times, by series."""
        times, receipts = {}, {}
        for number, wanted in news.items():
            kept = np.isin(self.times[number], wanted)
            if kept.any():
                times[number] = self.times[number][kept]
                receipts[number] = self.receipts[number][kept]
        return LateReadings(self.rule, self.twin, times, receipts)


def once(times: I64, receipts: I64) -> tuple[I64, I64]:
    """Each time once, in order, with its first receipt."""
    order = np.lexsort((receipts, times))
    times, receipts = times[order], receipts[order]
    is_first = np.ones(len(times), np.bool_)
    is_first[1:] = times[1:] != times[:-1]
    return times[is_first], receipts[is_first]


def by_series(series: I64, time: I64) -> Iterator[tuple[int, I64]]:
    """Each series of some readings, with their times."""
    order = np.argsort(series, kind="stable")
    series, time = series[order], time[order]
    cuts = np.flatnonzero(series[1:] != series[:-1]) + 1
    for start, times in zip([0, *cuts.tolist()], np.split(time, cuts), strict=True):
        if len(times):
            yield int(series[start]), times


def flat(late: Iterable[LateReadings]) -> list[Any]:
    """As JSON: rule, twin, series, times and receipts of each."""
    return [
        [one.rule, one.twin, number, times.tolist(), one.receipts[number].tolist()]
        for one in late
        for number, times in one.times.items()
    ]


class Belated:
    """Filled by the engine as readings come, emptied by whoever corrects."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], dict[int, list[tuple[I64, I64]]]] = {}
        """By rule and twin and by series, times and receipts."""
        self._count = 0
        self.dropped = 0
        """How many found no room since the last `take`."""

    def __len__(self) -> int:
        return self._count

    def add(self, rule: str, twin: str, series: int, times: I64, received: int | I64) -> None:
        """Notes readings of one series.

        Args:
            rule: the rule that they move no more.
            twin: on which twin.
            series: its number.
            times: ns.
            received: when they came, ns: all of them, or each.
        """
        if self._count + len(times) > MOST:
            self.dropped += len(times)
            return
        self._count += len(times)
        receipts = np.broadcast_to(np.asarray(received, np.int64), len(times))
        of_pair = self._noted.setdefault((rule, twin), {})
        of_pair.setdefault(series, []).append((np.asarray(times, np.int64), receipts))

    def mark(self, rule: str, twin: str, time: int) -> None:
        """Notes that what a rule told of a twin may be wrong from a moment on, ns."""
        self.add(rule, twin, DOUBT, np.array([time], np.int64), 0)

    def take(self) -> list[LateReadings]:
        """All that is kept, which is then forgotten."""
        found = []
        for (rule, twin), series in self._noted.items():
            columns = {number: once(*_joined(noted)) for number, noted in series.items()}
            times = {number: pair[0] for number, pair in columns.items()}
            receipts = {number: pair[1] for number, pair in columns.items()}
            found.append(LateReadings(rule, twin, times, receipts))
        self._noted, self._count, self.dropped = {}, 0, 0
        return found

    def put_back(self, late: Iterable[LateReadings]) -> None:
        """Takes back what was taken and could not be corrected."""
        self.restore(flat(late))

    # -- over a restart ------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """What is kept, as JSON."""
        return [
            [rule, twin, number, *(column.tolist() for column in _joined(noted))]
            for (rule, twin), series in self._noted.items()
            for number, noted in series.items()
        ]

    def restore(self, found: Iterable[Sequence[Any]]) -> None:
        for rule, twin, number, times, *receipts in found:  # earlier versions kept no receipts
            received = np.array(receipts[0] if receipts else 0, np.int64)
            self.add(rule, twin, number, np.array(times, np.int64), received)


def _joined(noted: Sequence[tuple[I64, I64]]) -> tuple[I64, I64]:
    return np.concatenate([one[0] for one in noted]), np.concatenate([one[1] for one in noted])
