"""Sliding windows in columns: one statistic of one length over many values at once.

A window is kept in buckets of whole seconds (`features.BUCKETS` at most), so its memory does not
depend on how fast readings come: per value and accumulator 8 bytes a bucket, 480 bytes at most.
Sums of whole numbers are exact, so that every way of computing them gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.services.rules.features import Window
from gemel.services.rules.ranks import Ranks

Flags = NDArray[np.bool_]
SUMS: dict[str, tuple[str, ...]] = {
    "count": ("n",),
    "edges": ("n",),
    "sum": ("n", "s"),
    "mean": ("n", "s"),
    "sd": ("n", "s", "ss"),
    "slope": ("n", "s", "t", "tt", "st"),
}
"""What is added up: count, values, squares, times, squared times, products; from an origin."""
ADDED = frozenset(name for names in SUMS.values() for name in names)
LOWEST = frozenset({"min", "rise", "range"})
HIGHEST = frozenset({"max", "fall", "range"})


EMPTY = {"low": np.inf, "high": -np.inf, "last": np.nan}


def _gather(choose: np.ufunc, row: F64, column: I64, value: F64 | float, *, is_once: bool) -> None:
    if is_once:
        row[column] = choose(row[column], value)
    else:
        choose.at(row, column, value)


def sd_of(n: F64, s: F64, ss: F64) -> F64:
    with np.errstate(all="ignore"):
        found: F64 = np.sqrt(np.maximum(ss - s * s / n, 0.0) / (n - 1.0))
    return np.where(n >= 2, found, np.nan)


def slope_of(n: F64, s: F64, t: F64, tt: F64, st: F64) -> F64:
    """Per second, by least squares."""
    with np.errstate(all="ignore"):
        under = n * tt - t * t
        found: F64 = (n * st - t * s) / np.where(under == 0.0, np.nan, under)
    return found


class WindowColumns:
    """All windows of one statistic and length, a column each."""

    def __init__(self, window: Window, keys: Sequence[str], source: I64, out: I64) -> None:
        self.window = window
        self.keys = list(keys)
        self.source, self.out = source, out
        size = len(keys)
        self._bucket, self._count = window.bucket, window.buckets
        names = SUMS.get(window.statistic, ())
        rows = self._count
        self.arrays: dict[str, F64] = {name: np.full((rows, size), 0.0) for name in names}
        if window.statistic in LOWEST:
            self.arrays["low"] = np.full((rows, size), np.inf)
        if window.statistic in HIGHEST:
            self.arrays["high"] = np.full((rows, size), -np.inf)
        if window.statistic == "percentile":
            self.arrays["last"] = np.full((rows, size), np.nan)
            self._ranks = Ranks(self.arrays["last"], window.share)
        self.origin: F64 = np.full(size, np.nan)
        """The first value; until there is one nothing is known."""
        self.previous: F64 = np.full(size, np.nan)
        self.current = -1
        self.newest = -1
        """The newest bucket with a sample."""
        self.closed: dict[str, F64] = {
            name: np.full(size, EMPTY.get(name, 0.0)) for name in self.arrays if name != "last"
        }
        """What all buckets but the current one come to; times from the begin of the current."""
        part = -(-size // rows)
        self._turns = [slice(row * part, (row + 1) * part) for row in range(rows)]

    # -- over rebuilds and restarts ----------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        arrays = {**self.arrays, "origin": self.origin, "previous": self.previous}
        arrays |= {f"closed {name}": array for name, array in self.closed.items()}
        return {"keys": self.keys, "current": self.current, "newest": self.newest, "of": arrays}

    def take(self, old: dict[str, Any]) -> None:
        """Carries over what `state` gave, column by column."""
        there = {key: i for i, key in enumerate(old["keys"])}
        pairs = [(i, there[key]) for i, key in enumerate(self.keys) if key in there]
        self.current, self.newest = int(old["current"]), int(old["newest"])
        if pairs:
            here, from_there = np.array(pairs, np.int64).T
            for name, array in old["of"].items():
                mine = self.state()["of"][name]
                mine[..., here] = array[..., from_there]
        if "last" in self.arrays:
            self._ranks.forget()

    def adopt(self, other: WindowColumns, second: int, values: F64) -> None:
        """Takes over the columns of another that has come as far as this second."""
        for one in (self, other):
            one._roll(second // one._bucket)
        newest = max(self.newest, other.newest)
        self.take({**other.state(), "current": self.current, "newest": newest})
        values[self.out] = self._result(values[self.source])

    # -- stepping ----------------------------------------------------------------------------------

    def next_change(self) -> int | None:
        """The next second at which a bucket that holds something leaves; None without one."""
        if self.newest < 0 or self.newest + self._count <= self.current:
            return None
        return (self.current + 1) * self._bucket

    def step(
        self, second: int, column: I64, value: F64, values: F64, *, is_once: bool = False
    ) -> bool:
        """Takes samples in and moves on to a second; tells whether anything may have changed.

        Args:
            second: the step.
            column: of this object, by sample; may repeat, then in order of time.
            value: by sample.
            values: of all columns of the engine, by column; `out` is written.
            is_once: whether no column repeats.
        """
        moved = self._roll(second // self._bucket)
        if not moved and not len(column):
            return False
        if len(column):
            self._add(second, column, value, is_once=is_once)
        values[self.out] = self._result(values[self.source])
        return True

    def flow(self, second: int, truth: F64, values: F64) -> None:
        """As `step`, for conditions: counts how often they become true."""
        rising = np.flatnonzero((truth == 1.0) & (self.previous == 0.0))
        known = np.isfinite(truth)
        self.origin[known & np.isnan(self.origin)] = 0.0
        self.previous = np.where(known, truth, self.previous)
        moved = self._roll(second // self._bucket)
        if len(rising):
            self.arrays["n"][self.current % self._count, rising] += 1.0
            self.newest = self.current
        if len(rising) or moved or known.any():
            values[self.out] = self._result(truth)

    def _roll(self, bucket: int) -> bool:
        """Moves on to a bucket, emptying those that leave."""
        if bucket == self.current:
            return False
        steps = min(bucket - self.current, self._count) if self.current >= 0 else 0
        is_next = bucket == self.current + 1
        if steps and is_next:
            self._close_one(bucket % self._count)
        if "last" in self.arrays:
            if steps == 1:
                self._ranks.advance(bucket % self._count)
            else:
                self._ranks.forget()
        for number in range(bucket - steps + 1, bucket + 1):
            for name, array in self.arrays.items():
                array[number % self._count] = EMPTY.get(name, 0.0)
        self.current = bucket
        if steps:
            self._add_up(self._turns[bucket % self._count] if is_next else slice(None))
        for name in ("low", "high"):
            if name in self.closed:  # the current row is empty
                choose = np.minimum if name == "low" else np.maximum
                self.closed[name] = choose.reduce(self.arrays[name], axis=0)
        return True

    def _close_one(self, leaving: int) -> None:
        """The current bucket joins the sums and the oldest leaves, before it is emptied."""
        a, closed, row = self.arrays, self.closed, self.current % self._count
        if "t" in a:
            back, on = float((self._count - 1) * self._bucket), float(self._bucket)
            n, s, t = a["n"][leaving], a["s"][leaving], a["t"][leaving]
            sums = {
                "t": closed["t"] + a["t"][row] - (t - back * n),
                "tt": closed["tt"]
                + a["tt"][row]
                - (a["tt"][leaving] - 2.0 * back * t + back * back * n),
                "st": closed["st"] + a["st"][row] - (a["st"][leaving] - back * s),
            }
        for name in ("n", "s", "ss"):
            if name in a:
                closed[name] += a[name][row] - a[name][leaving]
        if "t" in a:
            closed["t"] = sums["t"] - on * closed["n"]
            closed["tt"] = sums["tt"] - 2.0 * on * sums["t"] + on * on * closed["n"]
            closed["st"] = sums["st"] - on * closed["s"]

    def _add_up(self, columns: slice) -> None:
        """Adds up anew, so that rounding does not outlive a window; the current row is empty.

        At each step some columns have their turn.
        """
        a = {name: self.arrays[name][:, columns] for name in self.closed if name in ADDED}
        for name in ("n", "s", "ss"):
            if name in a:
                self.closed[name][columns] = a[name].sum(axis=0)
        if "t" in a:
            age = (self.current - np.arange(self._count)) % self._count
            ahead = -age * float(self._bucket)
            self.closed["t"][columns] = a["t"].sum(axis=0) + ahead @ a["n"]
            self.closed["tt"][columns] = (
                a["tt"].sum(axis=0) + 2.0 * (ahead @ a["t"]) + (ahead * ahead) @ a["n"]
            )
            self.closed["st"][columns] = a["st"].sum(axis=0) + ahead @ a["s"]

    def _add(self, second: int, column: I64, value: F64, *, is_once: bool) -> None:
        row = self.current % self._count
        self.newest = self.current
        unknown = np.isnan(self.origin[column])
        if unknown.any():  # the earliest sample of each
            self.origin[column[unknown][::-1]] = value[unknown][::-1]
        a = self.arrays
        is_shifted = self.window.statistic in ("sd", "slope")
        above = value - self.origin[column] if is_shifted else value
        into = float(second - self.current * self._bucket)
        sums: dict[str, F64 | float] = {"n": 1.0, "s": above, "t": into, "tt": into * into}
        if "ss" in a:
            sums["ss"] = above * above
        if "st" in a:
            sums["st"] = into * above
        for name, added in sums.items():
            if name in a:
                _gather(np.add, a[name][row], column, added, is_once=is_once)
        if "low" in a:
            _gather(np.minimum, a["low"][row], column, value, is_once=is_once)
        if "high" in a:
            _gather(np.maximum, a["high"][row], column, value, is_once=is_once)
        if "last" in a:
            a["last"][row, column] = value

    def _total(self, name: str) -> F64:
        found: F64 = self.closed[name] + self.arrays[name][self.current % self._count]
        return found

    def _result(self, now: F64) -> F64:
        row, kind = self.current % self._count, self.window.statistic
        low = high = np.zeros(0)
        if "low" in self.arrays:
            low = np.minimum(self.closed["low"], self.arrays["low"][row])
        if "high" in self.arrays:
            high = np.maximum(self.closed["high"], self.arrays["high"][row])
        if kind == "percentile":
            return self._ranks.now(row)
        totals = {name: self._total(name) for name in SUMS.get(kind, ())}
        return result_of(kind, totals, low, high, now, self.origin)


def result_of(kind: str, totals: dict[str, F64], low: F64, high: F64, now: F64, origin: F64) -> F64:
    """The statistic from what was added up; NaN where it is unknown."""
    with np.errstate(all="ignore"):
        if kind in ("count", "edges"):
            return np.where(np.isnan(origin), np.nan, totals["n"])
        if kind in ("sum", "mean"):
            empty = totals["n"] == 0
            share = totals["s"] if kind == "sum" else totals["s"] / totals["n"]
            return np.where(empty, np.nan, share)
        if kind == "sd":
            return sd_of(totals["n"], totals["s"], totals["ss"])
        if kind == "slope":
            return slope_of(*(totals[name] for name in SUMS["slope"]))
        differences = {"range": high - low if len(low) == len(high) else low}
        if kind == "rise":
            differences["rise"] = now - low
        if kind == "fall":
            differences["fall"] = high - now
        found = differences.get(kind, low if kind == "min" else high)
        return np.where(np.isfinite(found), found, np.nan)
