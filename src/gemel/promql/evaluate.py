"""A tree over a grid of moments: each node is computed once, for all moments at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.promql import functions, rewrite
from gemel.promql.aggregate import aggregated
from gemel.promql.binary import joined
from gemel.promql.histogram import histogram_quantile
from gemel.promql.tree import (
    RANGE,
    Aggregate,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Number,
    Selector,
    Subquery,
    kind_of,
)
from gemel.promql.tree import Text as TextNode
from gemel.promql.values import (
    Budget,
    Grid,
    Ranges,
    Scalar,
    Selected,
    Source,
    Text,
    There,
    Value,
    Vector,
    unnamed,
)
from gemel.promql.windows import KEEPS_NAME, WINDOWS, predict_linear, quantile

LOOK_BACK = 300 * SECOND
SUBQUERY_STEP = 60 * SECOND
MOST_MOMENTS = 11_000
MOST_INNER = 1_000_000
"""Moments of a subquery."""


class Evaluator:
    """Computes one query."""

    def __init__(self, source: Source, budget: Budget, look_back: int = LOOK_BACK) -> None:
        self.source = source
        self.budget = budget
        self.look_back = look_back
        self._read: dict[tuple[tuple[Matcher, ...], int, int], Selected] = {}

    def evaluate(self, node: Node, grid: Grid) -> Value:
        """The value of a node at each moment of a grid.

        Raises:
            InvalidInput: what is asked makes no sense.
            Refused: series cannot be matched, or it takes too much.
            Unavailable: it takes too long.
        """
        self.budget.check()
        match node:
            case Number():
                return Scalar(np.full(len(grid.times), node.value))
            case TextNode():
                return Text(node.value)
            case Selector() if node.span:
                return self._ranges_of_selector(node, grid)
            case Selector():
                return self._instant(node, grid)[0]
            case Subquery():
                return self._ranges_of_subquery(node, grid)
            case Negative():
                return _negative(self.evaluate(node.inner, grid))
            case Aggregate():
                parameter = self.evaluate(node.parameter, grid) if node.parameter else None
                assert parameter is None or isinstance(parameter, Scalar | Text)
                return aggregated(node, self.vector(node.inner, grid), parameter)
            case Binary():
                left, right = self.evaluate(node.left, grid), self.evaluate(node.right, grid)
                assert isinstance(left, Scalar | Vector)
                assert isinstance(right, Scalar | Vector)
                found: Value = joined(node, left, right, self.budget)
                return found
            case Call():
                return self._call(node, grid)

    def vector(self, node: Node, grid: Grid) -> Vector:
        found = self.evaluate(node, grid)
        assert isinstance(found, Vector)
        return found

    def scalar(self, node: Node, grid: Grid) -> F64:
        found = self.evaluate(node, grid)
        assert isinstance(found, Scalar)
        return found.value

    def ranges(self, node: Node, grid: Grid) -> Ranges:
        found = self.evaluate(node, grid)
        assert isinstance(found, Ranges)
        return found

    # ---- selectors ---------------------------------------------------------------------------

    def _ends(self, node: Selector | Subquery, grid: Grid) -> I64:
        """The moments at which a selector looks."""
        times = grid.times
        if node.moment is not None:
            fixed = node.moment.time
            if fixed is None:
                fixed = grid.begin if node.moment.is_start else grid.end
            times = np.full(len(times), fixed, np.int64)
        return times - node.offset

    def _select(self, node: Selector, start: int, end: int) -> Selected:
        """The readings of a selector; twice the same is read once."""
        key = (node.matchers, start, end)
        found = self._read.get(key)
        if found is None:
            found = self.source.select(node.matchers, start, end, self.budget)
            self._read[key] = found
        return found

    def _instant(self, node: Selector, grid: Grid) -> tuple[Vector, F64]:
        """The newest value of each series at each moment, and its time (s)."""
        ends = self._ends(node, grid)
        start = int(ends.min()) - self.look_back + 1
        found = self._select(node, start, int(ends.max()))
        shape = (len(found.labels), len(ends))
        self.budget.spend(shape[0] * shape[1])
        rows = np.zeros(shape, np.int64)
        there = np.zeros(shape, np.bool_)
        for row in range(shape[0]):
            low, high = int(found.borders[row]), int(found.borders[row + 1])
            own = found.time[low:high]
            at = np.searchsorted(own, ends, "right") - 1
            there[row] = (at >= 0) & (own[np.maximum(at, 0)] > ends - self.look_back)
            rows[row] = low + np.maximum(at, 0)
        vector = Vector(list(found.labels), found.value[rows], there)
        return vector, functions.seconds_of(found.time[rows])

    def _ranges_of_selector(self, node: Selector, grid: Grid) -> Ranges:
        ends = self._ends(node, grid)
        found = self._select(node, int(ends.min()) - node.span, int(ends.max()))
        return self._ranges(found, ends, node.span)

    def _ranges(self, found: Selected, ends: I64, span: int) -> Ranges:
        shape = (len(found.labels), len(ends))
        self.budget.spend(3 * shape[0] * shape[1])  # functions of ranges need several matrices
        low, high = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row in range(shape[0]):
            first = int(found.borders[row])
            own = found.time[first : int(found.borders[row + 1])]
            low[row] = first + np.searchsorted(own, ends - span, "left")
            high[row] = first + np.searchsorted(own, ends, "right")
        labels, time, value = list(found.labels), found.time, found.value
        return Ranges(labels, time, value, low, high, ends, span, found.borders, self.budget)

    def _ranges_of_subquery(self, node: Subquery, grid: Grid) -> Ranges:
        """The inner query at multiples of the step, taken as readings."""
        ends = self._ends(node, grid)
        step = node.step or SUBQUERY_STEP
        first = -(-(int(ends.min()) - node.span) // step) * step
        moments = max(0, int(ends.max()) - first + step) // step
        if moments > MOST_INNER:
            raise InvalidInput(
                f"a subquery has {moments:,} moments", hint=f"at most {MOST_INNER:,}"
            )
        times = first + step * np.arange(moments, dtype=np.int64)
        if not moments:
            empty = np.zeros(0, np.int64)
            return self._ranges(Selected([], empty, np.zeros(0), empty[:1]), ends, node.span)
        inner = self.vector(node.inner, Grid(times, grid.begin, grid.end))
        borders = np.concatenate(([0], np.cumsum(inner.there.sum(axis=1)))).astype(np.int64)
        time = np.broadcast_to(times, inner.there.shape)[inner.there]
        found = Selected(inner.labels, time, inner.value[inner.there], borders)
        return self._ranges(found, ends, node.span)

    # ---- functions ---------------------------------------------------------------------------

    def _call(self, node: Call, grid: Grid) -> Value:
        name, arguments = node.name, node.arguments
        special = SPECIAL.get(name)
        if special is not None:
            return special(self, node, grid)
        if name in functions.DATES:
            return self._date(node, grid)
        if name in functions.PLAIN:
            inner = self.vector(arguments[0], grid)
            return unnamed(Vector(inner.labels, functions.PLAIN[name](inner.value), inner.there))
        place = next(i for i, one in enumerate(arguments) if kind_of(one) == RANGE)
        ranges = self.ranges(arguments[place], grid)
        others = [self.scalar(one, grid) for i, one in enumerate(arguments) if i != place]
        if name == "predict_linear":
            value, there = predict_linear(ranges, grid.times, others[0])
        elif name == "quantile_over_time":
            value, there = quantile(ranges, others[0])
        else:
            value, there = WINDOWS[name](ranges)
        found = Vector(ranges.labels, value, there)
        return found if name in KEEPS_NAME else unnamed(found)

    def _date(self, node: Call, grid: Grid) -> Vector:
        form = functions.DATES[node.name]
        if not node.arguments:
            now = functions.seconds_of(grid.times)[None]
            return Vector([()], form(now), np.ones(now.shape, np.bool_))
        inner = self.vector(node.arguments[0], grid)
        return unnamed(Vector(inner.labels, form(inner.value), inner.there))


def _negative(inner: Value) -> Value:
    if isinstance(inner, Scalar):
        return Scalar(-inner.value)
    assert isinstance(inner, Vector)
    return unnamed(Vector(inner.labels, -inner.value, inner.there))


def _time(_: Evaluator, __: Call, grid: Grid) -> Value:
    return Scalar(functions.seconds_of(grid.times))


def _pi(_: Evaluator, __: Call, grid: Grid) -> Value:
    return Scalar(np.full(len(grid.times), np.pi))


def _timestamp(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    """When each value was measured; of what was computed, the moment itself."""
    inner = node.arguments[0]
    if isinstance(inner, Selector):
        found, seconds = evaluator._instant(inner, grid)
    else:
        found = evaluator.vector(inner, grid)
        seconds = np.broadcast_to(functions.seconds_of(grid.times), found.value.shape)
    return unnamed(Vector(found.labels, seconds, found.there))


def _scalar(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    inner = evaluator.vector(node.arguments[0], grid)
    total = np.where(inner.there, inner.value, 0.0).sum(axis=0)
    return Scalar(np.where(inner.there.sum(axis=0) == 1, total, np.nan))


def _vector(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    value = evaluator.scalar(node.arguments[0], grid)[None]
    return Vector([()], value, np.ones(value.shape, np.bool_))


def _absent(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    inner = node.arguments[0]
    found = evaluator.evaluate(inner, grid)
    there: There
    if isinstance(found, Ranges):
        there = found.counts > 0
    else:
        assert isinstance(found, Vector)
        there = found.there
    lacks = ~np.any(there, axis=0, keepdims=True)
    return Vector([rewrite.of_absent(inner)], np.ones(lacks.shape), lacks)


def _sort(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    """In order of value, where there is one moment; a range has an order of its own."""
    inner = evaluator.vector(node.arguments[0], grid)
    if len(grid.times) != 1:
        return inner
    value = inner.value[:, 0] * (1.0 if node.name == "sort" else -1.0)
    return inner.take(np.lexsort((value, np.isnan(value))))


def _round(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    inner = evaluator.vector(node.arguments[0], grid)
    to = np.ones(1) if len(node.arguments) == 1 else evaluator.scalar(node.arguments[1], grid)
    return unnamed(Vector(inner.labels, functions.rounded(inner.value, to), inner.there))


def _clamp(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    inner = evaluator.vector(node.arguments[0], grid)
    limits = [evaluator.scalar(one, grid) for one in node.arguments[1:]]
    low = limits[0] if node.name != "clamp_max" else np.full(1, -np.inf)
    high = limits[-1] if node.name != "clamp_min" else np.full(1, np.inf)
    value = np.maximum(low, np.minimum(high, inner.value))
    return unnamed(Vector(inner.labels, value, inner.there & ~(low > high)))


def _label_replace(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    inner, texts = _with_texts(evaluator, node, grid)
    return rewrite.replaced(inner, *texts)


def _label_join(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    inner, (to, separator, *names) = _with_texts(evaluator, node, grid)
    return rewrite.concatenated(inner, to, separator, names)


def _with_texts(evaluator: Evaluator, node: Call, grid: Grid) -> tuple[Vector, list[str]]:
    texts = [one.value for one in node.arguments[1:] if isinstance(one, TextNode)]
    return evaluator.vector(node.arguments[0], grid), texts


def _histogram_quantile(evaluator: Evaluator, node: Call, grid: Grid) -> Value:
    level = Scalar(evaluator.scalar(node.arguments[0], grid))
    return histogram_quantile(level, evaluator.vector(node.arguments[1], grid))


SPECIAL: dict[str, Callable[[Evaluator, Call, Grid], Value]] = {
    "absent": _absent,
    "absent_over_time": _absent,
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp,
    "histogram_quantile": _histogram_quantile,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": _pi,
    "round": _round,
    "scalar": _scalar,
    "sort": _sort,
    "sort_desc": _sort,
    "time": _time,
    "timestamp": _timestamp,
    "vector": _vector,
}
