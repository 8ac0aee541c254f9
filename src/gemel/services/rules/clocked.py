"""Rules about time and relatives: judged once a second, in order of source time.

`clock` has the buffer and the columns; here is what rules make of each second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.rules.behind import BehindTwins
from gemel.services.rules.belated import Belated, by_series
from gemel.services.rules.clock import ClockedColumns, Flags
from gemel.services.rules.features import longest_window, seconds_of
from gemel.services.rules.layout import (
    KinOf,
    Layout,
    Series,
    no_relatives,
)
from gemel.services.rules.members import Members
from gemel.services.rules.packing import (
    packed_standing,
    unpacked_standing,
)
from gemel.services.rules.parameters import SettingsOf, adjusted, no_settings
from gemel.services.rules.rule import Rule
from gemel.services.rules.table import NEVER, Standing

FOREVER = int(np.iinfo(np.int64).max)


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


@dataclass(frozen=True, slots=True)
class Judged:
    """Instances whose rules have one shape."""

    rows: slice
    evaluate: Callable[[F64, F64], tuple[Flags, Flags]]
    slots: I64
    parameters: F64


class ClockedEngine(ClockedColumns[Flip]):
    """All rules of one lateness.

    Args:
        lateness: ns that readings may take to get here.
        belated: takes the readings that came later.
        is_caught_up: whether somebody judges twins that are behind (`catch_up`); they stand still
            until then. Otherwise their readings are late as any.
    """

    def __init__(
        self, lateness: int, belated: Belated | None = None, *, is_caught_up: bool = False
    ) -> None:
        super().__init__(lateness)
        self._belated = Belated() if belated is None else belated
        self._is_caught_up = is_caught_up
        self._is_old = False
        """Whether what comes is known for long: last values, told again."""
        self.behind = BehindTwins()
        self.bounds: tuple[I64, I64] | None = None
        """By instance, the seconds after which and up to which it is judged; None: all."""
        self.late: dict[str, Late] = {}
        """By rule."""
        self._members: dict[str, Members] = {}
        self._saved: dict[str, Standing] = {}
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

    def in_order(self) -> list[Members]:
        """As `members`, in the order of the columns; after `begin`."""
        return self._order

    def doubt(self, rule_id: str, twin: str, time: int) -> None:
        """What a rule told of a twin may be wrong from a moment on, ns."""
        self._belated.mark(rule_id, twin, time)

    def members(self) -> list[Members]:
        """The instances of each rule."""
        return list(self._members.values())

    def judged_up_to(self, twin: str) -> int:
        """How far the rules of a twin have been judged, ns; NEVER if none was."""
        found = self.behind.twins.get(twin)
        second = self.clock if found is None else found.told
        return NEVER if second is None else second * SECOND

    def watches(self, twin: str) -> bool:
        return twin in self._twins

    def take_back(self, other: ClockedEngine, twins: Iterable[str], second: int) -> None:
        """Twins that were behind and have come as far as this second go on with the rest.

        Args:
            other: the columns in which they were judged; where the instances stand is known.
            twins: which.
            second: the clock of both.
        """
        self._adopt(other, second)
        for twin in twins:
            self.behind.twins.pop(twin, None)
            if twin in self._twins:
                self._seen[self._twins[twin]] = other._seen[other._twins[twin]]
        self.release()

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
        every = [pair for members in self._members.values() for pair in members.instances]
        self._lay_series(layout, every)
        self._who = np.array([self._twins[t] for m in self._order for t in m.twins], np.int64)
        self._recall()
        self.release()

    def _size(self) -> int:
        return len(self._active)

    # -- what happens --------------------------------------------------------------------------

    def _due(self) -> I64:
        running = self._since != NEVER
        delay = np.where(self._active, self._off, self._hold)
        found: I64 = (self._since + delay)[running]
        return found

    def react(
        self, series: I64, time: I64, value: F64, received: int, *, is_old: bool = False
    ) -> list[Flip]:
        """Takes readings in, as all columns do; `is_old`: values that were known before."""
        self._is_old = is_old
        found = super().react(series, time, value, received)
        if len(self.behind):
            listened = series < len(self._twin_of)
            who, when = self._twin_of[series[listened]], time[listened]
            ours = who >= 0
            self.behind.hear(list(self._twins), who[ours], when[ours], received)
        return found

    def _take_late(self, series: I64, time: I64, value: F64, received: int) -> None:
        if self._is_caught_up and not self._is_old:
            who = self._twin_of[series]
            ours = (who >= 0) & (self._column[series] > 0) & np.isfinite(value)
            names = list(self._twins)
            if self.behind.notice(names, self._seen, who[ours], time[ours], received):
                self.release()
        column = self._column[series]
        is_first = (column > 0) & np.isfinite(value) & (self._state.reported[column] == NEVER)
        super()._take_late(series, time, value, received)
        if is_first.any() and not self._is_old:
            self._too_late(series[is_first], time[is_first], received)

    def release(self) -> None:
        """Instances of twins that are behind stand still until they are caught up; others go on."""
        self.bounds = None
        numbers = [self._twins[twin] for twin, _ in self.behind.items() if twin in self._twins]
        if numbers:
            size = len(self._who)
            until = np.where(np.isin(self._who, numbers), NEVER, FOREVER)
            self.bounds = np.full(size, NEVER, np.int64), until

    def _too_late(self, series: I64, time: I64, received: int) -> None:
        again: set[str] = set()
        for rule_id, members in self._members.items():
            rows = np.isin(series, members.reads())
            if not rows.any():
                continue
            owners = members.owners()
            has_windows = longest_window(members.rule.kernel.features) > 0
            for number, times in by_series(series[rows], time[rows]):
                most = times[:0]
                for twin in owners.get(number, ()):
                    left = self.behind.left(twin, times)
                    if len(left):
                        self._belated.add(rule_id, twin, number, left, received)
                        is_newest = -(-int(left.max()) // SECOND) >= self._reported(number)
                        again.update([twin] if has_windows or is_newest else [])
                    most = left if len(left) > len(most) else most
                if len(most):
                    old = self.late.get(rule_id, Late(0, NEVER))
                    newest = max(old.newest, int(most.max()))
                    self.late[rule_id] = Late(old.count + len(most), newest)
        if again and self._is_caught_up and self.clock is not None:
            for twin in again:
                self.behind.look_again(twin, self.clock, self._lag)
            self.release()

    def _reported(self, series: int) -> int:
        """The second of the newest reading that is held of a series; 0 if none is."""
        return max(int(self._state.reported[self._column[series]]), 0)

    def _judge_second(self, second: int) -> list[Flip]:
        state = self._step(second)
        size = len(self._active)
        holds, is_over = np.zeros((2, size), np.bool_)
        for group in self._judged:
            values = state.value[group.slots]
            holds[group.rows], is_over[group.rows] = group.evaluate(values, group.parameters)
        return self._advance(second, holds, is_over)

    def _advance(self, second: int, holds: Flags, is_over: Flags) -> list[Flip]:
        counts = np.where(self._active, is_over, holds)
        since = np.where(self._since == NEVER, second, self._since)
        begun = np.where(counts, since, NEVER)
        if self.bounds is not None:
            begun = np.where(second <= self.bounds[1], begun, self._since)
            counts = counts & (second > self.bounds[0]) & (second <= self.bounds[1])
        self._since[:] = begun
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
        return self._told(at, due[at], second)

    def _told(self, at: I64, due: I64, second: int) -> list[Flip]:
        """The flips of instances; little Python for each, as thousands may flip at once.

        What was due before the latest flip was told is told as of this second.
        """
        numbers = np.searchsorted(self._first, at, "right") - 1
        rows = (at - self._first[numbers]).tolist()
        seconds = np.where(due * SECOND > self._flipped[at], due, second)
        times = np.maximum(seconds * SECOND, self._flipped[at] + 1)
        self._flipped[at] = times
        columns = zip(
            numbers.tolist(),
            rows,
            times.tolist(),
            self._active[at].tolist(),
            self._state.value[self._subject[at]].tolist(),
            strict=True,
        )
        found = []
        for number, row, time, is_raised, value in columns:
            members = self._order[number]
            twin, series = members.instances[row]
            subject = series.get(members.rule.kernel.subject.path, -1)
            kind = "raise" if is_raised else "clear"
            found.append(Flip(members.rule, twin, kind, time, value, subject))
        return found

    # -- over rebuilds and restarts --------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """What it remembers, as JSON; settles first."""
        return {
            **self._snapshot(),
            "behind": self.behind.snapshot(),
            "late": {key: [late.count, late.newest] for key, late in self.late.items()},
            "rules": {key: packed_standing(m.standing) for key, m in self._members.items()},
        }

    def restore(self, found: Mapping[str, Any]) -> None:
        """Takes over what `snapshot` gave; rules may be set before or after."""
        self._restore(found)
        self.behind.restore(found.get("behind", {}))
        self.late = {key: Late(*pair) for key, pair in found["late"].items()}
        self._saved = {key: unpacked_standing(doc) for key, doc in found["rules"].items()}
        for key, members in self._members.items():
            members.take(self._saved.pop(key, None))
