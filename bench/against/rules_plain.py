"""The rules of bench/rules.py as one would write them by hand: an object a twin, a call a reading.

`run_loop` calls them in a plain loop; `run_bytewax` lets a streaming library do so, key by key.
Both give (twin, kind, second), to be compared with what Gemel gives.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Flip = tuple[int, str, int]
Truth = bool | None


class Delays:
    """Raises when a condition has held for `hold` seconds, clears when it was over for `off`."""

    def __init__(self, hold: int = 0, off: int = 0) -> None:
        self.hold, self.off = hold, off
        self.is_active, self.since = False, -1

    def take(self, second: int, holds: Truth, is_over: Truth) -> str | None:
        if not (is_over if self.is_active else holds):
            self.since = -1
            return None
        if self.since < 0:
            self.since = second
        if second - self.since < (self.off if self.is_active else self.hold):
            return None
        self.is_active, self.since = not self.is_active, -1
        return "raise" if self.is_active else "clear"


class Threshold:
    def __init__(self, limit: float, band: float = 0.0, hold: int = 0, off: int = 0) -> None:
        self.limit, self.back, self.delays = limit, limit - band, Delays(hold, off)

    def take(self, second: int, value: float) -> str | None:
        return self.delays.take(second, value > self.limit, value <= self.back)


class Windowed:
    """A statistic of the samples of the last seconds above a limit."""

    def __init__(self, seconds: int, limit: float) -> None:
        self.bucket = -(-seconds // 60)
        self.buckets, self.limit = seconds // self.bucket, limit
        self.samples: deque[tuple[int, float]] = deque()
        self.delays = Delays()

    def joins(self, second: int, value: float) -> None:
        """A sample joins what is added up."""

    def leaves(self, second: int, value: float) -> None:
        """And leaves it."""

    def statistic(self) -> float | None:
        raise NotImplementedError

    def take(self, second: int, value: float) -> str | None:
        oldest = (second // self.bucket - self.buckets + 1) * self.bucket
        while self.samples and self.samples[0][0] < oldest:
            self.leaves(*self.samples.popleft())
        self.samples.append((second, value))
        self.joins(second, value)
        found = self.statistic()
        holds = None if found is None else found > self.limit
        return self.delays.take(second, holds, None if holds is None else not holds)


class Mean(Windowed):
    total = 0.0

    def joins(self, second: int, value: float) -> None:
        self.total += value

    def leaves(self, second: int, value: float) -> None:
        self.total -= value

    def statistic(self) -> float | None:
        return self.total / len(self.samples)


class Deviation(Mean):
    """The standard deviation of the sample."""

    squares = 0.0

    def joins(self, second: int, value: float) -> None:
        super().joins(second, value)
        self.squares += value * value

    def leaves(self, second: int, value: float) -> None:
        super().leaves(second, value)
        self.squares -= value * value

    def statistic(self) -> float | None:
        n = len(self.samples)
        if n < 2:
            return None
        return math.sqrt(max(self.squares - self.total * self.total / n, 0.0) / (n - 1))


class Slope(Windowed):
    """By least squares, per second; times from the first sample on."""

    first: int | None = None
    n = s = t = tt = st = 0.0

    def added(self, second: int, value: float, sign: float) -> None:
        self.first = second if self.first is None else self.first
        at = second - self.first
        self.n += sign
        self.s += sign * value
        self.t += sign * at
        self.tt += sign * at * at
        self.st += sign * at * value

    def joins(self, second: int, value: float) -> None:
        self.added(second, value, 1.0)

    def leaves(self, second: int, value: float) -> None:
        self.added(second, value, -1.0)

    def statistic(self) -> float | None:
        under = self.n * self.tt - self.t * self.t
        return (self.n * self.st - self.t * self.s) / under if under else None


class Percentile(Windowed):
    """The last sample of each bucket counts; with buckets of a second that is each of them."""

    def __init__(self, seconds: int, limit: float, share: float) -> None:
        super().__init__(seconds, limit)
        self.share = share
        self.ordered: list[float] = []

    def joins(self, second: int, value: float) -> None:
        insort(self.ordered, value)

    def leaves(self, second: int, value: float) -> None:
        del self.ordered[bisect_left(self.ordered, value)]

    def statistic(self) -> float | None:
        place = self.share * (len(self.ordered) - 1)
        below = math.floor(place)
        low = self.ordered[below]
        high = self.ordered[min(below + 1, len(self.ordered) - 1)]
        return low + (high - low) * (place - below)


class Happens:
    """How often a value rose above a limit within the last seconds."""

    def __init__(self, seconds: int, limit: float, least: int) -> None:
        self.seconds, self.limit, self.least = seconds, limit, least
        self.times: deque[int] = deque()
        self.was: Truth = None
        self.delays = Delays()

    def take(self, second: int, value: float) -> str | None:
        is_above = value > self.limit
        if is_above and self.was is False:
            self.times.append(second)
        self.was = is_above
        while self.times and self.times[0] <= second - self.seconds:
            self.times.popleft()
        holds = len(self.times) >= self.least
        return self.delays.take(second, holds, not holds)


class AwayFromPrediction:
    """Takes what was measured, and what was predicted by `predict`."""

    def __init__(self, limit: float, hold: int) -> None:
        self.limit, self.delays = limit, Delays(hold)
        self.predicted: float | None = None

    def predict(self, value: float) -> None:
        self.predicted = value

    def take(self, second: int, value: float) -> str | None:
        if self.predicted is None:
            return None
        holds = abs(value - self.predicted) > self.limit
        return self.delays.take(second, holds, not holds)


class Silence:
    """Must be asked each second, whether anything came or not."""

    def __init__(self, seconds: int) -> None:
        self.seconds, self.delays = seconds, Delays()
        self.last: int | None = None

    def take(self, second: int, value: float) -> str | None:
        if not math.isnan(value):
            self.last = second
        if self.last is None:
            return None
        holds = second - self.last >= self.seconds
        return self.delays.take(second, holds, not holds)


class SomeRelatives:
    """How many of its relatives are above a limit; told all of them each second."""

    def __init__(self, members: list[int], limit: float, least: int) -> None:
        self.members, self.limit, self.least = members, limit, least
        self.delays = Delays()

    def take(self, second: int, values: list[float]) -> str | None:
        above = 0
        for member in self.members:
            if values[member] > self.limit:
                above += 1
        holds = above >= self.least
        return self.delays.take(second, holds, not holds)


Make = Callable[[int], object]


def run_loop(
    make: Make, begin: int, values: np.ndarray, predicted: dict[int, np.ndarray]
) -> tuple[list[Flip], float]:
    """The transitions, and the processor time.

    Args:
        make: the rule of a twin, by its number.
        begin: the first second.
        values: by second and twin; NaN where nothing came.
        predicted: of all twins, by second.
    """
    rules = [make(twin) for twin in range(values.shape[1])]
    rows = [row.tolist() for row in values]
    ahead = {second: row.tolist() for second, row in predicted.items()}
    is_shared = isinstance(rules[0], SomeRelatives)
    found: list[Flip] = []
    before = time.process_time()
    for number, row in enumerate(rows):
        second = begin + number
        if number in ahead:
            for rule, value in zip(rules, ahead[number], strict=True):
                rule.predict(value)
        for twin, value in enumerate(row):
            flip = rules[twin].take(second, row if is_shared else value)
            if flip:
                found.append((twin, flip, second))
    return found, time.process_time() - before


def run_bytewax(
    folder: Path, make: Make, begin: int, values: np.ndarray
) -> tuple[list[Flip], float]:
    """The same objects as the states of a keyed stream of Bytewax, which keeps order by key."""
    import sys

    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, TestingSource, run_main

    def readings() -> Iterator[tuple[str, tuple[int, float]]]:
        keys = [str(twin) for twin in range(values.shape[1])]
        for number, row in enumerate(values):
            yield from zip(keys, ((begin + number, v) for v in row.tolist()), strict=True)

    def step(rule, reading):
        rule, number = rule or (make(0), None)
        flip = rule.take(*reading)
        return (rule, number), [(flip, reading[0])] if flip else []

    told: list[tuple[str, tuple[str, int]]] = []
    flow = Dataflow("rules")
    stream = op.input("readings", flow, TestingSource(list(readings()), batch_size=1_000))
    flips = op.stateful_flat_map("rule", stream, step)
    op.output("told", flips, TestingSink(told))
    before = time.process_time()
    run_main(flow)
    taken = time.process_time() - before
    return [(int(twin), kind, second) for twin, (kind, second) in told], taken
