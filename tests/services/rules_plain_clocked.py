"""A plain evaluator of rules about time and relatives, second by second and reading by reading,
written from docs/reference/rules.md and not from the engine: what the engine must agree with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gemel.core.clock import SECOND
from gemel.services.rules.expression import (
    AllOf,
    AnyOf,
    Arithmetic,
    Call,
    Comparison,
    Gather,
    Measure,
    Negate,
    Negative,
    NoReading,
    Number,
    Parameter,
    Path,
    Quantified,
    Schedule,
)


def ceil_second(time):
    return -(-time // SECOND)


@dataclass
class World:
    """All readings there will ever be: {twin: {path: [(time, value)]}}, and who is related."""

    readings: dict
    relatives: dict = field(default_factory=dict)
    """(twin, relation name, is incoming) to twins."""
    own: dict = field(default_factory=dict)
    """Parameters: {twin: {name: value}}."""
    defaults: dict = field(default_factory=dict)
    begin: int = 0

    def __post_init__(self):
        self.samples = {}
        for twin, paths in self.readings.items():
            for path, rows in paths.items():
                best = {}
                for time, value in rows:
                    best[time] = max(value, best.get(time, value))
                self.samples[twin, path] = [(ceil_second(t), v) for t, v in sorted(best.items())]

    def of(self, twin, path):
        return self.samples.get((twin, path), [])


class PlainClocked:
    def __init__(self, world):
        self.world = world
        self.value = lru_cache(maxsize=None)(self._value)
        self.truth = lru_cache(maxsize=None)(self._truth)

    # -- numbers ---------------------------------------------------------------------------------

    def _value(self, node, twin, s):
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Parameter):
            own = self.world.own.get(twin, {})
            return own.get(node.name, self.world.defaults.get(node.name))
        if isinstance(node, Path):
            before = [v for q, v in self.world.of(twin, node.name) if q <= s]
            return before[-1] if before else None
        if isinstance(node, Negative):
            inner = self.value(node.operand, twin, s)
            return None if inner is None else -inner
        if isinstance(node, Call):
            parts = [self.value(o, twin, s) for o in node.operands]
            if None in parts:
                return None
            return (
                abs(parts[0])
                if node.function == "abs"
                else {"min": min, "max": max}[node.function](parts)
            )
        if isinstance(node, Measure):
            return self.measure(node, twin, s)
        if isinstance(node, Gather):
            return self.gather(node, twin, s)
        assert isinstance(node, Arithmetic)
        a, b = self.value(node.left, twin, s), self.value(node.right, twin, s)
        if a is None or b is None or (node.operator == "/" and b == 0):
            return None
        return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[node.operator]

    def truth_as_number(self, node, twin, s):
        found = self.truth(node, twin, s)
        return None if found is None else float(found)

    def number_or_truth(self, node, twin, s):
        if isinstance(node, (Comparison, AllOf, AnyOf, Negate, Quantified, NoReading, Schedule)):
            return self.truth_as_number(node, twin, s)
        return self.value(node, twin, s)

    def is_fresh(self, node, twin, s):
        if isinstance(node, Path):
            return any(q == s for q, _ in self.world.of(twin, node.name))
        if isinstance(node, NoReading):
            return self.is_fresh(node.path, twin, s)
        if isinstance(node, (Gather, Quantified)):
            return any(self.is_fresh(node.operand, who, s) for who in self.kin(node, twin))
        children = [getattr(node, n, None) for n in ("left", "right", "operand")]
        children += list(getattr(node, "operands", ()))
        return any(self.is_fresh(c, twin, s) for c in children if c is not None)

    def samples(self, node, twin, s):
        if isinstance(node, Path):
            return [(q, v) for q, v in self.world.of(twin, node.name) if q <= s]
        found = []
        for q in range(self.world.begin, s + 1):
            if self.is_fresh(node, twin, q):
                value = self.number_or_truth(node, twin, q)
                if value is not None:
                    found.append((q, value))
        return found

    def measure(self, node, twin, s):
        window = ceil_second(node.window)
        bucket = -(-window // 60)
        count = -(-window // bucket)
        first = (s // bucket - count + 1) * bucket
        if node.statistic == "edges":
            return self.edges(node, twin, s, first)
        every = self.samples(node.operand, twin, s)
        inside = [(q, v) for q, v in every if q >= first]
        if node.statistic == "count":
            return float(len(inside)) if every else None
        if not inside:
            return None
        values = [v for _, v in inside]
        now = self.number_or_truth(node.operand, twin, s)
        if node.statistic == "percentile":
            last = {q // bucket: v for q, v in inside}
            return percentile(sorted(last.values()), node.share)
        if node.statistic in ("rise", "fall"):
            if now is None:
                return None
            return now - min(values) if node.statistic == "rise" else max(values) - now
        return {
            "mean": lambda: sum(values) / len(values),
            "sum": lambda: sum(values),
            "min": lambda: min(values),
            "max": lambda: max(values),
            "range": lambda: max(values) - min(values),
            "sd": lambda: sd(values),
            "slope": lambda: slope(inside),
        }[node.statistic]()

    def edges(self, node, twin, s, first):
        previous, found, known = None, 0, False
        for q in range(self.world.begin, s + 1):
            now = self.truth(node.operand, twin, q)
            if now is True and previous is False and q >= first:
                found += 1
            previous = previous if now is None else now
            known |= now is not None
        return float(found) if known else None

    # -- relatives -------------------------------------------------------------------------------

    def kin(self, node, twin):
        return self.world.relatives.get((twin, node.relation.name, node.relation.is_incoming), [])

    def gather(self, node, twin, s):
        kin = self.kin(node, twin)
        if node.statistic == "count":
            truths = [self.truth(node.operand, who, s) for who in kin]
            return None if truths and set(truths) == {None} else float(truths.count(True))
        values = [self.number_or_truth(node.operand, who, s) for who in kin]
        values = [v for v in values if v is not None]
        if not values:
            return None
        return {
            "mean": lambda: sum(values) / len(values),
            "sum": lambda: sum(values),
            "min": lambda: min(values),
            "max": lambda: max(values),
            "range": lambda: max(values) - min(values),
        }[node.statistic]()

    def quantified(self, node, twin, s, held, positive):
        sign = positive if node.kind in ("any", "all", "least") else not positive
        truths = [self.truth(node.operand, who, s, held, sign) for who in self.kin(node, twin)]
        yes, unknown = truths.count(True), truths.count(None)
        if node.kind in ("any", "least"):
            least = 1 if node.kind == "any" else node.count
            return True if yes >= least else None if yes + unknown >= least else False
        if node.kind in ("none", "most"):
            most = 0 if node.kind == "none" else node.count
            return False if yes > most else None if yes + unknown > most or not truths else True
        return False if False in truths else True if truths and yes == len(truths) else None

    # -- truths ----------------------------------------------------------------------------------

    def _truth(self, node, twin, s, held=False, positive=True):
        if isinstance(node, (AllOf, AnyOf)):
            sides = [self.truth(n, twin, s, held, positive) for n in (node.left, node.right)]
            decisive = isinstance(node, AnyOf)
            return decisive if decisive in sides else None if None in sides else not decisive
        if isinstance(node, Negate):
            inner = self.truth(node.operand, twin, s, held, not positive)
            return None if inner is None else not inner
        if isinstance(node, Path):
            value = self.value(node, twin, s)
            return None if value is None else value == 1.0
        if isinstance(node, Quantified):
            return self.quantified(node, twin, s, held, positive)
        if isinstance(node, NoReading):
            last = [q for q, _ in self.world.of(twin, node.path.name) if q <= s]
            return s - last[-1] >= ceil_second(node.window) if last else None
        if isinstance(node, Schedule):
            return during(node, s)
        assert isinstance(node, Comparison)
        a, b = self.value(node.left, twin, s), self.value(node.right, twin, s)
        if a is None or b is None:
            return None
        if held and node.deadband is not None:
            up = (node.operator in (">", ">=")) == positive
            a += node.deadband.value if up else -node.deadband.value
        return {">": a > b, ">=": a >= b, "<": a < b, "<=": a <= b, "==": a == b, "!=": a != b}[
            node.operator
        ]

    # -- a whole rule ----------------------------------------------------------------------------

    def run(self, expression, twin, end, stale=None):
        """(kind, second) of each transition until `end`."""
        active, since, found = False, None, []
        heard = sorted(
            q for (who, _), rows in self.world.samples.items() if who == twin for q, _ in rows
        )
        for s in range(self.world.begin, end + 1):
            if active:
                counts = self.truth(expression.condition, twin, s, True) is False
            else:
                counts = self.truth(expression.condition, twin, s, False) is True
            if not counts:
                since = None
                continue
            since = s if since is None else since
            due = since + ceil_second(expression.off if active else expression.hold)
            last = max((q for q in heard if q <= s), default=-math.inf)
            if due <= s and (stale is None or last >= due - stale):
                active, since = not active, None
                found.append(("raise" if active else "clear", due))
        return found


def sd(values):
    if len(values) < 2:
        return None
    first = values[0]
    above = [v - first for v in values]
    n, total, squares = len(above), sum(above), sum(v * v for v in above)
    return math.sqrt(max(squares - total * total / n, 0.0) / (n - 1))


def slope(samples):
    n = len(samples)
    t0, v0 = samples[0]
    t, v = [q - t0 for q, _ in samples], [x - v0 for _, x in samples]
    under = n * sum(x * x for x in t) - sum(t) ** 2
    if under == 0:
        return None
    return (n * sum(a * b for a, b in zip(t, v, strict=True)) - sum(t) * sum(v)) / under


def percentile(ordered, share):
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def during(node, second):
    now = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(node.zone or "UTC"))
    minute = now.hour * 60 + now.minute
    if node.begin < node.end:
        return now.weekday() in node.days and node.begin <= minute < node.end
    yesterday = (now - timedelta(days=1)).weekday()
    return (minute >= node.begin and now.weekday() in node.days) or (
        minute < node.end and yesterday in node.days
    )
