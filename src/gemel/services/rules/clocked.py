"""Rules about time and relatives: judged once a second, in order of source time.

`clock` has the buffer and the columns; here is what rules make of each second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.rules.belated import Belated, by_series
from gemel.services.rules.clock import ClockedColumns, Flags
from gemel.services.rules.features import Feature, Inner, Relatives, Silence, seconds_of
from gemel.services.rules.layout import (
    KinOf,
    Layout,
    Series,
    no_relatives,
)
from gemel.services.rules.packing import (
    packed_standing,
    unpacked_standing,
)
from gemel.services.rules.parameters import SettingsOf, adjusted, no_settings
from gemel.services.rules.rule import Rule
from gemel.services.rules.table import NEVER, Standing


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
        self._owners: dict[int, list[str]] | None = None

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
                found |= series_of(kernel.paths, kernel.features, twin, series, self.kin)
            self._reads = np.array(sorted(found), np.int64)
        return self._reads

    def owners(self) -> dict[int, list[str]]:
        """By series, the twins on which its conditions look at it."""
        if self._owners is None:
            self._owners = {}
            kernel = self.rule.kernel
            for twin, series in self.instances:
                for number in series_of(kernel.paths, kernel.features, twin, series, self.kin):
                    self._owners.setdefault(number, []).append(twin)
        return self._owners


def series_of(
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
                found |= series_of(inner.paths, inner.features, name, of_who, kin)
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


class ClockedEngine(ClockedColumns[Flip]):
    """All rules of one lateness.

    Args:
        lateness: ns that readings may take to get here.
        belated: takes the readings that came later.
    """

    def __init__(self, lateness: int, belated: Belated | None = None) -> None:
        super().__init__(lateness)
        self._belated = Belated() if belated is None else belated
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

    def _size(self) -> int:
        return len(self._active)

    # -- what happens --------------------------------------------------------------------------

    def _due(self) -> I64:
        running = self._since != NEVER
        delay = np.where(self._active, self._off, self._hold)
        found: I64 = (self._since + delay)[running]
        return found

    def _too_late(self, series: I64, time: I64, received: int) -> None:
        for rule_id, members in self._members.items():
            rows = np.isin(series, members.reads())
            if rows.any():
                old = self.late.get(rule_id, Late(0, NEVER))
                newest = max(old.newest, int(time[rows].max()))
                self.late[rule_id] = Late(old.count + int(rows.sum()), newest)
                owners = members.owners()
                for number, times in by_series(series[rows], time[rows]):
                    for twin in owners.get(number, ()):
                        self._belated.add(rule_id, twin, number, times, received)

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
        return self._told(at, due[at])

    def _told(self, at: I64, seconds: I64) -> list[Flip]:
        """The flips of instances; little Python for each, as thousands may flip at once."""
        numbers = np.searchsorted(self._first, at, "right") - 1
        rows = (at - self._first[numbers]).tolist()
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
            "late": {key: [late.count, late.newest] for key, late in self.late.items()},
            "rules": {key: packed_standing(m.standing) for key, m in self._members.items()},
        }

    def restore(self, found: Mapping[str, Any]) -> None:
        """Takes over what `snapshot` gave; rules may be set before or after."""
        self._restore(found)
        self.late = {key: Late(*pair) for key, pair in found["late"].items()}
        self._saved = {key: unpacked_standing(doc) for key, doc in found["rules"].items()}
        for key, members in self._members.items():
            members.take(self._saved.pop(key, None))
