"""What series are called, as far as they go out; told by the server when they first come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I32, Batch
from gemel.core.series import SeriesKey

UNKNOWN, UNWANTED, WANTED = 0, 1, 2
Ask: TypeAlias = Callable[[Sequence[int]], Iterable[tuple[int, SeriesKey | None]]]
"""Tells of series by number: what they are called, None of those that do not go out."""
Objects: TypeAlias = NDArray[np.object_]


class Names:
    """Series by number. A name stays for good; whether its series goes out may change."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._state = np.zeros(1024, np.uint8)
        self._known: dict[int, SeriesKey] = {}

    def __getitem__(self, number: int) -> SeriesKey:
        return self._known[number]

    def shown(self, number: int) -> str:
        """For people: `pump-1 flow`."""
        twin, path, _ = self._known[number]
        return f"{twin} {path}"

    def forget(self) -> None:
        """Another selection holds: the server is asked again."""
        self._state[:] = UNKNOWN

    def selected(self, batch: Batch) -> Batch:
        """The rows of a batch that go out."""
        if not len(batch):
            return batch
        highest = int(batch.series.max())
        if highest >= len(self._state):
            larger = np.zeros(max(2 * len(self._state), highest + 1), np.uint8)
            larger[: len(self._state)] = self._state
            self._state = larger
        state = self._state[batch.series]
        if not state.all():
            self._learn(np.unique(batch.series[state == UNKNOWN]).tolist())
            state = self._state[batch.series]
        is_wanted = state == WANTED
        return batch if is_wanted.all() else batch.take(np.flatnonzero(is_wanted))

    def _learn(self, numbers: list[int]) -> None:
        for number, key in self._ask(numbers):
            self._state[number] = UNWANTED if key is None else WANTED
            if key is not None:
                self._known[number] = key


class Labels:
    """Something made of the name of each series, once, and taken for whole columns.

    Cost: about 15 ns a row.
    """

    def __init__(self, names: Names, make: Callable[[SeriesKey], object]) -> None:
        self._names = names
        self._make = make
        self._made = np.zeros(1024, np.bool_)
        self._labels: Objects = np.empty(1024, object)

    def of(self, series: I32) -> Objects:
        """The label of each row; at least one row."""
        highest = int(series.max())
        if highest >= len(self._made):
            more = max(len(self._made), highest + 1 - len(self._made))
            self._made = np.concatenate((self._made, np.zeros(more, np.bool_)))
            self._labels = np.concatenate((self._labels, np.empty(more, object)))
        is_made = self._made[series]
        if not is_made.all():
            for number in np.unique(series[~is_made]).tolist():
                self._labels[number] = self._make(self._names[number])
                self._made[number] = True
        found: Objects = self._labels[series]
        return found
