"""Which rules are watched on which twins: the part of the engine that people's edits change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import I64
from gemel.core.clock import SECOND
from gemel.core.errors import NotFound
from gemel.services.rules import snapshot
from gemel.services.rules.belated import Belated
from gemel.services.rules.clocked import ClockedEngine, Late
from gemel.services.rules.features import reads_relatives
from gemel.services.rules.known import Known
from gemel.services.rules.layout import KinOf, no_relatives
from gemel.services.rules.members import Members
from gemel.services.rules.parameters import SettingsOf, no_settings
from gemel.services.rules.rule import Rule
from gemel.services.rules.table import NEVER, Block, Instances, Standing
from gemel.services.rules.unheard import Unheard


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rule stands on a twin."""

    is_active: bool
    since: int
    """First moment of the run that is counted (ns, of clocked rules seconds), NEVER without one."""
    flipped: int
    """Time of the latest transition, ns."""
    moment: int
    """Up to here it has been judged, ns."""
    lag: int
    """The twin's own now is ours less this, ns; 0 for clocked rules."""


class WatchedRules:
    """Rules and their instances, and where they stand; `engine` moves them.

    Args:
        is_caught_up: whether somebody judges twins whose readings come late in order (`behind`);
            clocked rules stand still on them until then.
    """

    def __init__(self, *, is_caught_up: bool = False) -> None:
        self.rules: dict[str, Rule] = {}
        """By id, to look at; `set_rule` and `drop_rule` change it."""
        self.belated = Belated()
        """What came too late to be judged in order, until somebody takes it."""
        self._is_caught_up = is_caught_up
        self._blocks: dict[str, Block] = {}
        self._saved: dict[str, Standing] = {}
        self._is_settled = True
        self._next_due = 0
        """The earliest time at which silence could decide anything."""
        self._known = Known()
        self._unheard = Unheard()
        self._clocked: dict[str, ClockedEngine] = {}
        """By lateness in ns and model: the twins of a model share a clock."""
        self._means: dict[str, tuple[KinOf, SettingsOf]] = {}

    def __len__(self) -> int:
        """How many instances there are."""
        plain = sum(len(block.twins) for block in self._blocks.values())
        return plain + sum(len(engine) for engine in self._clocked.values())

    # -- changing it --------------------------------------------------------------------------

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
        block = Block(rule, instances, self._known.number_of, settings)
        for (_, series), number in zip(instances, block.twin.tolist(), strict=True):
            self._known.listen(number, series)
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
        part = Block(block.rule, changed, self._known.number_of, settings)
        out = np.array([self._known.twins[t] for t in gone if t in self._known.twins], np.int64)
        for (_, series), number in zip(changed, part.twin.tolist(), strict=True):
            self._known.listen(number, series)
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

    # -- holding it against history -----------------------------------------------------------

    def is_judged(self, rule_id: str, twin: str) -> bool:
        """Whether a rule stands still on a twin: not just changed, and not being caught up."""
        clocked = self._clocked_of(rule_id)
        return self._is_settled if clocked is None else not clocked.behind.is_at_work(twin)

    def position(self, rule_id: str, twin: str) -> Position | None:
        """Where a rule stands on a twin; None if it does not watch it."""
        clocked = self._clocked_of(rule_id)
        found = self._row(rule_id, twin)
        if found is None:
            return None
        block, row = found
        if isinstance(block, Block):
            moment = int(block.moment[row])
            known = self._known
            lag = int(known.lag[block.twin[row]]) if block.twin[row] < len(known.lag) else 0
        else:
            moment, lag = NEVER if clocked is None else clocked.judged_up_to(twin), 0
        columns = (block.active, block.since, block.flipped)
        is_active, since, flipped = (column[row].item() for column in columns)
        return Position(is_active, since, flipped, moment, lag)

    def correct(self, rule_id: str, twin: str, is_active: bool, since: int, flipped: int) -> None:
        """Puts a rule on a twin where history says it stands; see `Position`."""
        found = self._row(rule_id, twin)
        if found is not None:
            block, row = found
            block.active[row], block.since[row], block.flipped[row] = is_active, since, flipped
            self._next_due = 0

    def _clocked_of(self, rule_id: str) -> ClockedEngine | None:
        engines = self._clocked.values()
        return next((e for e in engines if e.instances(rule_id) is not None), None)

    def _row(self, rule_id: str, twin: str) -> tuple[Block | Members, int] | None:
        clocked = self._clocked_of(rule_id)
        block = self._blocks.get(rule_id) if clocked is None else clocked.instances(rule_id)
        if block is None or twin not in block.twins:
            return None
        return block, block.twins.index(twin)

    # -- over a restart -----------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """What the engine remembers, keyed by rule, twin and series."""
        current, known = self._current(), self._known
        return snapshot.write(
            snapshot.Memory(
                {key: block.standing for key, block in self._blocks.items()},
                known.value,
                known.newest,
                dict(zip(known.twins, known.seen.tolist(), strict=False)),
                dict(zip(known.twins, known.lag.tolist(), strict=False)),
                {code: text for code, text in known.words.items() if code in current},
                {key: engine.snapshot() for key, engine in self._clocked.items()},
                self._unheard.snapshot(),
            )
        )

    def _current(self) -> set[float]:
        """All values that are known now, codes of texts among them."""
        found = set(self._known.value.tolist())
        for engine in self._clocked.values():
            found |= engine.values()
        return found

    def restore(self, data: bytes) -> None:
        """Takes over what `snapshot` gave, for rules whose condition is still the same.

        Rules may be set before or after. Raises `Damaged` and changes nothing if the bytes are
        not what was written.
        """
        memory = snapshot.read(data)
        self._known.take(memory)
        self._unheard.restore(memory.unheard)
        self._saved = dict(memory.standings)
        for clocked, found in memory.clocked.items():
            self._clocked_at(clocked).restore(found)
        for key, block in self._blocks.items():
            block.take(self._saved.pop(key, None))
        self._is_settled = False


def _series(slots: I64) -> set[int]:
    return set((slots.ravel() - 1).tolist()) - {-1}
