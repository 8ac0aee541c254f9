"""Rules about time and relatives: judged once a second, in order of source time.

Readings wait in a buffer until `lateness` has gone by; then the seconds are judged one by one. A
second sees every reading whose source time is not after it, so the order of arrival within the
lateness changes nothing. Seconds in which nothing can change are passed over. Pure, as `engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.rules.features import Feature, Inner, Relatives, Silence, seconds_of
from gemel.services.rules.layout import (
    KinOf,
    Layout,
    Readings,
    Series,
    State,
    WindowsInStep,
    no_relatives,
)
from gemel.services.rules.packing import (
    packed,
    packed_standing,
    unpacked,
    unpacked_standing,
)
from gemel.services.rules.parameters import SettingsOf, adjusted, no_settings
from gemel.services.rules.rule import Rule
from gemel.services.rules.table import NEVER, Standing

Flags = NDArray[np.bool_]
MOST_STEPS, LEAST_STEPS, WORK = 5_000, 100, 20_000_000
"""Seconds judged in one call, and seconds times instances: about a second of computing."""


@dataclass(frozen=True, slots=True)
class Late:
    """Readings that came after their second had been judged: they moved no rule."""

    count: int
    newest: int
    """Source time of the newest of them."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A rule raises or clears on a twin."""

    rule: Rule
    twin: str
    kind: str
    time: int
    value: float
    series: int


class Members:
    """The instances of one rule; columns are views into the engine's once it is laid out."""

    def __init__(
        self, rule: Rule, instances: Sequence[tuple[str, Series]], kin: KinOf, settings: SettingsOf
    ) -> None:
        self.rule, self.kin, self.settings = rule, kin, settings
        self.instances = list(instances)
        self.twins = [twin for twin, _ in instances]
        size = len(self.twins)
        self.active = np.zeros(size, np.bool_)
        self.since: I64 = np.full(size, NEVER, np.int64)
        self.flipped: I64 = np.full(size, NEVER, np.int64)
        self._reads: I64 | None = None

    @property
    def standing(self) -> Standing:
        never: I64 = np.full(len(self.twins), NEVER, np.int64)
        return Standing(
            self.rule.kernel.identity, self.twins, self.active, self.since, never, self.flipped
        )

    def take(self, old: Standing | None) -> None:
        if old is None:
            return
        is_same = old.condition == self.rule.kernel.identity
        rows = {twin: i for i, twin in enumerate(old.twins)}
        pairs = [(i, rows[t]) for i, t in enumerate(self.twins) if t in rows]
        if not pairs:
            return
        here, there = np.array(pairs, np.int64).T
        for name in ("active", "since", "flipped") if is_same else ("flipped",):
            getattr(self, name)[here] = getattr(old, name)[there]

    def reads(self) -> I64:
        """The series that its conditions look at, those of relatives too."""
        if self._reads is None:
            found: set[int] = set()
            kernel = self.rule.kernel
            for twin, series in self.instances:
                found |= _series_of(kernel.paths, kernel.features, twin, series, self.kin)
            self._reads = np.array(sorted(found), np.int64)
        return self._reads


def _series_of(
    paths: Sequence[str], features: Mapping[str, Feature], twin: str, series: Series, kin: KinOf
) -> set[int]:
    found: set[int] = set()
    for path in paths:
        feature = features.get(path)
        inner = feature if isinstance(feature, Inner) else getattr(feature, "inner", None)
        source = path if feature is None else getattr(feature, "source", "")
        if isinstance(feature, Silence):
            source = feature.path
        who = kin(twin, feature.relation) if isinstance(feature, Relatives) else [(twin, series)]
        for name, of_who in who:
            if inner is not None:
                found |= _series_of(inner.paths, inner.features, name, of_who, kin)
            elif source in of_who:
                found.add(of_who[source])
    return found


@dataclass(frozen=True, slots=True)
class Judged:
    """Instances whose rules have one shape."""

    rows: slice
    evaluate: Callable[[F64, F64], tuple[Flags, Flags]]
    slots: I64
    parameters: F64


class ClockedEngine:
    """All rules of one lateness.

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
        self.late: dict[str, Late] = {}
        """By rule."""
        self._members: dict[str, Members] = {}
        self._buffer: dict[int, list[tuple[I64, I64, F64]]] = {}
        self._memory: dict[str, Any] = {}
        self._saved: dict[str, Standing] = {}
        self._is_settled = True
        self._is_changed = False
        self._layout = Layout(no_settings)
        self._operations: list[tuple[str, Any]] = []
        self._state = State(np.full(1, np.nan), np.full(1, NEVER, np.int64), np.zeros(1, np.bool_))
        self._column: I64 = np.zeros(1, np.int64)
        self._twin_of: I64 = np.full(1, -1, np.int64)
        self._seen: I64 = np.zeros(0, np.int64)
        self._judged: list[Judged] = []
        self._order: list[Members] = []
        self._first: I64 = np.zeros(1, np.int64)
        self._active = np.zeros(0, np.bool_)
        self._since: I64 = np.zeros(0, np.int64)
        self._flipped: I64 = np.zeros(0, np.int64)
        self._hold: I64 = np.zeros(0, np.int64)
        self._off: I64 = np.zeros(0, np.int64)
        self._stale: I64 = np.zeros(0, np.int64)
        self._is_patient = np.zeros(0, np.bool_)
        """Rules that speak about time or relatives say themselves when silence counts."""
        self._who: I64 = np.zeros(0, np.int64)
        self._subject: I64 = np.zeros(0, np.int64)
        self._twins: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(members.twins) for members in self._members.values())

    # -- what is watched -----------------------------------------------------------------------

    def set_rule(
        self,
        rule: Rule,
        instances: Sequence[tuple[str, Series]],
        kin: KinOf = no_relatives,
        settings: SettingsOf = no_settings,
    ) -> None:
        members = Members(rule, instances, kin, settings)
        old = self._members.get(rule.id)
        members.take(old.standing if old else self._saved.pop(rule.id, None))
        self._members[rule.id] = members
        self._is_settled = False

    @property
    def rules(self) -> list[str]:
        return list(self._members)

    def instances(self, rule_id: str) -> Members | None:
        return self._members.get(rule_id)

    def drop_rule(self, rule_id: str) -> Standing | None:
        """Forgets a rule; what is returned says where its instances stood."""
        found = self._members.pop(rule_id, None)
        self.late.pop(rule_id, None)
        self._is_settled = False
        return found.standing if found else None

    def _settle(self) -> None:
        if self._is_settled:
            return
        self._remember()
        self._is_settled = self._is_changed = True
        layout = self._layout = Layout(no_settings)
        self._order = []
        groups: dict[tuple[str, int], list[Members]] = {}
        for members in self._members.values():
            kernel = members.rule.kernel
            groups.setdefault((kernel.shape, len(kernel.paths)), []).append(members)
        self._judged, first = [], 0
        for group in groups.values():
            size = sum(len(members.twins) for members in group)
            self._judged.append(self._judge(group, slice(first, first + size), layout))
            self._order += group
            first += size
        self._lay_out(layout)

    def _judge(self, group: Sequence[Members], rows: slice, layout: Layout) -> Judged:
        slots, parameters = [], []
        kernel = group[0].rule.kernel
        for members in group:
            layout.settings = members.settings
            rule = members.rule.kernel
            for twin, series in members.instances:
                slots.append(
                    [layout.of(p, rule.features, twin, series, members.kin) for p in rule.paths]
                )
                own = members.settings(twin) if rule.named else {}
                parameters.append(adjusted(rule.parameters, rule.named, own))
        size = rows.stop - rows.start
        return Judged(
            rows,
            kernel.evaluate,
            np.ascontiguousarray(np.array(slots, np.int64).reshape(size, len(kernel.paths)).T),
            np.ascontiguousarray(
                np.array(parameters, np.float64).reshape(size, len(kernel.parameters)).T
            ),
        )

    def _lay_out(self, layout: Layout) -> None:
        self._operations = layout.operations()
        sizes = [len(members.twins) for members in self._order]
        self._first = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        joined = {
            name: np.concatenate([getattr(m, name) for m in self._order] or [np.zeros(0, kind)])
            for name, kind in (("active", np.bool_), ("since", np.int64), ("flipped", np.int64))
        }
        self._active, self._since = joined["active"], joined["since"]
        self._flipped = joined["flipped"]
        for i, members in enumerate(self._order):
            rows = slice(int(self._first[i]), int(self._first[i + 1]))
            members.active, members.since = self._active[rows], self._since[rows]
            members.flipped = self._flipped[rows]

        def each(of: Callable[[Rule], int]) -> I64:
            numbers = np.array([of(members.rule) for members in self._order], np.int64)
            return np.repeat(numbers, sizes)

        self._hold = each(lambda rule: seconds_of(rule.kernel.hold))
        self._off = each(lambda rule: seconds_of(rule.kernel.off))
        self._stale = each(lambda rule: round(rule.stale_after))
        self._is_patient = each(lambda rule: bool(rule.kernel.features)).astype(np.bool_)
        slots = [j.slots[0] for j in self._judged]
        self._subject = np.concatenate(slots or [np.zeros(0, np.int64)])
        self._lay_series(layout)
        self._recall()

    def _lay_series(self, layout: Layout) -> None:
        twins: dict[str, int] = {}
        listened: dict[int, int] = {}
        for members in self._members.values():
            for twin, series in members.instances:
                number = twins.setdefault(twin, len(twins))
                for one in series.values():
                    listened[one] = number
        self._twins = twins
        who = [twins[t] for members in self._order for t in members.twins]
        self._who = np.array(who, np.int64)
        self._seen = np.full(len(twins), NEVER, np.int64)
        top = max([*listened, *layout.series, 0]) + 1
        self._column = np.zeros(top, np.int64)
        self._twin_of = np.full(top, -1, np.int64)
        self._column[list(layout.series)] = list(layout.series.values())
        self._twin_of[list(listened)] = list(listened.values())
        self._state = State(
            np.full(layout.size, np.nan),
            np.full(layout.size, NEVER, np.int64),
            np.zeros(layout.size, np.bool_),
        )

    # -- what happens --------------------------------------------------------------------------

    def react(self, series: I64, time: I64, value: F64, received: int) -> list[Flip]:
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
        newest = int(time.max())
        if newest > self._newest:
            self._newest, self._lag = newest, max(received - newest, 0)
        if self.clock is None:
            limit = (received - self._lag - self.lateness) // SECOND
            self.clock = self._promised = min(int(step.min()), limit) - 1
        low, high = int(step.min()), int(step.max())
        if low <= self._promised:
            in_time = step > self._promised
            self._take_late(series[~in_time], time[~in_time], value[~in_time])
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

    def _take_late(self, series: I64, time: I64, value: F64) -> None:
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
        series, time = series[counted], time[counted]
        for rule_id, members in self._members.items():
            rows = np.isin(series, members.reads())
            if rows.any():
                old = self.late.get(rule_id, Late(0, NEVER))
                newest = max(old.newest, int(time[rows].max()))
                self.late[rule_id] = Late(old.count + int(rows.sum()), newest)

    def tick(self, now: int) -> list[Flip]:
        """Judges every second up to `now`, less the lag of the readings, less the lateness.

        After a long backlog it does so in parts: what is left is done by the next calls.
        """
        self._settle()
        if self.clock is None:
            return []
        limit = max(self._promised, (now - self._lag - self.lateness) // SECOND)
        self._promised = limit
        found: list[Flip] = []
        for _ in range(max(LEAST_STEPS, min(MOST_STEPS, WORK // max(len(self._active), 1)))):
            if self.clock >= limit:
                break
            following = self._next(limit)
            if following is None:
                self.clock = limit
                break
            self.clock = following
            found += self._judge_second(following)
        return found

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

    def _due(self) -> I64:
        running = self._since != NEVER
        delay = np.where(self._active, self._off, self._hold)
        found: I64 = (self._since + delay)[running]
        return found

    def _judge_second(self, second: int) -> list[Flip]:
        state = self._state
        state.fresh[:] = False
        readings = self._readings(second)
        for _, operation in self._operations:
            operation.step(second, state, readings)
        self._is_changed = False
        size = len(self._active)
        holds, is_over = np.zeros((2, size), np.bool_)
        for group in self._judged:
            values = state.value[group.slots]
            holds[group.rows], is_over[group.rows] = group.evaluate(values, group.parameters)
        return self._advance(second, holds, is_over)

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
            column, time, value = column[counts], time[counts], value[counts]
        state = self._state
        scratch = np.zeros(len(state.value), np.int64)
        positions = np.arange(len(column))
        scratch[column] = positions
        is_once = bool((scratch[column] == positions).all())
        if not is_once:
            order = np.lexsort((value, time, column))
            column, time, value = column[order], time[order], value[order]
            keep = np.ones(len(column), np.bool_)
            keep[:-1] = (column[1:] != column[:-1]) | (time[1:] != time[:-1])
            column, value = column[keep], value[keep]
        state.value[column] = value  # of one column the last, which is the newest, stays
        state.reported[column] = second
        state.fresh[column] = True
        return Readings(column, value, is_once)

    def _advance(self, second: int, holds: Flags, is_over: Flags) -> list[Flip]:
        counts = np.where(self._active, is_over, holds)
        since = np.where(self._since == NEVER, second, self._since)
        self._since[:] = np.where(counts, since, NEVER)
        if not counts.any():
            return []
        due = since + np.where(self._active, self._off, self._hold)
        flips = counts & (due <= second)
        at = np.flatnonzero(flips)
        if not len(at):
            return []
        is_alive = self._seen[self._who[at]] >= due[at] - self._stale[at]
        at = at[is_alive | self._is_patient[at]]
        self._active[at] ^= True
        self._since[at] = NEVER
        return [self._told(i, t) for i, t in zip(at.tolist(), due[at].tolist(), strict=True)]

    def _told(self, instance: int, second: int) -> Flip:
        number = int(np.searchsorted(self._first, instance, "right")) - 1
        members = self._order[number]
        time = max(second * SECOND, int(self._flipped[instance]) + 1)
        self._flipped[instance] = time
        column = int(self._subject[instance])
        row = instance - int(self._first[number])
        twin, series = members.instances[row]
        kind = "raise" if self._active[instance] else "clear"
        subject = series.get(members.rule.kernel.subject.path, -1)
        return Flip(members.rule, twin, kind, time, float(self._state.value[column]), subject)

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

    def _column_of(self, key: int | str) -> int | None:
        if isinstance(key, str):
            return self._layout.computed.get(key)
        return self._layout.series.get(key)

    def snapshot(self) -> dict[str, Any]:
        """What it remembers, as JSON; settles first."""
        self._settle()
        self._remember()
        buffer = [part for parts in self._buffer.values() for part in parts]
        return {
            "clock": self.clock,
            "promised": self._promised,
            "newest": self._newest,
            "lag": self._lag,
            "late": {key: [late.count, late.newest] for key, late in self.late.items()},
            "rules": {key: packed_standing(m.standing) for key, m in self._members.items()},
            "buffer": packed([list(part) for part in buffer]),
            "memory": packed(self._memory),
            "isChanged": self._is_changed,
        }

    def restore(self, found: Mapping[str, Any]) -> None:
        """Takes over what `snapshot` gave; rules may be set before or after."""
        self.clock, self._promised = found["clock"], found["promised"]
        self._newest, self._lag = found["newest"], found["lag"]
        self.late = {key: Late(*pair) for key, pair in found["late"].items()}
        self._memory = unpacked(found["memory"])
        self._saved = {key: unpacked_standing(doc) for key, doc in found["rules"].items()}
        for key, members in self._members.items():
            members.take(self._saved.pop(key, None))
        self._buffer = {}
        for series, time, value in unpacked(found["buffer"]):
            self._partition(series, time, value, -(-time // SECOND))
        self._operations, self._layout = [], Layout(no_settings)
        self._is_settled = False
