"""Derived properties: formulas over what twins and their relatives measure, second by second.

A formula is computed as rules are (`clock`): vectorised, in order of source time, the same after a
restart. Whenever a reading that it looks at has come in a second, it gives one value of that
second. Pure, as `engine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.rules.clock import ClockedColumns
from gemel.services.rules.features import Inner
from gemel.services.rules.layout import KinOf, Layout, Series, no_relatives
from gemel.services.rules.members import series_of
from gemel.services.rules.packing import packed, unpacked
from gemel.services.rules.parameters import SettingsOf, no_settings
from gemel.services.rules.table import NEVER


@dataclass(frozen=True, slots=True)
class Formula:
    """A derived property of a model, checked and compiled."""

    id: str
    model: str
    path: str
    text: str
    unit: str
    """Of its values, as a DTDL name; "" for none."""
    inner: Inner
    every: int = 1
    """Seconds between two values, at the least."""
    lateness: float = 2.0


@dataclass(frozen=True, slots=True)
class Values:
    """What formulas came to in one second.

    Shapes: series and value are (n,). Units: time ns.
    """

    series: I64
    time: int
    value: F64


@dataclass(frozen=True, slots=True)
class TooLate:
    """A reading that came after its second was judged: what follows from it must be corrected."""

    formula: str
    series: int
    time: int
    """The earliest, ns."""


@dataclass(slots=True)
class _Watched:
    formula: Formula
    instances: Sequence[tuple[str, Series]]
    out: Sequence[int]
    """By instance, the series that takes its values."""
    kin: KinOf
    settings: SettingsOf
    reads: I64 | None = None


class DerivedEngine(ClockedColumns[Values]):
    """All formulas of one lateness and model.

    Args:
        lateness: ns that readings may take to get here.
    """

    def __init__(self, lateness: int) -> None:
        super().__init__(lateness)
        self._watched: dict[str, _Watched] = {}
        self._out: I64 = np.zeros(0, np.int64)
        self._column_out: I64 = np.zeros(0, np.int64)
        self._every: I64 = np.zeros(0, np.int64)
        self._told: I64 = np.zeros(0, np.int64)
        """By instance, the second of its newest value."""
        self._is_owed = np.zeros(0, np.bool_)
        """Whether something has come since then."""
        self._late: dict[tuple[str, int], int] = {}
        self._saved: dict[int, tuple[int, bool]] = {}

    def set_formula(
        self,
        formula: Formula,
        instances: Sequence[tuple[str, Series]],
        out: Sequence[int],
        kin: KinOf = no_relatives,
        settings: SettingsOf = no_settings,
    ) -> None:
        """Adds or replaces a formula; what it has seen of series that stay is kept."""
        self._watched[formula.id] = _Watched(formula, list(instances), list(out), kin, settings)
        self._is_settled = False

    def drop_formula(self, key: str) -> None:
        self._watched.pop(key, None)
        self._is_settled = False

    @property
    def formulas(self) -> list[str]:
        return list(self._watched)

    def series_read(self) -> set[int]:
        """The series that formulas look at, those of relatives too."""
        found: set[int] = set()
        for one in self._watched.values():
            found.update(self._reads(one).tolist())
        return found

    def owners(self, key: str, series: int) -> list[str]:
        """The twins on which a formula looks at a series."""
        one = self._watched.get(key)
        if one is None:
            return []
        inner = one.formula.inner
        return [
            twin
            for twin, of_twin in one.instances
            if series in series_of(inner.paths, inner.features, twin, of_twin, one.kin)
        ]

    def take_late(self) -> list[TooLate]:
        """What came too late since this was asked last."""
        found = [TooLate(key, series, time) for (key, series), time in self._late.items()]
        self._late.clear()
        return found

    # -- what the columns ask --------------------------------------------------------------------

    @staticmethod
    def _reads(one: _Watched) -> I64:
        if one.reads is None:
            inner = one.formula.inner
            found: set[int] = set()
            for twin, series in one.instances:
                found |= series_of(inner.paths, inner.features, twin, series, one.kin)
            one.reads = np.array(sorted(found), np.int64)
        return one.reads

    def _size(self) -> int:
        return len(self._out)

    def _settle(self) -> None:
        if self._is_settled:
            return
        self._remember()
        self._keep()
        self._is_settled = self._is_changed = True
        layout = self._layout = Layout(no_settings)
        column, out, every = [], [], []
        for one in self._watched.values():
            layout.settings = one.settings
            for (twin, series), number in zip(one.instances, one.out, strict=True):
                column.append(layout.of_feature(one.formula.inner, twin, series, one.kin))
                out.append(number)
                every.append(one.formula.every)
        self._operations = layout.operations()
        self._out, self._every = np.array(out, np.int64), np.array(every, np.int64)
        self._column_out = np.array(column, np.int64)
        known = [self._saved.get(number, (NEVER, False)) for number in out]
        self._told = np.array([told for told, _ in known], np.int64)
        self._is_owed = np.array([owed for _, owed in known], np.bool_)
        every_one = [pair for one in self._watched.values() for pair in one.instances]
        self._lay_series(layout, every_one)
        self._recall()

    def _keep(self) -> None:
        told, owed = self._told.tolist(), self._is_owed.tolist()
        self._saved |= dict(zip(self._out.tolist(), zip(told, owed, strict=True), strict=True))

    def _judge_second(self, second: int) -> list[Values]:
        state = self._step(second)
        value = state.value[self._column_out]
        self._is_owed |= state.fresh[self._column_out]
        rows = np.flatnonzero(
            self._is_owed & np.isfinite(value) & (second >= self._told + self._every)
        )
        if not len(rows):
            return []
        self._told[rows], self._is_owed[rows] = second, False
        return [Values(self._out[rows], second * SECOND, value[rows])]

    def _due(self) -> I64:
        found: I64 = (self._told + self._every)[self._is_owed]
        return found

    def know(self, series: I64, time: I64, value: F64) -> None:
        """Takes last values in that were there before any formula read them."""
        self._settle()
        ours = (series < len(self._column)) & np.isfinite(value)
        series, time, value = series[ours], time[ours], value[ours]
        column = self._column[series]
        new = (column > 0) & (self._state.reported[column] == NEVER)
        self._hold(column[new], time[new], value[new])

    def _hold(self, column: I64, time: I64, value: F64) -> None:
        order = np.argsort(time, kind="stable")
        self._state.value[column[order]] = value[order]
        self._state.reported[column[order]] = -(-time[order] // SECOND)
        self._is_changed = True

    def _take_late(self, series: I64, time: I64, value: F64, received: int) -> None:
        """Notes what must be corrected; a newest reading counts from now on."""
        column, state = self._column[series], self._state
        counted = np.isfinite(value) & (column > 0)
        reported, step = state.reported[column], -(-time // SECOND)
        counted &= ~((reported == step) & (state.value[column] == value))
        newer = counted & (step > reported)
        self._hold(column[newer], time[newer], value[newer])
        for key, one in self._watched.items():
            rows = counted & np.isin(series, self._reads(one))
            for number, at in zip(series[rows].tolist(), time[rows].tolist(), strict=True):
                self._late[key, number] = min(self._late.get((key, number), at), at)

    # -- over restarts ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What it remembers, as JSON."""
        found = self._snapshot()
        self._keep()
        numbers = np.array(list(self._saved), np.int64)
        told = np.array([pair[0] for pair in self._saved.values()], np.int64)
        owed = np.array([pair[1] for pair in self._saved.values()], np.bool_)
        late = [[key, series, time] for (key, series), time in self._late.items()]
        return {**found, "told": packed([numbers, told, owed]), "late": late}

    def restore(self, found: Mapping[str, Any]) -> None:
        """Takes over what `snapshot` gave; formulas may be set before or after."""
        self._restore(found)
        numbers, told, owed = unpacked(found["told"])
        pairs = zip(told.tolist(), owed.tolist(), strict=True)
        self._saved = dict(zip(numbers.tolist(), pairs, strict=True))
        self._late = {(key, series): time for key, series, time in found["late"]}
        self._out = np.zeros(0, np.int64)
        self._told, self._is_owed = np.zeros(0, np.int64), np.zeros(0, np.bool_)
