"""The live part: every step that ends is forecast from, for all signals at once.

A step is what a signal was on average in one span of `step` seconds of source time; it is over when
a reading of a later one comes. A late reading is left out. What a version has learnt is weights, a
band, and the end of history that it was learnt from, so that forecasts begin with the first step.

Bands follow what is seen of them: one forecast of each signal at a time is held against its steps
as they come, and the band of those that follow is wider after a miss, a little narrower after a
hit, so that in the long run as many miss as are meant.

Source: Gibbs and Candès, Adaptive conformal inference under distribution shift, NeurIPS 34 (2021).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.services.contract import (
    NOTHING,
    Condition,
    Found,
    Instance,
    Output,
    Outputs,
    Readings,
    Setup,
)
from gemel.services.forecast.grid import MOST_GAP
from gemel.services.forecast.version import Version, version_of
from gemel.services.packing import pack, unpack

Rows = NDArray[np.intp]
NEVER = -(1 << 62)
BANDS = ("scale", "awaited", "expected")
COLUMNS = ("span", "total", "count", "known", "ring", "origin", *BANDS)
LEAST_SCALE, MOST_SCALE = 0.7, 8.0
MEANT = 0.1
"""Share of steps outside their band that is meant."""


def outputs_of(instance: Instance) -> tuple[Output, ...]:
    """One for each path: the forecast of a signal has its own name, as predicted."""
    units = {s.path: s.unit for s in instance.signals}
    return tuple(
        Output(path, f"{path}, as it will be", unit, "predicted", has_interval=True, every="step")
        for path, unit in sorted(units.items())
    )


class Forecaster:
    """All signals of one instance at once."""

    def __init__(self, setup: Setup) -> None:
        given, self.signals = setup.parameters, setup.signals
        self.version = setup.version
        self._width = max(1, round(float(given["step"]) * SECOND))
        self._reach = max(int(given["lags"]), int(given["season"]))
        n = len(self.signals)
        self.learnt: Version = version_of(setup.fit, self.signals, given)
        twins = {twin: i for i, twin in enumerate(setup.twins)}
        outputs = {o.name: i for i, o in enumerate(outputs_of(setup.instance))}
        self._twin = np.array([twins[s.twin] for s in self.signals], np.int32)
        self._output = np.array([outputs[s.path] for s in self.signals], np.int32)
        self.span: I64 = np.full(n, NEVER, np.int64)
        self.total, self.count = np.zeros(n), np.zeros(n)
        self.known = np.zeros(n, np.int64)
        """Steps in the ring."""
        self.ring = np.full((n, self._reach), np.nan)
        """Means of the latest steps, the latest last."""
        self.origin: I64 = np.full(n, NEVER, np.int64)
        """The step after which the latest forecast begins."""
        horizon = int(given["horizon"])
        self.scale = np.ones(n)
        """What bands are wider than the version has them, by what became of them."""
        self.awaited: I64 = np.full(n, NEVER, np.int64)
        """The first step of the forecast that is held against what comes."""
        self.expected = np.zeros((n, 3, horizon))
        """That forecast: value, low, high."""
        self._take_over()

    def _take_over(self) -> None:
        """Goes on from the end of the history that was learnt from."""
        rows = np.flatnonzero(self.learnt.has)
        self.ring[rows], self.known[rows] = self.learnt.tail[rows], self._reach
        self.span[rows] = self.learnt.last[rows] + 1

    # ---- readings ------------------------------------------------------------------------------

    def update(self, readings: Readings) -> Found:
        """Folds readings in; steps that they end are forecast from."""
        if not len(readings):
            return NOTHING
        slot, step, value = readings.slot, readings.time // self._width, readings.value
        rounds = self._rounds(slot, step)
        founds = []
        for number in np.unique(rounds[rounds >= 0]).tolist():
            mine = rounds == number
            founds.append(self._take(slot[mine], step[mine], value[mine]))
        columns = [one for one in founds if one is not None]
        if not columns:
            return NOTHING
        parts = zip(*columns, strict=True)
        return Found(Outputs(*(np.concatenate(list(part)) for part in parts)))

    def _rounds(self, slot: NDArray[np.int32], step: I64) -> NDArray[np.int64]:
        """How many steps of its signal these readings have ended before each; -1: it is late."""
        order = np.argsort(slot, kind="stable")
        mine, steps = slot[order], step[order]
        begins = np.flatnonzero(np.diff(mine, prepend=-1))
        ends = np.append(begins[1:], len(mine))
        found = np.empty(len(slot), np.int64)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):  # signals, not readings
            before = self.span[mine[begin]]
            newest = np.maximum.accumulate(np.append(before, steps[begin:end]))
            number = np.cumsum(np.diff(newest) > 0)
            found[order[begin:end]] = np.where(steps[begin:end] < newest[1:], -1, number)
        return found

    def _take(
        self, slot: NDArray[np.int32], step: I64, value: F64
    ) -> tuple[NDArray[np.generic], ...] | None:
        """Readings of at most one step of each signal."""
        newest = np.full(len(self.span), NEVER, np.int64)
        np.maximum.at(newest, slot, step)
        over = np.flatnonzero(newest > self.span)
        found = self._end(over, newest[over]) if len(over) else None
        np.add.at(self.total, slot, value)
        np.add.at(self.count, slot, 1.0)
        return found

    def _end(self, over: Rows, now: I64) -> tuple[NDArray[np.generic], ...] | None:
        """Closes the open steps of these signals, up to the step that begins, and forecasts."""
        had = self.count[over] > 0
        missing = np.where(self.span[over] == NEVER, 0, now - self.span[over] - had)
        lost = missing > MOST_GAP * self._reach
        mean = self.total[over] / np.maximum(self.count[over], 1.0)
        self._hold_against(over[had], mean[had])
        self._push(over[had], mean[had])
        for step in range(int(missing[~lost].max(initial=0))):
            rows = over[~lost & (missing > step)]
            self._push(rows, self.ring[rows, -1])
        self.known[over[lost]] = 0
        self.total[over] = self.count[over] = 0.0
        self.span[over] = now
        ready = over[(self.known[over] >= self._reach) & self.learnt.has[over]]
        if not len(ready):
            return None
        self.origin[ready] = self.span[ready] - 1
        return self._ahead(ready)

    def _hold_against(self, rows: Rows, mean: F64) -> None:
        """What steps that are over say of the bands that awaited them."""
        horizon = self.expected.shape[2]
        lead = self.span[rows] - self.awaited[rows]
        is_awaited = (lead >= 0) & (lead < horizon)
        rows, lead, mean = rows[is_awaited], lead[is_awaited], mean[is_awaited]
        low, high = self.expected[rows, 1, lead], self.expected[rows, 2, lead]
        is_outside = (mean < low) | (mean > high)
        moved = self.scale[rows] * np.exp((is_outside - MEANT) / horizon)
        self.scale[rows] = np.clip(moved, LEAST_SCALE, MOST_SCALE)

    def _push(self, rows: Rows, mean: F64) -> None:
        self.ring[rows, :-1] = self.ring[rows, 1:]
        self.ring[rows, -1] = mean
        self.known[rows] += 1

    def _ahead(self, rows: Rows) -> tuple[NDArray[np.generic], ...]:
        value = self.learnt.forecast(self.ring[rows], rows)
        horizon = value.shape[1]
        steps = self.span[rows, None] + np.arange(horizon)
        time = steps * self._width + self._width // 2
        scale = self.scale[rows, None]
        low = value + scale * self.learnt.low[rows]
        high = value + scale * self.learnt.high[rows]
        is_free = self.span[rows] >= self.awaited[rows] + horizon
        free = rows[is_free]
        self.awaited[free] = self.span[free]
        self.expected[free] = np.stack((value, low, high), axis=1)[is_free]
        return (
            np.repeat(self._twin[rows], horizon),
            np.repeat(self._output[rows], horizon),
            time.reshape(-1),
            value.reshape(-1),
            low.reshape(-1),
            high.reshape(-1),
        )

    # ---- for the platform ----------------------------------------------------------------------

    def condition(self) -> Condition | None:
        return None

    def status(self) -> Json:
        """How many signals it forecasts, and what the others wait for."""
        ready = self.learnt.has & (self.known >= self._reach)
        return {
            "hasModel": bool(self.learnt.has.any()),
            "signalsForecast": int(ready.sum()),
            "signalsWithoutModel": int((~self.learnt.has).sum()),
            "bandsWider": float(np.median(self.scale[ready])) if ready.any() else 1.0,
            "signalsWithoutHistory": int((self.learnt.has & ~ready).sum()),
        }

    def snapshot(self) -> bytes:
        keys = [[s.twin, s.path] for s in self.signals]
        head = {"signals": keys, "width": self._width, "reach": self._reach}
        head |= {"version": self.version}
        return pack(head, {name: getattr(self, name) for name in COLUMNS})

    def restore(self, data: bytes) -> None:
        """Goes on from a snapshot of the same steps; a version that saw more goes before it."""
        before, arrays = unpack(data)
        if (before.get("width"), before.get("reach")) != (self._width, self._reach):
            return
        place = {tuple(key): i for i, key in enumerate(before["signals"])}
        known = [i for i, s in enumerate(self.signals) if (s.twin, s.path) in place]
        here = np.array(known, np.intp)
        there = np.array(
            [place[self.signals[i].twin, self.signals[i].path] for i in known], np.intp
        )
        newer = arrays["span"][there] >= self.span[here]
        is_same = before.get("version", self) == self.version  # else its bands are its own
        names = COLUMNS if is_same else COLUMNS[: -len(BANDS)]
        for row, old in zip(here[newer].tolist(), there[newer].tolist(), strict=True):
            self._go_on(row, {name: arrays[name][old] for name in names})

    def _go_on(self, row: int, before: dict[str, Any]) -> None:
        """Takes over what a signal was; what lies before is as the version knows it."""
        ring, known, end = before["ring"].copy(), int(before["known"]), int(before["span"])
        learnt_to = int(self.span[row])
        if known < self._reach and self.known[row] and end - known <= learnt_to:
            older = self._reach - min(known, self._reach)
            begin = end - learnt_to
            ring[:older] = self.ring[row, begin : begin + older]
            known = self._reach
        for name, value in before.items():
            getattr(self, name)[row] = value
        self.ring[row], self.known[row] = ring, known
