"""The commonest rules, one signal against one limit, judged in one pass by compiled code.

`Plain` holds their columns beside the table's. The same is done for all rules by `moments` and
`runs` with numpy, which go on alone where nothing is compiled, where a signal has readings out of
order, and for signals that other rules read too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.services.rules.table import Table

SHAPE = re.compile(r"\(x0(>=|>|<=|<)p(\d)\)(?:/\(x0\1p(\d)~p(\d)\))?")
"""Of kernels: the subject against a parameter, which a deadband shifts while an alarm stands."""
SIGNS = {">": 1, ">=": 2, "<": 3, "<=": 4}


class Plain:
    """By instance the sign and limits; by signal whether all its readers are plain."""

    def __init__(self, table: Table) -> None:
        self.sign = np.zeros(table.size, np.uint8)
        self.limit: F64 = np.full(table.size, np.nan)
        self.back: F64 = np.full(table.size, np.nan)
        """The limit while an alarm stands ..."""
        self.shift: F64 = np.zeros(table.size)
        """... for the value with this added."""
        for number, group in enumerate(table.groups):
            found = SHAPE.fullmatch(group.shape)
            if found is not None:
                rows = np.flatnonzero(table.group == number)
                self._take(rows, group.parameters[:, table.row[rows]], found.groups())
        self.signals: NDArray[np.uint8] = np.ones(table.signals, np.uint8)
        counts = table.start[1:] - table.start[:-1]
        of_entry = np.repeat(np.arange(len(counts)), counts)
        self.signals[of_entry[self.sign[table.reader] == 0]] = 0
        self.is_any = bool(self.sign.any())

    def _take(self, rows: NDArray[np.intp], parameters: F64, found: Sequence[str | None]) -> None:
        sign, limit, back, shift = found
        self.sign[rows] = SIGNS[str(sign)]
        self.limit[rows] = self.back[rows] = parameters[int(limit or 0)]
        if back is not None and shift is not None:
            self.back[rows], self.shift[rows] = parameters[int(back)], parameters[int(shift)]

    def columns(
        self,
        table: Table,
        readings: tuple[NDArray, ...],  # type: ignore[type-arg]
        signals: tuple[I64, F64, I64],
        twins: tuple[NDArray, ...],  # type: ignore[type-arg]
    ) -> tuple[NDArray, ...]:  # type: ignore[type-arg]
        """All that `core.fast.judge` takes, in its order."""
        newest, known, scratch = signals
        return (
            *readings,
            table.start, self.signals, newest, known, scratch,
            table.reader,
            self.sign, self.limit, self.back, self.shift, table.active, table.since, table.moment,
            table.hold, table.off, table.twin,
            *twins,
        )  # fmt: skip
