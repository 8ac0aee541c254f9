"""PromQL over the platform's history: what a query reads, and where it is computed.

What a query may see is looked up on the loop; readings are read and the answer computed in threads,
a few queries at once, so that a dashboard with twenty panels keeps nobody else from being served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gemel.app.metric_index import Metric, MetricIndex, chosen
from gemel.core.batch import F64, I64, Columns
from gemel.core.errors import InvalidInput, Overloaded, Refused
from gemel.history import History
from gemel.promql.evaluate import LOOK_BACK, Evaluator
from gemel.promql.parser import parse
from gemel.promql.tree import (
    RANGE,
    TEXT,
    Aggregate,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Selector,
    Subquery,
    kind_of,
)
from gemel.promql.values import Budget, Grid, Selected, Value

if TYPE_CHECKING:
    from gemel.app.platform import Platform

T = TypeVar("T")
AT_ONCE = 2
"""Queries that are computed at one time; others wait."""
MOST_WAITING = 200
MOST_POINTS = 11_000
"""Moments of a range query."""
Chosen = Mapping[tuple[Matcher, ...], Sequence[Metric]]


class PromQL:
    """What can be asked for, and where it is computed: a few threads for all who ask."""

    def __init__(self, platform: Platform) -> None:
        self.index = MetricIndex(platform)
        self._executor = ThreadPoolExecutor(AT_ONCE, "promql")
        self._waiting = 0

    async def compute(self, work: Callable[[], T]) -> T:
        """Calls `work` in a thread when its turn has come.

        Raises:
            Overloaded: too many wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise Overloaded(f"{MOST_WAITING} PromQL queries wait already", hint="ask more slowly")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


class Readings:
    """The series that were chosen for each selector of a query, read from history."""

    def __init__(self, history: History, found: Chosen) -> None:
        self._history = history
        self._chosen = found

    def select(self, matchers: Sequence[Matcher], start: int, end: int, budget: Budget) -> Selected:
        """As `promql.values.Source`; bad readings and texts are left out."""
        labels, times, values, counts = [], [], [], []
        for metric in self._chosen[tuple(matchers)]:
            limit = budget.left + 1
            columns = self._history.read(metric.number, start, end + 1, limit=limit)
            time, value = _numbers(columns)
            budget.spend(len(time))
            if len(time):
                labels.append(metric.labels)
                times.append(time)
                values.append(value)
                counts.append(len(time))
        borders = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        if not labels:
            return Selected([], np.zeros(0, np.int64), np.zeros(0), borders)
        return Selected(labels, np.concatenate(times), np.concatenate(values), borders)


def _numbers(columns: Columns) -> tuple[I64, F64]:
    """Time and value of what is a number; of several at one time the last to arrive."""
    time, value = columns.time, columns.value
    keep = np.ones(len(time), np.bool_)
    keep[:-1] = time[1:] != time[:-1]
    if columns.text or np.isnan(value).any():
        keep &= ~np.isnan(value)
    return (time, value) if keep.all() else (time[keep], value[keep])


def _selectors(node: Node) -> Iterator[Selector]:
    match node:
        case Selector():
            yield node
        case Subquery() | Negative():
            yield from _selectors(node.inner)
        case Aggregate():
            yield from _selectors(node.inner)
            if node.parameter is not None:
                yield from _selectors(node.parameter)
        case Binary():
            yield from _selectors(node.left)
            yield from _selectors(node.right)
        case Call():
            for argument in node.arguments:
                yield from _selectors(argument)


async def answer(
    platform: Platform,
    text: str,
    times: range,
    seconds: float,
    look_back: int = LOOK_BACK,
    *,
    is_range: bool = False,
    shape: Callable[[Value, Grid], T],
) -> T:
    """The value of a query at some moments, made into something in the same thread.

    Args:
        platform: as whoever asks may see it.
        text: the query.
        times: the moments (ns), from its start to the last before its stop.
        seconds: how long it may take, waiting included.
        look_back: ns; for so long a value stands.
        is_range: whether it is a range query, if of one moment alone.
        shape: makes the answer of its value and the grid.

    Raises:
        InvalidInput: what is asked makes no sense.
        Refused: series cannot be matched, or it takes too much.
        Unavailable: it takes too long, or too many wait.
    """
    node = parse(text)
    if is_range and kind_of(node) in (RANGE, TEXT):
        raise InvalidInput(
            f'invalid expression type "{kind_of(node)}" for range query, must be Scalar or '
            "instant Vector"
        )
    found = {one.matchers: chosen(platform, one.matchers) for one in _selectors(node)}
    budget = Budget(platform.config.promql_samples, seconds)
    grid = Grid(np.array(times, np.int64), times.start, times.stop - 1)
    history = platform.history

    def work() -> T:
        budget.check()
        evaluator = Evaluator(Readings(history, found), budget, look_back)
        with np.errstate(all="ignore"):
            try:
                value = evaluator.evaluate(node, grid)
            except MemoryError as error:
                raise Refused("there is not memory enough for this query") from error
            return shape(value, grid)

    return await platform.promql.compute(work)
