"""Rules over batches: `react` takes readings in and returns which rules raise and clear.

Pure: what it returns depends on the rules and the batches alone, so replaying the batches of a log
gives the same transitions. docs/reference/rules.md states the semantics.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from gemel.core import fast
from gemel.core.batch import F64, I64, Batch
from gemel.core.clock import SECOND
from gemel.core.errors import NotFound
from gemel.core.quality import Quality
from gemel.services.rules import catch_up, snapshot
from gemel.services.rules.belated import Belated, by_series
from gemel.services.rules.clocked import ClockedEngine, Flip, Late
from gemel.services.rules.features import reads_relatives
from gemel.services.rules.layout import KinOf, no_relatives
from gemel.services.rules.members import Members
from gemel.services.rules.moments import (
    Moments,
    Readings,
    expand,
    in_order,
    in_time_order,
    now_known,
)
from gemel.services.rules.parameters import SettingsOf, no_settings
from gemel.services.rules.plain import Plain
from gemel.services.rules.rule import Rule
from gemel.services.rules.runs import advance, advance_single
from gemel.services.rules.table import NEVER, Block, Instances, Standing, Table
from gemel.services.rules.text import code_of_json
from gemel.services.rules.transition import Transition, by_time

FOREVER = int(np.iinfo(np.int64).max)
SKEW = 60 * SECOND
"""What one signal of a twin may come after the others without being late for a rule on both."""
MOST_WORDS = 10_000
"""Texts remembered to show them in alarms; beyond this, those not current are forgotten."""


class RuleEngine:
    """All rules on all twins.

    Args:
        delivery: seconds that a reading may take to get here. `tick` waits so long before it
            takes silence for "nothing has changed".
        is_caught_up: whether somebody judges twins whose readings come late in order (`behind`);
            clocked rules stand still on them until then.
    """

    def __init__(self, delivery: float = 2.0, *, is_caught_up: bool = False) -> None:
        self.rules: dict[str, Rule] = {}
        """By id, to look at; `set_rule` and `drop_rule` change it."""
        self._delivery = round(delivery * SECOND)
        self._is_caught_up = is_caught_up
        self._blocks: dict[str, Block] = {}
        self._saved: dict[str, Standing] = {}
        self._table = Table([])
        self._plain = Plain(self._table)
        self._is_settled = True
        self._value: F64 = np.full(1, np.nan)
        self._newest: I64 = np.full(1, NEVER, np.int64)
        self._twins: dict[str, int] = {}
        self._seen: I64 = np.zeros(0, np.int64)
        self._lag: I64 = np.zeros(0, np.int64)
        """How long a twin's newest reading took to get here: its own now is ours less this."""
        self._is_awaited = np.zeros(0, np.bool_)
        self._twin_of: I64 = np.full(0, -1, np.int64)
        self._words: dict[float, str] = {}
        self._next_due = 0
        self._scratch: I64 = np.zeros(0, np.int64)
        self._clocked: dict[str, ClockedEngine] = {}
        """By lateness in ns and model: the twins of a model share a clock."""
        self.belated = Belated()
        """What came too late to be judged in order, until somebody takes it."""
        self._means: dict[str, tuple[KinOf, SettingsOf]] = {}

    # -- what is watched ----------------------------------------------------------------------

    def __len__(self) -> int:
        """How many instances there are."""
        plain = sum(len(block.twins) for block in self._blocks.values())
        return plain + sum(len(engine) for engine in self._clocked.values())

    def set_rule(
        self,
        rule: Rule,
        instances: Instances,
        kin: KinOf = no_relatives,
        settings: SettingsOf = no_settings,
    ) -> None:
        """Adds or replaces a rule.

        A replaced rule keeps where its instances stand if its condition has not changed. A new
        instance is evaluated on the values known so far when the next batch or tick comes.

        Args:
            rule: the rule.
            instances: its twins, each with the series of all its paths.
            kin: the relatives of a twin over a relationship, each with the series of its paths.
            settings: the twin's own values of the rule's parameters.
        """
        self._means[rule.id] = (kin, settings)
        if rule.is_clocked:
            self._set_clocked(rule, instances, kin, settings)
            return
        self._leave_clocked(rule.id, "")
        block = Block(rule, instances, self._number_of, settings)
        for (_, series), number in zip(instances, block.twin.tolist(), strict=True):
            self._listen(number, series)
        old = self._blocks.get(rule.id)
        block.take(old.standing if old else self._saved.pop(rule.id, None))
        self._blocks[rule.id] = block
        self.rules[rule.id] = rule
        self._is_settled = False

    def _set_clocked(
        self, rule: Rule, instances: Instances, kin: KinOf, settings: SettingsOf
    ) -> None:
        key = f"{round(rule.lateness * SECOND)} {rule.model}"
        self._leave_clocked(rule.id, key)
        if self._blocks.pop(rule.id, None) is not None:
            self._is_settled = False
        engine = self._clocked_at(key)
        engine.set_rule(rule, instances, kin, settings)
        self.rules[rule.id] = rule

    def _clocked_at(self, key: str) -> ClockedEngine:
        lateness = int(key.split(" ", 1)[0])
        made = ClockedEngine(lateness, self.belated, is_caught_up=self._is_caught_up)
        return self._clocked.setdefault(key, made)

    def _leave_clocked(self, rule_id: str, stays: str) -> None:
        for key, engine in list(self._clocked.items()):
            if key != stays and engine.instances(rule_id) is not None:
                engine.drop_rule(rule_id)
                if not engine.rules:
                    del self._clocked[key]

    def set_instances(self, rule_id: str, instances: Instances) -> None:
        """Gives a rule other twins or series; twins that stay keep where they stand."""
        rule = self.rules.get(rule_id)
        if rule is None:
            raise NotFound(f"there is no rule '{rule_id}'")
        self.set_rule(rule, instances, *self._means[rule_id])

    def change_instances(
        self, rule_id: str, changed: Instances, gone: Iterable[str]
    ) -> tuple[set[int], set[int]]:
        """As `set_instances` where few twins are new, changed or gone, at a cost of their number.

        Only for rules that are not clocked. Returns the series these twins' instances read, and
        those they read before.
        """
        block = self._blocks[rule_id]
        settings = self._means[rule_id][1]
        part = Block(block.rule, changed, self._number_of, settings)
        out = np.array([self._twins[t] for t in gone if t in self._twins], np.int64)
        for (_, series), number in zip(changed, part.twin.tolist(), strict=True):
            self._listen(number, series)
        old = block.slots[:, np.isin(block.twin, np.concatenate((part.twin, out)))]
        found = block.changed(part, out)
        if found is not None:
            self._blocks[rule_id] = found
            self._is_settled = False
        return _series(part.slots), _series(old)

    def has_instance(self, rule_id: str, twins: Collection[str]) -> bool:
        """Whether a clocked rule watches one of these twins."""
        members = (engine.instances(rule_id) for engine in self._clocked.values())
        return any(t in twins for found in members if found for t in found.twins)

    @property
    def reads_relatives(self) -> bool:
        """Whether a changed relationship may change what a rule reads."""
        return any(reads_relatives(rule.kernel.features) for rule in self.rules.values())

    def series_read(self, rule_id: str) -> set[int]:
        """The series that a rule looks at, those of relatives too."""
        for engine in self._clocked.values():
            members = engine.instances(rule_id)
            if members is not None:
                return set(members.reads().tolist())
        block = self._blocks.get(rule_id)
        return set() if block is None else _series(block.slots)

    @property
    def late(self) -> dict[str, Late]:
        """By rule, readings that came too late to be judged in order."""
        return {key: late for e in self._clocked.values() for key, late in e.late.items()}

    def drop_rule(self, rule_id: str) -> None:
        self._leave_clocked(rule_id, "")
        self._means.pop(rule_id, None)
        self.rules.pop(rule_id, None)
        if self._blocks.pop(rule_id, None) is not None:
            self._is_settled = False

    def assume_active(self, rule_id: str, raised: Mapping[str, int]) -> None:
        """Tells which twins have a standing alarm (twin to time), when there is no snapshot."""
        block: Block | Members | None = self._blocks.get(rule_id)
        for engine in self._clocked.values():
            members = engine.instances(rule_id)
            if members is not None:
                block = members
                raised = engine.behind.known(raised)
        for row, twin in enumerate(block.twins if block else ()):
            if block is not None and twin in raised and not block.active[row]:
                block.active[row] = True
                block.since[row] = NEVER
                block.flipped[row] = max(int(block.flipped[row]), raised[twin])

    def _number_of(self, twin: str) -> int:
        return self._twins.setdefault(twin, len(self._twins))

    def _listen(self, twin: int, series: Mapping[str, int]) -> None:
        if not series:
            return
        top = max(series.values())
        if top >= len(self._twin_of):
            self._twin_of = _longer(self._twin_of, max(top + 1, 2 * len(self._twin_of)), -1)
        self._twin_of[list(series.values())] = twin

    def _settle(self) -> list[Transition]:
        """Builds the columns after rules have changed and evaluates instances that are new."""
        if self._is_settled:
            return []
        self._is_settled = True
        self._table = table = Table(list(self._blocks.values()))
        self._plain = Plain(table)
        self._value = _longer(self._value, table.signals, np.nan)
        self._newest = _longer(self._newest, table.signals, NEVER)
        self._seen = _longer(self._seen, len(self._twins), NEVER)
        self._lag = _longer(self._lag, len(self._twins), 0)
        self._is_awaited = _longer(self._is_awaited, len(self._twins), False)
        self._scratch = np.zeros(max(table.size, table.signals), np.int64)
        self._next_due = 0
        new = np.flatnonzero(table.moment == NEVER)
        moment = np.full(table.size, NEVER, np.int64)
        for number, group in enumerate(table.groups):
            mine = np.flatnonzero(table.group == number)
            moment[mine] = self._newest[group.slots[:, table.row[mine]]].max(axis=0)
        new = new[moment[new] != NEVER]
        if not len(new):
            return []
        return self._evaluate(now_known(table, new, moment[new], self._value))

    # -- what happens -------------------------------------------------------------------------

    def react(self, batch: Batch, *, is_old: bool = False) -> list[Transition]:
        """Takes readings in; `is_old`: those that were known before, told for new instances.

        Silence up to `batch.received` is judged first (see `tick`), so that replaying a log gives
        what happened live.

        Cost: about 10 numpy operations over the readings that rules read, whatever the number of
        readings; Python work only for each transition and each text that a rule reads.
        """
        found = self._settle()
        if batch.received >= self._next_due:
            found += self._silence(batch.received)
        found += self._judge(batch)
        for engine in self._clocked.values():
            found += self._react_clocked(engine, batch, is_old=is_old)
        return by_time(found)

    def _judge(self, batch: Batch) -> list[Transition]:
        rest: NDArray[np.bool_] | None = None
        found: list[Transition] = []
        if fast.IS_COMPILED and self._plain.is_any and len(batch):
            rest, found = self._judge_plain(batch)
        else:
            self._see(batch)
        if rest is None or rest.any():
            readings = self._readings(batch, rest)
            if len(readings.signal):
                found += self._evaluate(self._moments(readings, batch.received))
        return found

    def _judge_plain(self, batch: Batch) -> tuple[NDArray[np.bool_] | None, list[Transition]]:
        """What compiled code can judge, and which readings are left; None if all are."""
        rest = np.zeros(len(batch), np.bool_)
        readings = (batch.series, batch.time, batch.value, batch.quality)
        signals = (self._newest, self._value, self._scratch)
        twins = (self._twin_of, self._seen, self._lag, self._is_awaited)
        contiguous = tuple(map(np.ascontiguousarray, readings))
        columns = self._plain.columns(self._table, (*contiguous, rest), signals, twins)
        is_judged, flips, earliest, sooner, is_awaited = fast.judge(columns, batch.received)
        self._next_due = 0 if is_awaited else self._next_due - sooner
        if not is_judged:
            return None, []
        if earliest != FOREVER:
            self._next_due = min(self._next_due, earliest + self._delivery)
        return rest, [
            self._transition(instance, "raise" if is_raised else "clear", time, value)
            for instance, is_raised, time, value in flips
        ]

    def _react_clocked(
        self, engine: ClockedEngine, batch: Batch, *, is_old: bool
    ) -> list[Transition]:
        series = batch.series.astype(np.int64)
        counts = (batch.quality < Quality.BAD) & np.isfinite(batch.value)
        value = np.where(counts, batch.value, np.nan)
        for row, text in batch.text.items():
            if batch.quality[row] < Quality.BAD and engine.reads(int(series[row])):
                value[row] = code = code_of_json(text)
                self._words[code] = text
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
                *self._shown(flip.rule, flip.series, flip.value),
            )
            for flip in flips
        ]

    def _shown(self, rule: Rule, series: int, value: float) -> tuple[float, int, str | None]:
        text = self._words.get(value)
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
        self._words.update(words)
        return by_time(self._translated(f for f in flips if self.rules.get(f.rule.id) is f.rule))

    def _see(self, batch: Batch) -> None:
        """Notes that twins are alive; readings of any quality and any property show it."""
        if not len(self._seen) or not len(batch):
            return
        series = batch.series
        listened = series < len(self._twin_of)
        all_listened = bool(listened.all())
        twin = self._twin_of[series if all_listened else series[listened]]
        time = batch.time if all_listened else batch.time[listened]
        ours = (twin >= 0) & (twin < len(self._seen))
        if not ours.all():
            twin, time = twin[ours], time[ours]
        np.maximum.at(self._seen, twin, time)
        is_newest = time == self._seen[twin]
        newest = twin[is_newest]
        lag = np.maximum(batch.received - time[is_newest], 0)
        self._next_due -= int(np.maximum(self._lag[newest] - lag, 0).max(initial=0))
        self._lag[newest] = lag
        if self._is_awaited[twin].any():
            self._next_due = 0

    def _readings(self, batch: Batch, among: NDArray[np.bool_] | None) -> Readings:
        table = self._table
        signal = batch.series.astype(np.int64) + 1
        counts = (batch.quality < Quality.BAD) & (signal < table.signals)
        if among is not None:
            counts &= among
        value = self._with_text(batch, signal, counts) if batch.text else batch.value
        rows = np.flatnonzero(counts)
        signal = signal[rows]
        is_read = table.start[signal + 1] > table.start[signal]
        newest = self._newest[signal]
        is_new = batch.time[rows] > newest
        kept = is_read & is_new & np.isfinite(value[rows])
        if not is_new.all():
            late = is_read & (batch.time[rows] < newest) & np.isfinite(value[rows])
            self._note_late(signal[late], batch.time[rows[late]], batch.received)
        rows, signal = rows[kept], signal[kept]
        return Readings(signal, batch.time[rows], value[rows])

    def _note_late(self, signal: I64, time: I64, received: int) -> None:
        table = self._table
        for number, times in by_series(signal, time):
            for instance in table.reader[table.start[number] : table.start[number + 1]].tolist():
                rule, twin = table.who(instance)
                self.belated.add(rule.id, twin, number - 1, times, received)

    def _with_text(self, batch: Batch, signal: I64, counts: NDArray[np.bool_]) -> F64:
        value = batch.value.copy()
        table = self._table
        for row, text in batch.text.items():
            number = signal[row]
            if counts[row] and table.start[number + 1] > table.start[number]:
                code = code_of_json(text)
                value[row] = code
                self._words[code] = text
        if len(self._words) > MOST_WORDS:
            current = self._current() | set(value.tolist())
            self._words = {c: text for c, text in self._words.items() if c in current}
        return value

    def _note_overtaken(self, instance: I64, signal: I64, time: I64, received: int) -> None:
        """Notes readings of a time at which silence, or what came long after, was judged before."""
        table, silent = self._table, np.zeros(len(instance), np.bool_)
        moment = table.moment[instance]
        for number in np.unique(table.group[instance]).tolist():
            mine = np.flatnonzero(table.group[instance] == number)
            slots = table.groups[number].slots[:, table.row[instance[mine]]]
            silent[mine] = moment[mine] > self._newest[slots].max(axis=0)
        late = silent | (moment - time > SKEW)
        for pair, times in by_series(signal[late] * table.size + instance[late], time[late]):
            number, who = divmod(pair, table.size)
            rule, twin = table.who(who)
            self.belated.add(rule.id, twin, number - 1, times, received)

    def _moments(self, readings: Readings, received: int) -> Moments:
        table, scratch = self._table, self._scratch
        positions = np.arange(len(readings.signal))
        scratch[readings.signal] = positions
        is_once = bool((scratch[readings.signal] == positions).all())
        if not is_once:
            readings = in_time_order(readings)
        signal = readings.signal
        reading, entry = expand(table, signal)
        instance, time = table.reader[entry], readings.time[reading]
        older = table.moment[instance] > time
        if older.any():
            self._note_overtaken(instance[older], signal[reading[older]], time[older], received)
        if is_once:
            scratch[instance] = time
            if bool((scratch[instance] == time).all()):
                self._value[signal], self._newest[signal] = readings.value, readings.time
                scratch[instance] = positions = np.arange(len(instance))
                once = scratch[instance] == positions
                if not once.all():
                    instance, time = instance[once], time[once]
                moment = np.maximum(time, table.moment[instance])
                return now_known(table, instance, moment, self._value)
        value = readings.value[reading]
        moments = in_order(table, instance, table.slot[entry], time, value, self._value)
        self._value[signal], self._newest[signal] = readings.value, readings.time
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
        move = advance_single if moments.is_single else advance
        flips = move(table, instance, moments.time, holds, is_over)
        self._expect(instance)
        return self._told(moments, flips, holds) if len(flips) else []

    def _expect(self, instance: I64) -> None:
        """Keeps `_next_due`, the earliest time at which silence could decide anything."""
        table = self._table
        running = instance[table.since[instance] != NEVER]
        if len(running):
            delay = np.where(table.active[running], table.off[running], table.hold[running])
            lag = self._lag[table.twin[running]]
            earliest = int((table.since[running] + delay + lag).min()) + self._delivery
            self._next_due = min(self._next_due, earliest)

    def _silence(self, now: int) -> list[Transition]:
        table = self._table
        running = np.flatnonzero(table.since != NEVER)
        active = table.active[running]
        due = table.since[running] + np.where(active, table.off[running], table.hold[running])
        twin = table.twin[running]
        lag = self._lag[twin]
        is_late = due + lag <= now - self._delivery
        is_alive = self._seen[twin] >= due - table.stale[running]
        self._is_awaited[:] = False
        self._is_awaited[twin[is_late & ~is_alive]] = True
        waiting = (due + lag)[~is_late]
        self._next_due = int(waiting.min()) + self._delivery if len(waiting) else FOREVER
        flips = is_late & is_alive
        who, time = running[flips], due[flips]
        table.active[who] = ~table.active[who]
        table.since[who] = NEVER
        table.moment[who] = np.maximum(table.moment[who], time)
        return [
            self._transition(i, "raise" if table.active[i] else "clear", t, subject)
            for i, t, subject in zip(
                who.tolist(), time.tolist(), self._value[table.subject[who]].tolist(), strict=True
            )
        ]

    # -- telling ------------------------------------------------------------------------------

    def _told(
        self, moments: Moments, flips: NDArray[np.intp], holds: NDArray[np.bool_]
    ) -> list[Transition]:
        return [
            self._transition(
                int(moments.instance[at]),
                "raise" if holds[at] else "clear",
                int(moments.time[at]),
                moments.subject(at),
            )
            for at in flips.tolist()
        ]

    def _transition(self, instance: int, kind: str, time: int, value: float) -> Transition:
        table = self._table
        rule, twin = table.who(instance)
        time = max(time, int(table.flipped[instance]) + 1)
        table.flipped[instance] = time
        series = int(table.subject[instance]) - 1
        shown = self._shown(rule, series, value)
        return Transition(rule.id, rule.version, twin, kind, time, *shown)

    # -- over a restart -----------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """What the engine remembers, keyed by rule, twin and series."""
        current = self._current()
        return snapshot.write(
            snapshot.Memory(
                {key: block.standing for key, block in self._blocks.items()},
                self._value,
                self._newest,
                dict(zip(self._twins, self._seen.tolist(), strict=False)),
                dict(zip(self._twins, self._lag.tolist(), strict=False)),
                {code: text for code, text in self._words.items() if code in current},
                {key: engine.snapshot() for key, engine in self._clocked.items()},
            )
        )

    def _current(self) -> set[float]:
        """All values that are known now, codes of texts among them."""
        found = set(self._value.tolist())
        for engine in self._clocked.values():
            found |= engine.values()
        return found

    def restore(self, data: bytes) -> None:
        """Takes over what `snapshot` gave, for rules whose condition is still the same.

        Rules may be set before or after. Raises `Damaged` and changes nothing if the bytes are
        not what was written.
        """
        memory = snapshot.read(data)
        size = max(len(memory.value), len(self._value))
        self._value = _longer(memory.value, size, np.nan)
        self._newest = _longer(memory.newest, size, NEVER)
        self._words = dict(memory.words)
        numbers = [self._number_of(twin) for twin in memory.seen]
        self._seen = _longer(self._seen, len(self._twins), NEVER)
        self._lag = _longer(self._lag, len(self._twins), 0)
        self._seen[numbers] = list(memory.seen.values())
        self._lag[numbers] = list(memory.lag.values())
        self._saved = dict(memory.standings)
        for clocked, found in memory.clocked.items():
            self._clocked_at(clocked).restore(found)
        for key, block in self._blocks.items():
            block.take(self._saved.pop(key, None))
        self._is_settled = False


def _series(slots: I64) -> set[int]:
    return set((slots.ravel() - 1).tolist()) - {-1}


def _longer(column: NDArray, size: int, filler: float) -> NDArray:  # type: ignore[type-arg]
    """The column with at least `size` rows."""
    if len(column) >= size:
        return column
    more = np.full(size - len(column), filler, column.dtype)
    return np.concatenate((column, more))
