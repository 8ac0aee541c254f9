"""The live part: steps of all twins, each taken when a reading of a later one comes.

During a step an input is the mean of its readings, or what it was before; what is observed is the
last reading of the step. So neither how readings are cut into updates nor the clock matters.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
from gemel.services.calibration.ensemble import Rows
from gemel.services.calibration.explain import CHANGED, SENSOR
from gemel.services.calibration.settings import settings_of, slots_of
from gemel.services.calibration.watch import Watch
from gemel.services.contract import (
    NOTHING,
    Condition,
    Found,
    Notice,
    Outputs,
    Readings,
    Setup,
)
from gemel.services.packing import pack, unpack

VALUE, RESIDUAL, CHANGE, BIAS, STATE = (
    "behaviour.value", "behaviour.residual", "behaviour.change", "behaviour.bias",
    "behaviour.state",
)  # fmt: skip
NEVER = np.iinfo(np.int64).min
MOST_STEPS = 700
"""Without a reading; after more it begins anew."""
HIDDEN = 2.0
"""Deviation of a state that nobody has measured at the begin."""
VERDICTS = {CHANGED: 1.0, SENSOR: 2.0}
HALF_WIDTH = 1.645
"""Deviations of half a 90 % interval."""


class BehaviourFollower:
    """All twins of one instance."""

    TABLES = ("base", "state", "log", "pace", "bias", "steps")
    MINE = ("span", "sum", "count", "held", "seen", "alarm", "told", "begun", "learnt", "verdict")
    WIDE = ("base", "state", "log", "pace", "away", "sum", "count", "held")
    """Tables whose second axis are twins."""

    def __init__(self, setup: Setup) -> None:
        self.settings = settings = settings_of(setup.instance)
        self.setup, self.twins = setup, setup.twins
        count, inputs = len(self.twins), settings.behaviour.inputs
        self._width = round(settings.seconds * SECOND)
        self.watch = Watch(
            settings.behaviour, settings.output, settings.seconds, settings.follow,
            [zlib.crc32(t.encode()) for t in self.twins], settings.members, settings.noise,
        )  # fmt: skip
        place = {twin: i for i, twin in enumerate(self.twins)}
        self._twin_of = np.array([place[s.twin] for s in setup.signals], np.intp)
        self._input_of = np.full(len(setup.signals), -1, np.intp)
        """The row of the input that a slot is; -2: it is what is observed."""
        self.usable = np.zeros(count, np.bool_)
        for twin in self.twins:
            slots = slots_of(setup.instance, settings, twin)
            self.usable[place[twin]] = slots is not None
            for name, slot in (slots or {}).items():
                row = settings.behaviour.place("inputs", name) if name else -2
                self._input_of[slot] = row
        self.span: I64 = np.full(count, NEVER, np.int64)
        self.sum, self.count = np.zeros((len(inputs), count)), np.zeros((len(inputs), count))
        self.held = np.full((len(inputs), count), np.nan)
        self.seen = np.full(count, np.nan)
        self.begun = np.zeros(count, np.bool_)
        self.alarm = np.zeros(count)
        """The state that an alarm stands for; 0: there is none."""
        entries = [self._entry(twin) for twin in self.twins]
        self.learnt = np.array([_mark_of(one.get("parameters")) for one in entries], np.int64)
        """Of the parameters that the version has, what tells them from others."""
        said = [one.get("hindsight", {}) for one in entries]
        self.verdict = np.array([VERDICTS.get(one.get("verdict", ""), 0.0) for one in said])
        """What the version says has changed, as `behaviour.state`."""
        self._off = np.array([one.get("bias", 0.0) for one in said])
        """What it says the sensor is off by."""
        self.watch.known[:] = self.verdict == 1
        self.told: I64 = np.full(count, NEVER, np.int64)
        for row, one in enumerate(inputs):
            if one.name not in settings.paths:
                self.held[row] = settings.held.get(one.name, one.value)

    # ---- readings ------------------------------------------------------------------------------

    def update(self, readings: Readings) -> Found:
        """Folds readings in; steps that they end are taken."""
        slots = readings.slot.astype(np.intp)
        keep = self._input_of[slots] != -1
        if not keep.any():
            return NOTHING
        slots, value = slots[keep], readings.value[keep]
        twin, span = self._twin_of[slots], readings.time[keep] // self._width
        columns: list[tuple[Any, ...]] = []
        notices: list[Notice] = []
        for rows in self._rounds(twin, span):
            self._end_steps(twin[rows], span[rows], columns, notices)
            self._take(slots[rows], value[rows])
        if not columns:
            return Found(notices=tuple(notices))
        parts = [np.concatenate(c) for c in zip(*columns, strict=True)]
        return Found(Outputs(*parts), tuple(notices))

    def _rounds(self, twin: Rows, span: I64) -> list[Rows]:
        """Rows in order such that each part has one step of each twin."""
        order = np.argsort(twin, kind="stable")
        mine = twin[order]
        starts = np.flatnonzero(np.r_[True, mine[1:] != mine[:-1]])
        number = np.zeros(len(order), np.int64)
        for begin, end in zip(starts, [*starts[1:], len(order)], strict=True):
            here = np.maximum.accumulate(np.maximum(span[order[begin:end]], self.span[mine[begin]]))
            number[begin:end] = np.cumsum(np.r_[0, np.diff(here) > 0])
        by = np.argsort(number, kind="stable")
        cuts = np.flatnonzero(np.diff(number[by])) + 1
        return [np.sort(order[part]) for part in np.split(by, cuts)]

    def _take(self, slots: Rows, value: F64) -> None:
        row, twin = self._input_of[slots], self._twin_of[slots]
        is_input = row >= 0
        np.add.at(self.sum, (row[is_input], twin[is_input]), value[is_input])
        np.add.at(self.count, (row[is_input], twin[is_input]), 1)
        self.seen[twin[~is_input]] = value[~is_input]

    def _end_steps(
        self, twin: Rows, span: I64, columns: list[tuple[Any, ...]], notices: list[Notice]
    ) -> None:
        """Ends the open steps of twins that have a reading of a later one."""
        newest = np.full(len(self.twins), NEVER, np.int64)
        np.maximum.at(newest, twin, span)
        rows = np.flatnonzero(newest > self.span)
        is_open = rows[self.span[rows] != NEVER]
        steps = newest - self.span
        mean = self.sum / np.maximum(self.count, 1)
        fresh = self.count[:, is_open] > 0
        self.held[:, is_open] = np.where(fresh, mean[:, is_open], self.held[:, is_open])
        known = is_open[np.isfinite(self.held[:, is_open]).all(axis=0) & self.usable[is_open]]
        new = known[~self.begun[known] & np.isfinite(self.seen[known])]
        self._begin(new)
        going = known[self.begun[known]]
        lost = going[steps[going] > MOST_STEPS]
        self.begun[lost] = False
        going = going[steps[going] <= MOST_STEPS]
        for k in range(int(steps[going].max(initial=0))):
            now = going[steps[going] > k]
            if k == 0:  # they begin at what was read at the end of this step
                now = now[~np.isin(now, new)]
                if not len(now):
                    continue
            reading = self.seen[now] if k == 0 else np.full(len(now), np.nan)
            time = (self.span[now] + k + 1) * self._width
            self._step(now, reading, time, columns, notices)
        self.sum[:, is_open], self.count[:, is_open] = 0.0, 0.0
        self.seen[is_open] = np.nan
        self.span[rows] = newest[rows]

    def _entry(self, twin: str) -> Json:
        """What the version in use knows of a twin."""
        fit = self.setup.fit
        found: Json = (fit.document["twins"] if fit is not None else {}).get(twin, {})
        return found

    def _begin(self, rows: Rows) -> None:
        for row in rows.tolist():
            mine = self._entry(self.twins[row])
            start = {s.name: s.value for s in self.settings.behaviour.states}
            spread: dict[str, float] = dict(mine.get("spread", {}))
            units = {o.name: o.unit for o in self.settings.behaviour.outputs}
            for one in self.settings.behaviour.states:
                if one.name == self.settings.output:
                    start[one.name] = float(self.seen[row])
                    spread[one.name] = self.settings.noise.reading
                elif one.unit == units[self.settings.output]:
                    start[one.name] = float(self.seen[row])
                    spread[one.name] = max(HIDDEN, 10 * self.settings.noise.reading)
            values = {**self.settings.values, **mine.get("parameters", {})}
            self.watch.begin(np.array([row]), values, start, spread)
        off = rows[self.verdict[rows] == 2]
        self.watch.distrust(off, self._off[off])
        self.begun[rows] = True

    def _step(
        self, rows: Rows, reading: F64, time: I64, columns: list[tuple[Any, ...]],
        notices: list[Notice],
    ) -> None:  # fmt: skip
        watch = self.watch
        told = watch.step(rows, self.held[:, rows], reading)
        half = HALF_WIDTH * told.deviation
        log = watch.plain.log[:, rows].mean(axis=2)
        change = np.expm1(np.abs(log).max(axis=0, initial=0.0))
        kind = np.where(watch.biased[rows], 2.0, np.where(watch.changed[rows], 1.0, 0.0))
        found = (told.mean, told.surprise, change, watch.bias(rows), kind)
        for output, value in enumerate(found):
            there = np.isfinite(value)
            empty = np.full(int(there.sum()), np.nan)
            low, high = (
                ((value - half)[there], (value + half)[there]) if output == 0 else (empty, empty)
            )
            columns.append(
                (
                    rows[there].astype(np.int32), np.full(len(low), output, np.int32),
                    time[there], value[there], low, high,
                )
            )  # fmt: skip
        # an alarm that stands for something else ends first; the next step raises the other
        turned = np.where((self.alarm[rows] > 0) & (kind != self.alarm[rows]), 0.0, kind)
        for i in np.flatnonzero(turned != self.alarm[rows]).tolist():
            notices.append(self._notice(int(rows[i]), float(turned[i]), int(time[i])))
        self.alarm[rows] = turned
        self.told[rows] = time

    def _notice(self, row: int, kind: float, time: int) -> Notice:
        twin = self.twins[row]
        if kind == 0:
            return Notice(twin, "clear", time, kind)
        rows = np.array([row])
        values = self.watch.followed(rows)[:, 0]
        details: Json = {
            "bias": float(self.watch.bias(rows)[0]),
            "parameters": {
                name: [float(x) for x in np.quantile(values[i], [0.05, 0.5, 0.95])]
                for i, name in enumerate(self.settings.follow)
            },
        }
        title = (
            f"{self.settings.observed} is off by {details['bias']:.3g}"
            if kind == 2
            else "no longer as calibrated"
        )
        return Notice(twin, "raise", time, kind, title, details)

    # ---- for the platform ----------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """All it remembers."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in self.MINE}
        for name in ("plain", "other"):
            for table in self.TABLES:
                arrays[f"{name}/{table}"] = getattr(getattr(self.watch, name), table)
        for name in ("evidence", "biased", "away", "changed", "jumps"):
            arrays[f"watch/{name}"] = getattr(self.watch, name)
        return pack({"twins": list(self.twins), "version": self.setup.version}, arrays)

    def restore(self, data: bytes) -> None:
        """Takes a snapshot over; twins that are not in it, or were calibrated anew, begin anew."""
        document, arrays = unpack(data)
        place = {twin: i for i, twin in enumerate(document["twins"])}
        known = [i for i, twin in enumerate(self.twins) if twin in place]
        mine = [i for i in known if self.learnt[i] == arrays["learnt"][place[self.twins[i]]]]
        theirs = [place[self.twins[i]] for i in mine]
        verdict = self.verdict.copy()
        for key, before in arrays.items():
            group, _, name = key.rpartition("/")
            owner = {"": self, "watch": self.watch}.get(group) or getattr(self.watch, group)
            table = getattr(owner, name)
            if name in self.WIDE:
                table[:, mine] = before[:, theirs]
            else:
                table[mine] = before[theirs]
        if document["version"] != self.setup.version:
            self._heed(np.array(mine, np.intp), verdict)

    def _heed(self, rows: Rows, verdict: F64) -> None:
        """Goes on with another version: what it newly says holds; its alarms are its own."""
        rows = rows[self.begun[rows] & (self.verdict[rows] != verdict[rows])]
        self.verdict, biased = verdict, self.watch.biased[rows]
        off = rows[(verdict[rows] == 2) & ~biased]
        self.watch.distrust(off, self._off[off])
        self.watch.trust(rows[(verdict[rows] != 2) & biased])
        self.alarm[:] = 0.0

    def condition(self) -> Condition | None:
        return Condition(STATE, 0.5, title="Behaves unlike its model", alarm_class="service")

    def status(self) -> Json:
        """Each twin's followed parameters, and whether its sensor is trusted."""
        found: Json = {"behaviour": self.settings.behaviour.name, "following": {}}
        for row, twin in enumerate(self.twins):
            if not self.begun[row]:
                continue
            rows = np.array([row])
            values = self.watch.followed(rows)[:, 0]
            found["following"][twin] = {
                "until": to_iso(int(self.told[row])) if self.told[row] != NEVER else None,
                "sensorOff": bool(self.watch.biased[row]),
                "changed": bool(self.watch.changed[row]),
                "parameters": {
                    name: [round(float(x), 6) for x in np.quantile(values[i], [0.05, 0.5, 0.95])]
                    for i, name in enumerate(self.settings.follow)
                },
            }
        missing = [t for t, ok in zip(self.twins, self.usable, strict=True) if not ok]
        return {**found, "twinsWithoutSignals": missing[:100]}


def _mark_of(parameters: Json | None) -> int:
    """A number that is another one for other parameters."""
    return zlib.crc32(repr(sorted((parameters or {}).items())).encode())
