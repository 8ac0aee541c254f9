"""What the engine knows of signals and twins: last values, who lives, what codes of texts mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64, Batch
from gemel.services.rules.snapshot import Memory
from gemel.services.rules.table import NEVER, Table
from gemel.services.rules.text import code_of_json

MOST_WORDS = 10_000
"""Texts remembered to show them in alarms; beyond this, those not current are forgotten."""


class Known:
    """Columns by signal (series + 1) and by twin; they only grow."""

    def __init__(self) -> None:
        self.value: F64 = np.full(1, np.nan)
        self.newest: I64 = np.full(1, NEVER, np.int64)
        self.twins: dict[str, int] = {}
        self.seen: I64 = np.zeros(0, np.int64)
        self.lag: I64 = np.zeros(0, np.int64)
        """How long a twin's newest reading took to get here: its own now is ours less this."""
        self.is_awaited = np.zeros(0, np.bool_)
        self.twin_of: I64 = np.full(0, -1, np.int64)
        self.words: dict[float, str] = {}

    def number_of(self, twin: str) -> int:
        return self.twins.setdefault(twin, len(self.twins))

    def listen(self, twin: int, series: Mapping[str, int]) -> None:
        """From now on these series show that a twin lives."""
        if not series:
            return
        top = max(series.values())
        if top >= len(self.twin_of):
            self.twin_of = longer(self.twin_of, max(top + 1, 2 * len(self.twin_of)), -1)
        self.twin_of[list(series.values())] = twin

    def make_room(self, signals: int) -> None:
        """For so many signals, and all twins there are."""
        self.value = longer(self.value, signals, np.nan)
        self.newest = longer(self.newest, signals, NEVER)
        self.seen = longer(self.seen, len(self.twins), NEVER)
        self.lag = longer(self.lag, len(self.twins), 0)
        self.is_awaited = longer(self.is_awaited, len(self.twins), False)

    def see(self, batch: Batch) -> tuple[int, bool]:
        """Notes that twins are alive; readings of any quality and any property show it.

        Returns:
            By how much readings got here sooner than before, at the most; whether one of the
            twins is awaited.
        """
        if not len(self.seen) or not len(batch):
            return 0, False
        series = batch.series
        listened = series < len(self.twin_of)
        all_listened = bool(listened.all())
        twin = self.twin_of[series if all_listened else series[listened]]
        time = batch.time if all_listened else batch.time[listened]
        ours = (twin >= 0) & (twin < len(self.seen))
        if not ours.all():
            twin, time = twin[ours], time[ours]
        np.maximum.at(self.seen, twin, time)
        is_newest = time == self.seen[twin]
        newest = twin[is_newest]
        lag = np.maximum(batch.received - time[is_newest], 0)
        sooner = int(np.maximum(self.lag[newest] - lag, 0).max(initial=0))
        self.lag[newest] = lag
        return sooner, bool(self.is_awaited[twin].any())

    # -- texts ------------------------------------------------------------------------------------

    def with_text(
        self,
        batch: Batch,
        signal: I64,
        counts: NDArray[np.bool_],
        table: Table,
        current: Callable[[], set[float]],
    ) -> F64:
        """The values of a batch, codes for texts that rules read.

        Args:
            batch: has texts.
            signal: by reading.
            counts: by reading, whether it is read.
            table: who reads what.
            current: all values that are known now.
        """
        value = batch.value.copy()
        for row, text in batch.text.items():
            number = signal[row]
            if counts[row] and table.start[number + 1] > table.start[number]:
                code = code_of_json(text)
                value[row] = code
                self.words[code] = text
        if len(self.words) > MOST_WORDS:
            kept = current() | set(value.tolist())
            self.words = {c: text for c, text in self.words.items() if c in kept}
        return value

    # -- over a restart -----------------------------------------------------------------------

    def take(self, memory: Memory) -> None:
        """Takes over what was remembered."""
        size = max(len(memory.value), len(self.value))
        self.value = longer(memory.value, size, np.nan)
        self.newest = longer(memory.newest, size, NEVER)
        self.words = dict(memory.words)
        numbers = [self.number_of(twin) for twin in memory.seen]
        self.seen = longer(self.seen, len(self.twins), NEVER)
        self.lag = longer(self.lag, len(self.twins), 0)
        self.seen[numbers] = list(memory.seen.values())
        self.lag[numbers] = list(memory.lag.values())


def longer(column: NDArray, size: int, filler: float) -> NDArray:  # type: ignore[type-arg]
    """The column with at least `size` rows."""
    if len(column) >= size:
        return column
    more = np.full(size - len(column), filler, column.dtype)
    return np.concatenate((column, more))
