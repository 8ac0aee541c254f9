"""Delays that silence has ended, until a reading of their rule comes.

Silence decides when nothing has come for some seconds. A reading that comes later than that, of a
time within these seconds, says that it was too early.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64
from gemel.services.rules.table import Table


class Unheard:
    """By rule and twin when the delay ended, ns."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], int] = {}
        self._instances: dict[int, tuple[str, str]] = {}
        self._is_awaited: NDArray[np.bool_] = np.zeros(0, np.bool_)
        """By signal, whether one of these rules reads it."""

    def __bool__(self) -> bool:
        return bool(self._instances)

    def add(self, table: Table, instances: Iterable[int], ends: Iterable[int]) -> None:
        for instance, end in zip(instances, ends, strict=True):
            rule, twin = table.who(instance)
            self._ends[rule.id, twin] = end
            self._await(table, instance)

    def _await(self, table: Table, instance: int) -> None:
        rule, twin = table.who(instance)
        self._instances[instance] = (rule.id, twin)
        group = table.groups[int(table.group[instance])]
        self._is_awaited[group.slots[:, int(table.row[instance])]] = True
        self._is_awaited[0] = False  # what never reported

    def lay_out(self, table: Table) -> None:
        """Finds the instances again in other columns."""
        self._instances = {}
        self._is_awaited = np.zeros(max(table.signals, 1), np.bool_)
        wanted: dict[str, list[str]] = {}
        for rule, twin in self._ends:
            wanted.setdefault(rule, []).append(twin)
        for first, block in zip(table.first.tolist(), table.blocks, strict=False):
            if block.rule.id in wanted:
                rows = {twin: row for row, twin in enumerate(block.twins)}
                for twin in wanted[block.rule.id]:
                    if twin in rows:
                        self._await(table, first + rows[twin])
        self._ends = {pair: self._ends[pair] for pair in self._instances.values()}

    def hear(self, table: Table, series: I64, time: I64, wait: int) -> list[tuple[str, str, int]]:
        """Readings that count; tells which delays had not ended as was thought, and when.

        Args:
            table: the instances.
            series: by reading.
            time: by reading, ns.
            wait: ns after the end of a delay in which a reading says so.
        """
        signal = series + 1
        known = signal < len(self._is_awaited)
        rows = np.flatnonzero(known)[self._is_awaited[signal[known]]]
        early: list[tuple[str, str, int]] = []
        for number in np.unique(signal[rows]).tolist():
            times = time[rows[signal[rows] == number]]
            readers = table.reader[table.start[number] : table.start[number + 1]].tolist()
            for instance in readers:
                pair = self._instances.get(instance)
                if pair is None:
                    continue
                end = self._ends[pair]
                later = times[times > end]
                if len(later):
                    del self._instances[instance], self._ends[pair]
                    if int(later.min()) < end + wait:
                        early.append((*pair, end))
            if not any(instance in self._instances for instance in readers):
                self._is_awaited[number] = False
        return early

    # -- over a restart ------------------------------------------------------------------------

    def snapshot(self) -> list[list[object]]:
        return [[rule, twin, end] for (rule, twin), end in self._ends.items()]

    def restore(self, found: Iterable[Sequence[object]]) -> None:
        """`lay_out` finds the instances."""
        self._ends = {(str(rule), str(twin)): int(str(end)) for rule, twin, end in found}
