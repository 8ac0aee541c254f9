"""Rules over batches: `react` takes readings in and returns which rules raise and clear.

Pure: what it returns depends on the rules and the batches alone, so replaying the batches of a log
gives the same transitions. docs/reference/rules.md states the semantics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from gemel.core import fast
from gemel.core.batch import I64, Batch
from gemel.core.clock import SECOND
from gemel.core.quality import Quality
from gemel.services.rules import catch_up
from gemel.services.rules.clocked import ClockedEngine, Flip
from gemel.services.rules.moments import (
    Moments,
    Readings,
    expand,
    in_order,
    in_time_order,
    now_known,
)
from gemel.services.rules.noting import note_doubtful, note_late, note_overtaken, told_in_part
from gemel.services.rules.plain import Plain
from gemel.services.rules.rule import Rule
from gemel.services.rules.runs import Moved, advance, advance_single
from gemel.services.rules.table import NEVER, Table
from gemel.services.rules.text import code_of_json
from gemel.services.rules.transition import Transition, by_time
from gemel.services.rules.watched import WatchedRules

FOREVER = int(np.iinfo(np.int64).max)


class RuleEngine(WatchedRules):
    """All rules on all twins.

    Args:
        delivery: seconds that a reading may take to get here. `tick` waits so long before it
            takes silence for "nothing has changed".
        is_caught_up: whether somebody judges twins whose readings come late in order (`behind`);
            clocked rules stand still on them until then.
    """

    def __init__(self, delivery: float = 2.0, *, is_caught_up: bool = False) -> None:
        super().__init__(is_caught_up=is_caught_up)
        self.delivery = round(delivery * SECOND)
        self._wait = max(self.delivery, 1)
        """So long after a delay has ended silence has ended it."""
        self._table = Table([])
        self._plain = Plain(self._table)
        self._scratch: I64 = np.zeros(0, np.int64)
        self._is_old = False
        self._last_moment = NEVER
        """The newest moment of any instance that several signals move."""

    def _settle(self) -> list[Transition]:
        """Builds the columns after rules have changed and evaluates instances that are new."""
        if self._is_settled:
            return []
        self._is_settled = True
        known = self._known
        self._table = table = Table(list(self._blocks.values()))
        self._plain = Plain(table)
        known.make_room(table.signals)
        self._unheard.lay_out(table)
        self._scratch = np.zeros(max(table.size, table.signals), np.int64)
        self._next_due = 0
        self._last_moment = int(table.moment.max(initial=NEVER))
        new = np.flatnonzero(table.moment == NEVER)
        moment = np.full(table.size, NEVER, np.int64)
        for number, group in enumerate(table.groups):
            mine = np.flatnonzero(table.group == number)
            moment[mine] = known.newest[group.slots[:, table.row[mine]]].max(axis=0)
        new = new[moment[new] != NEVER]
        if not len(new):
            return []
        return self._evaluate(now_known(table, new, moment[new], known.value))

    # -- what happens -------------------------------------------------------------------------

    def react(self, batch: Batch, *, is_old: bool = False) -> list[Transition]:
        """Takes readings in; `is_old`: those that were known before, told for new instances.

        Silence up to `batch.received` is judged first (see `tick`), so that replaying a log gives
        what happened live.

        Cost: about 10 numpy operations over the readings that rules read, whatever the number of
        readings; Python work only for each transition and each text that a rule reads.
        """
        found = self._settle()
        self._is_old = is_old
        if batch.received >= self._next_due:
            found += self._silence(batch.received)
        if self._unheard:
            self._hear(batch)
        found += self._judge(batch)
        for engine in self._clocked.values():
            found += self._react_clocked(engine, batch, is_old=is_old)
        return by_time(found)

    def _hear(self, batch: Batch) -> None:
        """Notes where silence was taken for an answer too early."""
        counts = (batch.quality < Quality.BAD) & (np.isfinite(batch.value) | bool(batch.text))
        series = batch.series[counts].astype(np.int64)
        for rule, twin, end in self._unheard.hear(
            self._table, series, batch.time[counts], self._wait
        ):
            self.belated.mark(rule, twin, end)

    def _judge(self, batch: Batch) -> list[Transition]:
        rest: NDArray[np.bool_] | None = None
        found: list[Transition] = []
        if fast.IS_COMPILED and self._plain.is_any and len(batch):
            rest, found = self._judge_plain(batch)
        else:
            sooner, is_awaited = self._known.see(batch)
            self._next_due = 0 if is_awaited else self._next_due - sooner
        if rest is None or rest.any():
            readings = self._readings(batch, rest)
            if len(readings.signal):
                found += self._evaluate(self._moments(readings, batch.received))
        return found

    def _judge_plain(self, batch: Batch) -> tuple[NDArray[np.bool_] | None, list[Transition]]:
        """What compiled code can judge, and which readings are left; None if all are."""
        rest = np.zeros(len(batch), np.bool_)
        readings = (batch.series, batch.time, batch.value, batch.quality)
        signals = (self._known.newest, self._known.value, self._scratch)
        twins = (self._known.twin_of, self._known.seen, self._known.lag, self._known.is_awaited)
        contiguous = tuple(map(np.ascontiguousarray, readings))
        columns = self._plain.columns(self._table, (*contiguous, rest), signals, twins)
        found = fast.judge(columns, batch.received, self._wait)
        is_judged, flips, earliest, sooner, is_awaited = found
        self._next_due = 0 if is_awaited else self._next_due - sooner
        if not is_judged:
            return None, []
        if earliest != FOREVER:
            self._next_due = min(self._next_due, earliest + self.delivery)
        return rest, self._told_plainly(flips)

    def _told_plainly(
        self, flips: Iterable[tuple[int, bool | None, int, float]]
    ) -> list[Transition]:
        found = []
        for instance, is_raised, time, value in flips:
            if is_raised is None:
                rule, twin = self._table.who(instance)
                self.belated.mark(rule.id, twin, time)
            else:
                kind = "raise" if is_raised else "clear"
                found.append(self._transition(instance, kind, time, value))
        return found

    def _react_clocked(
        self, engine: ClockedEngine, batch: Batch, *, is_old: bool
    ) -> list[Transition]:
        series = batch.series.astype(np.int64)
        counts = (batch.quality < Quality.BAD) & np.isfinite(batch.value)
        value = np.where(counts, batch.value, np.nan)
        for row, text in batch.text.items():
            if batch.quality[row] < Quality.BAD and engine.reads(int(series[row])):
                value[row] = code = code_of_json(text)
                self._known.words[code] = text
        flips = engine.react(series, batch.time, value, batch.received, is_old=is_old)
        return self._translated(flips)

    def _translated(self, flips: Iterable[Flip]) -> list[Transition]:
        return [
            Transition(
                flip.rule.id,
                flip.rule.version,
                flip.twin,
                flip.kind,
                flip.time,
                *self.shown(flip.rule, flip.series, flip.value),
            )
            for flip in flips
        ]

    def shown(self, rule: Rule, series: int, value: float) -> tuple[float, int, str | None]:
        """A value of a rule's subject as it is told: value, series, and text if it is one."""
        text = self._known.words.get(value)
        if rule.kernel.subject.is_number or series < 0:
            text = None
        elif text is not None:
            value = float("nan")
        return value, series, text

    def tick(self, now: int) -> list[Transition]:
        """Raises and clears what silence decides: sources that send only when a value changes.

        A delay that has run out by `now` (less the time for delivery) counts as met at its end if
        the twin's latest reading is not older than its stale limit at that end. A twin's own now
        is `now` less what its newest reading took to get here, so recorded data that is replayed
        is judged by its own times.
        """
        found = self._settle()
        if now >= self._next_due:
            found += self._silence(now)
        for engine in self._clocked.values():
            found += self._translated(engine.tick(now))
        return by_time(found)

    def behind(self, now: int, most: int = catch_up.MOST_TWINS) -> list[catch_up.CatchUp]:
        """What there is to judge for twins whose readings come late in order, some at a time."""
        engines = list(self._clocked.values())
        return [one for engine in engines for one in catch_up.due(engine, now, most)]

    def caught_up(
        self, one: catch_up.CatchUp, read: catch_up.Read, words: Mapping[float, str]
    ) -> list[Transition]:
        """What follows from one of `behind` that was judged; `words` are texts it read, by code."""
        flips = one.finish(read)
        self._known.words.update(words)
        return by_time(self._translated(f for f in flips if self.rules.get(f.rule.id) is f.rule))

    def _readings(self, batch: Batch, among: NDArray[np.bool_] | None) -> Readings:
        table = self._table
        signal = batch.series.astype(np.int64) + 1
        counts = (batch.quality < Quality.BAD) & (signal < table.signals)
        if among is not None:
            counts &= among
        value = batch.value
        if batch.text:
            value = self._known.with_text(batch, signal, counts, table, self._current)
        rows = np.flatnonzero(counts)
        signal = signal[rows]
        is_read = table.start[signal + 1] > table.start[signal]
        newest = self._known.newest[signal]
        is_new = batch.time[rows] > newest
        kept = is_read & is_new & np.isfinite(value[rows])
        if not is_new.all():
            late = is_read & (batch.time[rows] < newest) & np.isfinite(value[rows])
            times = batch.time[rows[late]]
            note_late(self.belated, table, signal[late], times, batch.received)
        rows, signal = rows[kept], signal[kept]
        return Readings(signal, batch.time[rows], value[rows])

    def _moments(self, readings: Readings, received: int) -> Moments:
        table, scratch, known = self._table, self._scratch, self._known
        positions = np.arange(len(readings.signal))
        scratch[readings.signal] = positions
        is_once = bool((scratch[readings.signal] == positions).all())
        if not is_once:
            readings = in_time_order(readings)
        signal = readings.signal
        reading, entry = expand(table, signal)
        instance, time = table.reader[entry], readings.time[reading]
        older = table.moment[instance] > time
        if older.any() and not self._is_old:
            who, what = instance[older], signal[reading[older]]
            note_overtaken(self.belated, table, who, what, time[older], received)
        if is_once:
            scratch[instance] = time
            if bool((scratch[instance] == time).all()):
                known.value[signal], known.newest[signal] = readings.value, readings.time
                scratch[instance] = positions = np.arange(len(instance))
                once = scratch[instance] == positions
                if not once.all():
                    instance, time = instance[once], time[once]
                moment = np.maximum(time, table.moment[instance])
                return now_known(table, instance, moment, known.value)
        value = readings.value[reading]
        moments = in_order(table, instance, table.slot[entry], time, value, known.value)
        known.value[signal], known.newest[signal] = readings.value, readings.time
        return moments

    def _evaluate(self, moments: Moments) -> list[Transition]:
        table, instance = self._table, moments.instance
        if not len(instance):
            return []
        holds, is_over = np.zeros((2, len(instance)), np.bool_)
        for g, rows, values in moments.values:
            group = table.groups[g]
            parameters = group.parameters[:, table.row[instance[rows]]]
            holds[rows], is_over[rows] = group.evaluate(values, parameters)
        at = np.zeros(0, np.intp)
        if int(moments.time.min()) <= self._last_moment:
            in_part = told_in_part(table, instance, moments.time)
            at = np.flatnonzero(in_part & np.where(table.active[instance], is_over, holds))
        self._last_moment = max(self._last_moment, int(moments.time.max()))
        move = advance_single if moments.is_single else advance
        moved = move(table, instance, moments.time, holds, is_over, self._wait)
        self._expect(instance)
        if len(at) or len(moved.ended):
            begun = np.concatenate((moments.time[at], moved.begun))
            who = instance[np.concatenate((at, moved.ended))]
            note_doubtful(self.belated, table, who, begun)
        return self._told(moments, moved, holds) if len(moved.flips) else []

    def _expect(self, instance: I64) -> None:
        """Keeps `_next_due`, the earliest time at which silence could decide anything."""
        table = self._table
        running = instance[table.since[instance] != NEVER]
        if len(running):
            delay = np.where(table.active[running], table.off[running], table.hold[running])
            lag = self._known.lag[table.twin[running]]
            earliest = int((table.since[running] + delay + lag).min()) + self.delivery
            self._next_due = min(self._next_due, earliest)

    def _silence(self, now: int) -> list[Transition]:
        table, known = self._table, self._known
        running = np.flatnonzero(table.since != NEVER)
        active = table.active[running]
        due = table.since[running] + np.where(active, table.off[running], table.hold[running])
        twin = table.twin[running]
        lag = known.lag[twin]
        is_late = due + lag <= now - self.delivery
        is_alive = known.seen[twin] >= due - table.stale[running]
        known.is_awaited[:] = False
        known.is_awaited[twin[is_late & ~is_alive]] = True
        waiting = (due + lag)[~is_late]
        self._next_due = int(waiting.min()) + self.delivery if len(waiting) else FOREVER
        flips = is_late & is_alive
        who, time = running[flips], due[flips]
        table.active[who] = ~table.active[who]
        table.since[who] = NEVER
        table.moment[who] = np.maximum(table.moment[who], time)
        self._last_moment = max(self._last_moment, int(time.max(initial=NEVER)))
        self._unheard.add(table, who.tolist(), time.tolist())
        return [
            self._transition(i, "raise" if table.active[i] else "clear", t, subject)
            for i, t, subject in zip(
                who.tolist(), time.tolist(), known.value[table.subject[who]].tolist(), strict=True
            )
        ]

    # -- telling ------------------------------------------------------------------------------

    def _told(self, moments: Moments, moved: Moved, holds: NDArray[np.bool_]) -> list[Transition]:
        return [
            self._transition(
                int(moments.instance[at]),
                "raise" if holds[at] else "clear",
                time,
                moments.subject(at),
            )
            for at, time in zip(moved.flips.tolist(), moved.time.tolist(), strict=True)
        ]

    def _transition(self, instance: int, kind: str, time: int, value: float) -> Transition:
        table = self._table
        rule, twin = table.who(instance)
        time = max(time, int(table.flipped[instance]) + 1)
        table.flipped[instance] = time
        series = int(table.subject[instance]) - 1
        shown = self.shown(rule, series, value)
        return Transition(rule.id, rule.version, twin, kind, time, *shown)
