"""Columns on a clock: readings wait for those that come late, then seconds are judged in order.

What rules (`clocked`) and derived properties (`derived`) share. Readings wait in a buffer until
`lateness` has gone by; then the seconds are judged one by one. A second sees every reading whose
source time is not after it, so the order of arrival within the lateness changes nothing. Seconds
in which nothing can change are passed over. Pure, as `engine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.series import BESIDE
from gemel.services.rules.layout import Layout, Readings, Series, State, WindowsInStep
from gemel.services.rules.packing import packed, unpacked
from gemel.services.rules.parameters import no_settings
from gemel.services.rules.table import NEVER

Flags = NDArray[np.bool_]
Found = TypeVar("Found")
MOST_STEPS, LEAST_STEPS, WORK = 5_000, 100, 20_000_000
"""Seconds judged in one call, and seconds times instances: about a second of computing."""


def _is_once(column: I64, size: int) -> bool:
    """Whether no column repeats."""
    if bool((column[1:] > column[:-1]).all()):
        return True
    scratch = np.zeros(size, np.int64)
    positions = np.arange(len(column))
    scratch[column] = positions
    return bool((scratch[column] == positions).all())


class ClockedColumns(Generic[Found]):
    """Buffer, clock and columns; what is made of them each second is the subclass's.

    Args:
        lateness: ns that readings may take to get here.
    """

    def __init__(self, lateness: int) -> None:
        self.lateness = lateness
        self.clock: int | None = None
        """The newest second that was judged."""
        self._promised = NEVER
        """Readings up to this second come too late, even while it is still to be judged."""
        self._newest = NEVER
        self._lag = 0
        """What the newest reading took to get here, ns: data of last week is judged on its time."""
        self._buffer: dict[int, list[tuple[I64, I64, F64]]] = {}
        self._memory: dict[str, Any] = {}
        self._is_settled = True
        self._is_changed = False
        self._layout = Layout(no_settings)
        self._operations: list[tuple[str, Any]] = []
        self._state = State(np.full(1, np.nan), np.full(1, NEVER, np.int64), np.zeros(1, np.bool_))
        self._column: I64 = np.zeros(1, np.int64)
        self._twin_of: I64 = np.full(1, -1, np.int64)
        self._is_beside = np.zeros(1, np.bool_)
        """Series of what was not measured: they move no clock, and the latest of them counts."""
        self._seen: I64 = np.zeros(0, np.int64)
        self._twins: dict[str, int] = {}

    # -- what a subclass says ------------------------------------------------------------------

    def _settle(self) -> None:
        """Lays the columns out after something has changed."""
        raise NotImplementedError

    def _judge_second(self, second: int) -> list[Found]:
        """What follows from one second; calls `_step` first."""
        raise NotImplementedError

    def _due(self) -> I64:
        """Seconds at which something changes by itself."""
        return np.zeros(0, np.int64)

    def _too_late(self, series: I64, time: I64, received: int) -> None:
        """Told of readings that count and came after their second."""

    def _size(self) -> int:
        """How many instances there are."""
        raise NotImplementedError

    # -- layout --------------------------------------------------------------------------------

    def _lay_series(self, layout: Layout, instances: Iterable[tuple[str, Series]]) -> None:
        twins: dict[str, int] = {}
        listened: dict[int, int] = {}
        beside: set[int] = set()
        for twin, series in instances:
            number = twins.setdefault(twin, len(twins))
            for path, one in series.items():
                if BESIDE in path:
                    beside.add(one)
                else:
                    listened[one] = number
        self._twins = twins
        self._seen = np.full(len(twins), NEVER, np.int64)
        top = max([*listened, *layout.series, *beside, 0]) + 1
        self._column = np.zeros(top, np.int64)
        self._twin_of = np.full(top, -1, np.int64)
        self._is_beside = np.zeros(top, np.bool_)
        self._column[list(layout.series)] = list(layout.series.values())
        self._twin_of[list(listened)] = list(listened.values())
        self._is_beside[list(beside)] = True
        self._state = State(
            np.full(layout.size, np.nan),
            np.full(layout.size, NEVER, np.int64),
            np.zeros(layout.size, np.bool_),
        )

    # -- what happens --------------------------------------------------------------------------

    def react(self, series: I64, time: I64, value: F64, received: int) -> list[Found]:
        """Takes readings in; a value that does not count is NaN and only shows that the twin lives.

        Judges first what is due by `received`, as `tick` would have.
        """
        found = self.tick(received)
        known = series < len(self._column)
        if not known.all():
            series, time, value = series[known], time[known], value[known]
        ours = (self._column[series] > 0) | (self._twin_of[series] >= 0)
        if not ours.all():
            series, time, value = series[ours], time[ours], value[ours]
        if not len(series):
            return found
        step = -(-time // SECOND)
        is_measured = ~self._is_beside[series]
        newest = int(time[is_measured].max(initial=NEVER))
        if newest > self._newest:
            self._newest, self._lag = newest, max(received - newest, 0)
        if self.clock is None and self._newest != NEVER:
            limit = (received - self._lag - self.lateness) // SECOND
            self.clock = self._promised = min(int(step.min()), limit, *self._buffer) - 1
        low, high = int(step.min()), int(step.max())
        if low <= self._promised:
            in_time = step > self._promised
            self._take_late(series[~in_time], time[~in_time], value[~in_time], received)
            series, time, value, step = (
                series[in_time],
                time[in_time],
                value[in_time],
                step[in_time],
            )
            low = high if not len(step) else int(step.min())
        if low == high and len(step):
            self._buffer.setdefault(low, []).append((series, time, value))
        elif len(step):
            self._partition(series, time, value, step)
        return found

    def _partition(self, series: I64, time: I64, value: F64, step: I64) -> None:
        order = np.argsort(step, kind="stable")
        ordered = step[order]
        cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        for rows in np.split(order, cuts):
            at = int(step[rows[0]])
            self._buffer.setdefault(at, []).append((series[rows], time[rows], value[rows]))

    def _take_late(self, series: I64, time: I64, value: F64, received: int) -> None:
        """Takes in what was known before a rule was made; notes what came too late to count."""
        column, state = self._column[series], self._state
        reported = state.reported[column]
        counted = np.isfinite(value) & (column > 0)
        is_first = np.flatnonzero(counted & (reported == NEVER))
        if len(is_first):
            order = is_first[np.lexsort((value[is_first], time[is_first]))]
            state.value[column[order]] = value[order]
            state.reported[column[order]] = -(-time[order] // SECOND)
            self._is_changed = True
        same = (reported == -(-time // SECOND)) & (state.value[column] == value)
        counted &= (reported != NEVER) & ~same
        if not counted.any():
            return
        self._too_late(series[counted], time[counted], received)

    def tick(self, now: int) -> list[Found]:
        """Judges every second up to `now`, less the lag of the readings, less the lateness.

        After a long backlog it does so in parts: what is left is done by the next calls.
        """
        self._settle()
        if self.clock is None:
            return []
        limit = max(self._promised, (now - self._lag - self.lateness) // SECOND)
        self._promised = limit
        found: list[Found] = []
        for _ in range(max(LEAST_STEPS, min(MOST_STEPS, WORK // max(self._size(), 1)))):
            if self.clock >= limit:
                break
            following = self._next(limit)
            if following is None:
                self.clock = limit
                break
            self.clock = following
            found += self._judge_second(following)
        return found

    def begin(self) -> None:
        """Lays the columns out, if anything has changed."""
        self._settle()

    def start(self, second: int, known: Iterable[tuple[int, int, float]]) -> None:
        """Sets the clock; what is put in is judged from there on.

        Args:
            second: it stands here.
            known: series, time and value of what was known then.
        """
        self.clock = self._promised = second
        self._is_changed = True
        for number, time, value in known:
            column, who, step = self._column[number], self._twin_of[number], -(-time // SECOND)
            if column and np.isfinite(value):
                self._state.value[column], self._state.reported[column] = value, step
            if who >= 0:
                self._seen[who] = max(self._seen[who], step)

    def put(self, series: I64, time: I64, value: F64) -> None:
        """Takes readings of seconds to come."""
        if len(series):
            self._partition(series, time, value, -(-time // SECOND))

    def run(self, end: int) -> list[Found]:
        """Judges all seconds up to one, and that one even if nothing changes in it."""
        found: list[Found] = []
        while (following := self._next(end)) is not None:
            self.clock = following
            found += self._judge_second(following)
        if self.clock != end:
            self.clock = end
            found += self._judge_second(end)
        return found

    def series_heard(self) -> list[int]:
        """What is read, and what tells that a twin lives."""
        return np.flatnonzero((self._column > 0) | (self._twin_of >= 0)).tolist()

    def _next(self, limit: int) -> int | None:
        """The next second, not after the limit, at which anything can change."""
        clock = self.clock or 0
        if self._is_changed or clock + 1 in self._buffer:
            return clock + 1
        candidates = [step for step in self._buffer if step > clock]
        for _, operation in self._operations:
            if isinstance(operation, WindowsInStep):
                due = operation.columns.next_change()
            else:
                due = operation.next_change(clock, self._state)
            if due is not None:
                candidates.append(due)
        due_runs = self._due()
        due_runs = due_runs[due_runs > clock]
        if len(due_runs):
            candidates.append(int(due_runs.min()))
        found = min(candidates, default=limit + 1)
        return max(found, clock + 1) if found <= limit else None

    def _step(self, second: int) -> State:
        """Takes in the readings of a second and computes all columns."""
        state = self._state
        state.fresh[:] = False
        readings = self._readings(second)
        for _, operation in self._operations:
            operation.step(second, state, readings)
        self._is_changed = False
        return state

    def _readings(self, second: int) -> Readings:
        parts = self._buffer.pop(second, [])
        if not parts:
            return Readings(np.zeros(0, np.int64), np.zeros(0))
        series, time, value = parts[0]
        if len(parts) > 1:
            series = np.concatenate([part[0] for part in parts])
            time = np.concatenate([part[1] for part in parts])
            value = np.concatenate([part[2] for part in parts])
        inside = series < len(self._column)
        if not inside.all():
            series, time, value = series[inside], time[inside], value[inside]
        twin = self._twin_of[series]
        self._seen[twin[twin >= 0]] = second
        column = self._column[series]
        counts = (column > 0) & np.isfinite(value)
        if not counts.all():
            series, column = series[counts], column[counts]
            time, value = time[counts], value[counts]
        state = self._state
        is_once = _is_once(column, len(state.value))
        if not is_once:
            beside = self._is_beside[series]
            rank = np.where(beside, np.arange(len(value), dtype=np.float64), value)
            order = np.lexsort((rank, time, column))
            column, time, value = column[order], time[order], value[order]
            keep = np.ones(len(column), np.bool_)
            keep[:-1] = (column[1:] != column[:-1]) | (time[1:] != time[:-1])
            column, value = column[keep], value[keep]
        state.value[column] = value  # of one column the last, which is the newest, stays
        state.reported[column] = second
        state.fresh[column] = True
        return Readings(column, value, is_once)

    def values(self) -> set[float]:
        """The values that are known or wait: codes of texts that may still be shown."""
        waiting = [part[2] for parts in self._buffer.values() for part in parts]
        return set(np.concatenate([self._state.value, *waiting]).tolist())

    def reads(self, series: int) -> bool:
        """Whether any rule reads a series."""
        self._settle()
        return series < len(self._column) and bool(self._column[series])

    # -- over rebuilds and restarts --------------------------------------------------------------

    def _remember(self) -> None:
        """Keeps what columns hold by series, twin and feature while they are laid out anew."""
        if not self._operations and not self._layout.series:
            return
        state, layout = self._state, self._layout
        columns = np.array([*layout.series.values(), *layout.computed.values()], np.int64)
        self._memory = {
            "series": list(layout.series),
            "computed": list(layout.computed),
            "value": state.value[columns],
            "reported": state.reported[columns],
            "twins": list(self._twins),
            "seen": self._seen,
            "windows": {
                name: operation.columns.state()
                for name, operation in self._operations
                if isinstance(operation, WindowsInStep)
            },
        }

    def _recall(self) -> None:
        memory, state = self._memory, self._state
        if not memory:
            return
        keys: list[int | str] = [*memory["series"], *memory["computed"]]
        pairs = [
            (column, i)
            for i, key in enumerate(keys)
            if (column := self._column_of(key)) is not None
        ]
        if pairs:
            here, there = np.array(pairs, np.int64).T
            state.value[here] = memory["value"][there]
            state.reported[here] = memory["reported"][there]
        for twin, seen in zip(memory["twins"], memory["seen"].tolist(), strict=True):
            if twin in self._twins:
                self._seen[self._twins[twin]] = seen
        for name, operation in self._operations:
            if name in memory["windows"]:
                operation.columns.take(memory["windows"][name])

    def _adopt(self, other: ClockedColumns[Found], second: int) -> None:
        """Takes over what another, which has come as far, holds by series and feature."""
        keys: list[int | str] = [*other._layout.series, *other._layout.computed]
        pairs = [
            (mine, theirs)
            for key in keys
            if (mine := self._column_of(key)) is not None
            and (theirs := other._column_of(key)) is not None
        ]
        here, there = np.array(pairs, np.int64).reshape(-1, 2).T
        newer = other._state.reported[there] >= self._state.reported[here]
        here, there = here[newer], there[newer]
        self._state.value[here] = other._state.value[there]
        self._state.reported[here] = other._state.reported[there]
        operations = dict(other._operations)
        for name, operation in self._operations:
            found = operations.get(name)
            if isinstance(operation, WindowsInStep) and isinstance(found, WindowsInStep):
                operation.columns.adopt(found.columns, second, self._state.value)
        self._is_changed = True

    def _column_of(self, key: int | str) -> int | None:
        if isinstance(key, str):
            return self._layout.computed.get(key)
        return self._layout.series.get(key)

    def _snapshot(self) -> dict[str, Any]:
        """What it remembers, as JSON; settles first."""
        self._settle()
        self._remember()
        buffer = [part for parts in self._buffer.values() for part in parts]
        return {
            "clock": self.clock,
            "promised": self._promised,
            "newest": self._newest,
            "lag": self._lag,
            "buffer": packed([list(part) for part in buffer]),
            "memory": packed(self._memory),
            "isChanged": self._is_changed,
        }

    def _restore(self, found: Mapping[str, Any]) -> None:
        """Takes over what `_snapshot` gave; what is watched may be set before or after."""
        self.clock, self._promised = found["clock"], found["promised"]
        self._newest, self._lag = found["newest"], found["lag"]
        self._memory = unpacked(found["memory"])
        self._buffer = {}
        for series, time, value in unpacked(found["buffer"]):
            self._partition(series, time, value, -(-time // SECOND))
        self._operations, self._layout = [], Layout(no_settings)
        self._is_settled = False
