"""All instances of all rules in columns: who they are, what they read, and where they stand.

An instance is one rule on one twin. A signal is a series that some rule reads: signal s + 1 is
series s, and signal 0 is the one that is never known, for properties that have not reported yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I32, I64
from gemel.core.clock import SECOND
from gemel.services.rules.parameters import SettingsOf, adjusted, no_settings
from gemel.services.rules.rule import Rule

NEVER = int(np.iinfo(np.int64).min)
STANDING = ("active", "since", "moment", "flipped")
"""The columns of a `Block` that say where its instances stand."""
Instances: TypeAlias = Sequence[tuple[str, Mapping[str, int]]]
"""(twin, series of its paths) pairs. Paths that the rule does not read tell that it is alive."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the instances of one rule stand."""

    condition: str
    """`Kernel.identity` of the rule."""
    twins: list[str]
    active: NDArray[np.bool_]
    since: I64
    """First moment of the run that is counted; NEVER without one."""
    moment: I64
    """The newest moment that was evaluated; NEVER if none was."""
    flipped: I64
    """Time of the latest transition."""


class Block:
    """The instances of one rule. The four last columns are views into the table's once settled."""

    __slots__ = (
        "active",
        "flipped",
        "moment",
        "parameters",
        "rule",
        "since",
        "slots",
        "twin",
        "twins",
    )

    def __init__(
        self,
        rule: Rule,
        instances: Instances,
        twin_number: Callable[[str], int],
        settings: SettingsOf = no_settings,
    ) -> None:
        count = len(instances)
        self.rule = rule
        self.twins = [twin for twin, _ in instances]
        self.twin: I64 = np.fromiter((twin_number(t) for t in self.twins), np.int64, count)
        self.slots: I64 = np.array(
            [[series.get(path, -1) + 1 for _, series in instances] for path in rule.kernel.paths],
            np.int64,
        ).reshape(len(rule.kernel.paths), count)
        kernel = rule.kernel
        if kernel.named:
            each = [adjusted(kernel.parameters, kernel.named, settings(t)) for t in self.twins]
            own = np.array(each, np.float64).reshape(count, len(kernel.parameters))
            self.parameters: F64 = own.T
        else:
            given = np.array(kernel.parameters, np.float64)[:, None]
            self.parameters = np.broadcast_to(given, (len(given), count))
        self.active = np.zeros(count, np.bool_)
        self.since: I64 = np.full(count, NEVER, np.int64)
        self.moment: I64 = np.full(count, NEVER, np.int64)
        self.flipped: I64 = np.full(count, NEVER, np.int64)

    @property
    def standing(self) -> Standing:
        return Standing(
            self.rule.kernel.identity,
            self.twins,
            self.active,
            self.since,
            self.moment,
            self.flipped,
        )

    def changed(self, part: Block, gone: I64) -> Block | None:
        """With the instances of `part` new or in place of those there were, and without `gone`.

        Args:
            part: a block of the same rule.
            gone: numbers of twins.

        Returns:
            The new block; None if nothing changes by it.
        """
        leaves = np.isin(self.twin, np.concatenate((part.twin, gone)))
        old = np.flatnonzero(leaves)
        place = {number: row for row, number in enumerate(self.twin[old].tolist())}
        pairs = [(i, place[n]) for i, n in enumerate(part.twin.tolist()) if n in place]
        here, there = np.array(pairs, np.int64).reshape(-1, 2).T
        there = old[there]
        if len(old) == len(pairs) == len(part.twins):
            same = np.array_equal(part.slots[:, here], self.slots[:, there])
            if same and np.array_equal(part.parameters[:, here], self.parameters[:, there]):
                return None
        for name in STANDING:
            getattr(part, name)[here] = getattr(self, name)[there]
        stays = np.flatnonzero(~leaves)
        found = copy(self)
        twins = self.twins if len(stays) == len(leaves) else [self.twins[i] for i in stays]
        found.twins = twins + part.twins
        for name in ("twin", "slots", "parameters", *STANDING):
            columns = getattr(self, name)[..., stays], getattr(part, name)
            setattr(found, name, np.concatenate(columns, axis=-1))
        return found

    def take(self, old: Standing | None) -> None:
        """Carries over where the instances stood, twin by twin.

        After another condition only the time of the latest transition, so that times increase.
        """
        if old is None:
            return
        is_same = old.condition == self.rule.kernel.identity
        names = STANDING if is_same else ("flipped",)
        rows = {twin: i for i, twin in enumerate(old.twins)}
        pairs = [(i, rows[t]) for i, t in enumerate(self.twins) if t in rows]
        if not pairs:
            return
        here, there = np.array(pairs, np.int64).T
        for name in names:
            getattr(self, name)[here] = getattr(old, name)[there]


@dataclass(frozen=True, slots=True)
class Group:
    """All instances whose rules have one shape: one kernel call evaluates them."""

    evaluate: Callable[[F64, F64], tuple[NDArray[np.bool_], NDArray[np.bool_]]]
    slots: I64
    """Signals, shape (slots, instances of the group)."""
    parameters: F64
    """Shape (parameters, instances of the group)."""
    shape: str


class Table:
    """The columns of all instances; built from blocks whenever rules or instances change."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        sizes = np.array([len(b.twins) for b in blocks], np.int64)
        self.blocks = list(blocks)
        self.first: I64 = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        self.size = int(self.first[-1])
        self.active = _joined([b.active for b in blocks], np.bool_)
        self.since: I64 = _joined([b.since for b in blocks], np.int64)
        self.moment: I64 = _joined([b.moment for b in blocks], np.int64)
        self.flipped: I64 = _joined([b.flipped for b in blocks], np.int64)
        self.twin: I64 = _joined([b.twin for b in blocks], np.int64)
        self.block: I64 = np.repeat(np.arange(len(blocks)), sizes)
        self.hold: I64 = np.repeat(_each(blocks, lambda r: r.kernel.hold), sizes)
        self.off: I64 = np.repeat(_each(blocks, lambda r: r.kernel.off), sizes)
        self.stale: I64 = np.repeat(_each(blocks, lambda r: round(r.stale_after * SECOND)), sizes)
        self._lend_views()
        self.group: I32 = np.zeros(self.size, np.int32)
        self.row: I64 = np.zeros(self.size, np.int64)
        self.subject: I64 = np.zeros(self.size, np.int64)
        self.groups: list[Group] = []
        self._group_by_shape()
        self.start: I64
        self.reader: I64
        self.slot: I64
        self._index_signals()

    def _lend_views(self) -> None:
        for i, block in enumerate(self.blocks):
            rows = slice(int(self.first[i]), int(self.first[i + 1]))
            for name in ("active", "since", "moment", "flipped"):
                setattr(block, name, getattr(self, name)[rows])

    def _group_by_shape(self) -> None:
        shapes: dict[str, list[int]] = {}
        for i, block in enumerate(self.blocks):
            shapes.setdefault(block.rule.kernel.shape, []).append(i)
        for number, members in enumerate(shapes.values()):
            blocks = [self.blocks[i] for i in members]
            slots = np.concatenate([b.slots for b in blocks], axis=1)
            kernel = blocks[0].rule.kernel
            parameters = np.concatenate([b.parameters for b in blocks], axis=1)
            parameters = np.ascontiguousarray(parameters)
            self.groups.append(Group(kernel.evaluate, slots, parameters, kernel.shape))
            spans = [np.arange(self.first[i], self.first[i + 1]) for i in members]
            rows = np.concatenate(spans)
            self.group[rows] = number
            self.row[rows] = np.arange(len(rows))
            self.subject[rows] = slots[0]

    def _index_signals(self) -> None:
        """For each signal the instances that read it, and as which slot: rows start[s]..[s+1]."""
        signals, readers, slots = [], [], []
        for number, group in enumerate(self.groups):
            mine = np.flatnonzero(self.group == number)
            ordered = np.empty(len(mine), np.int64)
            ordered[self.row[mine]] = mine
            for slot, signal in enumerate(group.slots):
                signals.append(signal)
                readers.append(ordered)
                slots.append(np.full(len(signal), slot, np.int64))
        signal = _joined(signals, np.int64)
        reader, slot_of = _joined(readers, np.int64), _joined(slots, np.int64)
        known = signal > 0
        signal, reader, slot_of = signal[known], reader[known], slot_of[known]
        order = np.argsort(signal, kind="stable")
        counts = np.bincount(signal, minlength=1)
        self.start = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        self.reader, self.slot = reader[order], slot_of[order]

    @property
    def signals(self) -> int:
        """One more than the largest signal that is read."""
        return len(self.start) - 1

    def who(self, instance: int) -> tuple[Rule, str]:
        number = int(self.block[instance])
        block = self.blocks[number]
        return block.rule, block.twins[instance - int(self.first[number])]


def _each(blocks: Sequence[Block], of: Callable[[Rule], int]) -> I64:
    return np.array([of(b.rule) for b in blocks], np.int64)


def _joined(parts: Sequence[NDArray[np.generic]], kind: type) -> NDArray:  # type: ignore[type-arg]
    return np.concatenate(parts) if len(parts) else np.zeros(0, kind)
