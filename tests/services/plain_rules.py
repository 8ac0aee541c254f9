"""A plain evaluator, one reading at a time, written from docs/reference/rules.md and not from the
engine: what the engine must agree with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gemel.core.batch import Batch
from gemel.core.clock import SECOND
from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Comparison,
    Negate,
    Negative,
    Number,
    Path,
    Text,
    Truth,
)
from gemel.services.rules.text import code_of_json, code_of_value


def value_of(node, known):
    """A number, or None if unknown."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Text):
        return code_of_value(node.value)
    if isinstance(node, Truth):
        return float(node.value)
    if isinstance(node, Path):
        return known.get(node.name)
    if isinstance(node, Negative):
        inner = value_of(node.operand, known)
        return None if inner is None else -inner
    assert isinstance(node, Arithmetic)
    a, b = value_of(node.left, known), value_of(node.right, known)
    if a is None or b is None:
        return None
    if node.operator == "/":
        return None if b == 0 else a / b
    return {"+": a + b, "-": a - b, "*": a * b}[node.operator]


def truth_of(node, known, held=False, positive=True):
    """True, False, or None if unknown."""
    if isinstance(node, AllOf):
        sides = [truth_of(s, known, held, positive) for s in (node.left, node.right)]
        return False if False in sides else None if None in sides else True
    if isinstance(node, AnyOf):
        sides = [truth_of(s, known, held, positive) for s in (node.left, node.right)]
        return True if True in sides else None if None in sides else False
    if isinstance(node, Negate):
        inner = truth_of(node.operand, known, held, not positive)
        return None if inner is None else not inner
    if isinstance(node, Path):
        value = known.get(node.name)
        return None if value is None else value == 1.0
    assert isinstance(node, Comparison)
    a, b = value_of(node.left, known), value_of(node.right, known)
    if a is None or b is None:
        return None
    if held and node.deadband is not None:
        up = (node.operator in (">", ">=")) == positive
        a += node.deadband.value if up else -node.deadband.value
    return {">": a > b, ">=": a >= b, "<": a < b, "<=": a <= b, "==": a == b, "!=": a != b}[
        node.operator
    ]


@dataclass
class PlainInstance:
    rule: object
    expression: object
    twin: str
    series: dict[str, int]
    subject: str
    paths: frozenset[str]
    known: dict[str, float] = field(default_factory=dict)
    active: bool = False
    since: int | None = None
    moment: int | None = None
    flipped: int | None = None

    def delay(self):
        return self.expression.off if self.active else self.expression.hold

    def flip(self, time):
        self.active = not self.active
        self.since = None
        if self.flipped is not None:
            time = max(time, self.flipped + 1)
        self.flipped = time
        value = self.known.get(self.subject, math.nan)
        return (self.rule, self.twin, "raise" if self.active else "clear", time, value)

    def evaluate(self, moment, wait):
        self.moment = moment
        if self.active:
            counts = truth_of(self.expression.condition, self.known, held=True) is False
        else:
            counts = truth_of(self.expression.condition, self.known) is True
        if not counts:
            self.since = None
            return []
        if self.since is None:
            self.since = moment
        due = self.since + self.delay()
        if moment < due:
            return []
        return [self.flip(due if moment - due >= wait else moment)]


class PlainRules:
    def __init__(self, instances, stale_after=30.0, delivery=2.0):
        self.instances = instances
        self.stale = round(stale_after * SECOND)
        self.delivery = round(delivery * SECOND)
        self.newest = {}
        self.seen = {}
        self.lag = {}
        self.twin_of = {n: i.twin for i in instances for n in i.series.values()}

    def tick(self, now):
        found = []
        for instance in self.instances:
            if instance.since is None:
                continue
            due = instance.since + instance.delay()
            seen = self.seen.get(instance.twin)
            lag = self.lag.get(instance.twin, 0)
            if due + lag + self.delivery <= now and seen is not None and seen >= due - self.stale:
                instance.moment = max(instance.moment, due)
                found.append(instance.flip(due))
        return sorted(found, key=lambda t: (t[3], t[0], t[1]))

    def react(self, batch: Batch):
        found = self.tick(batch.received)
        rows = []
        for i in range(len(batch)):
            series, time = int(batch.series[i]), int(batch.time[i])
            twin = self.twin_of.get(series)
            if twin is not None:
                self.seen[twin] = max(time, self.seen.get(twin, time))
            value = code_of_json(batch.text[i]) if i in batch.text else float(batch.value[i])
            if batch.quality[i] >= 128 or not math.isfinite(value):
                continue
            if time > self.newest.get(series, -1):
                rows.append((time, i, series, value))
        for series, time in zip(batch.series.tolist(), batch.time.tolist(), strict=True):
            twin = self.twin_of.get(series)
            if twin is not None and time == self.seen[twin]:
                self.lag[twin] = max(0, batch.received - time)
        rows.sort()
        for time, _, series, _ in rows:
            self.newest[series] = time
        for instance in self.instances:
            found += self.follow(instance, rows)
        return sorted(found, key=lambda t: (t[3], t[0], t[1]))

    def follow(self, instance, rows):
        """Readings of one time are taken together; an instance's time never runs back."""
        paths = {number: path for path, number in instance.series.items()}
        rows = [(t, s, v) for t, _, s, v in rows if s in paths and paths[s] in instance.paths]
        floor = instance.moment
        found, i = [], 0
        while i < len(rows):
            moment = rows[i][0] if floor is None else max(rows[i][0], floor)
            while i < len(rows) and (rows[i][0] == moment or rows[i][0] < moment):
                instance.known[paths[rows[i][1]]] = rows[i][2]
                i += 1
            found += instance.evaluate(moment, max(self.delivery, 1))
        return found
