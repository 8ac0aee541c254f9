"""Readings that came too late for rules, until it is found out what they would have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import I64

MOST = 200_000
"""Readings kept; of those after them only the number is known."""


@dataclass(frozen=True, slots=True)
class LateReadings:
    """What came too late for one rule on one twin."""

    rule: str
    twin: str
    times: dict[int, I64]
    """By series, the source times in order, ns."""

    @property
    def begin(self) -> int:
        return min(int(times[0]) for times in self.times.values())

    @property
    def end(self) -> int:
        return max(int(times[-1]) for times in self.times.values())

    def __len__(self) -> int:
        return sum(map(len, self.times.values()))


def by_series(series: I64, time: I64) -> Iterator[tuple[int, I64]]:
    """Each series of some readings, with their times."""
    order = np.argsort(series, kind="stable")
    series, time = series[order], time[order]
    cuts = np.flatnonzero(series[1:] != series[:-1]) + 1
    for start, times in zip([0, *cuts.tolist()], np.split(time, cuts), strict=True):
        if len(times):
            yield int(series[start]), times


def flat(late: Iterable[LateReadings]) -> list[Any]:
    """As JSON: rule, twin, series and times of each."""
    return [
        [one.rule, one.twin, number, times.tolist()]
        for one in late
        for number, times in one.times.items()
    ]


class Belated:
    """Filled by the engine as readings come, emptied by whoever corrects."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], dict[int, list[I64]]] = {}
        self._count = 0
        self.dropped = 0
        """How many found no room since the last `take`."""

    def __len__(self) -> int:
        return self._count

    def add(self, rule: str, twin: str, series: int, times: I64) -> None:
        if self._count + len(times) > MOST:
            self.dropped += len(times)
            return
        self._count += len(times)
        of_pair = self._times.setdefault((rule, twin), {})
        of_pair.setdefault(series, []).append(np.asarray(times, np.int64))

    def take(self) -> list[LateReadings]:
        """All that is kept, which is then forgotten."""
        found = [
            LateReadings(rule, twin, {n: np.unique(np.concatenate(t)) for n, t in series.items()})
            for (rule, twin), series in self._times.items()
        ]
        self._times, self._count, self.dropped = {}, 0, 0
        return found

    def put_back(self, late: Iterable[LateReadings]) -> None:
        """Takes back what was taken and could not be corrected."""
        self.restore(flat(late))

    # -- over a restart ------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """What is kept, as JSON."""
        return [
            [rule, twin, number, np.concatenate(times).tolist()]
            for (rule, twin), series in self._times.items()
            for number, times in series.items()
        ]

    def restore(self, found: Iterable[Sequence[Any]]) -> None:
        for rule, twin, number, times in found:
            self.add(rule, twin, number, np.array(times, np.int64))
