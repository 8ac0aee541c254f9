"""The live part: cycles of every twin, predicted when the next one begins; alarms when it is time.

A version that is new says at once what it expects of the lives that it knows, by their last cycle.

A cycle is what a twin's signals were on average in one span of `cycle` seconds of source time. It
is over when a reading of a later span comes. A late reading counts for the cycle that is open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Json
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
from gemel.services.rul import drift
from gemel.services.rul.features import OWN, WINDOW, joined, of_moment
from gemel.services.rul.lives import OPEN, OPEN_COLUMNS, paths_of, width_of
from gemel.services.rul.model import Model, model_of

Rows = NDArray[np.intp]
REMAINING = "rul.remaining"
DAY = 86_400 * SECOND
NEVER = -(1 << 62)
MOST_DRIVERS = 5
MOST_LISTED = 100
NEW = 3
"""Cycles a healthy machine must be told to last beyond the limit before an alarm clears."""
TWIN_COLUMNS = (
    "span",
    "time",
    "age",
    "rows",
    "first",
    "ring",
    "low",
    "middle",
    "high",
    "below",
    "above",
    "is_told",
    "told_at",
    "predicted",
    "total",
    "count",
)
IS_NEW = "is_new"  # fmt: skip


class RemainingLife:
    """All twins of one instance at once."""

    def __init__(self, setup: Setup) -> None:
        given = setup.parameters
        self.twins, self.signals = setup.twins, setup.signals
        self.version = setup.version
        paths = paths_of(self.signals, given)
        self.model: Model | None = None
        if setup.fit is not None:
            self.model = model_of(setup.fit.document, setup.fit.arrays)
        self.columns = (*paths.values, *paths.settings)
        self._width = width_of(given)
        self._days = self._width / DAY
        self._limit, self._hold = float(given["alarm"]), int(given["hold"])
        self._by_low, self._due_at = given["by"] == "low", float(given["renew"])
        self._work = {name: given[name] for name in ("work", "parts", "lead")}
        n, width = len(self.twins), len(self.columns)
        self._values, self._settings = self._places_of_model()
        self._column = self._columns_of(paths.age)
        self._has_age = bool(paths.age)
        self.total, self.count = np.zeros((n, width + 1)), np.zeros((n, width + 1))
        self.span: I64 = np.full(n, NEVER, np.int64)
        self.time: I64 = np.full(n, NEVER, np.int64)
        self.age, self.rows = np.zeros(n), np.zeros(n, np.int64)
        self.first = np.full((n, OWN, width), np.nan)
        """The first cycles of each life, as they were read: another version scales them anew."""
        self.ring = np.full((n, WINDOW, width), np.nan)
        """The latest cycles, the latest first."""
        self.low, self.middle, self.high = (np.full(n, np.nan) for _ in range(3))
        self.below, self.above = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.is_told = np.zeros(n, np.bool_)
        self.told_at: I64 = np.full(n, NEVER, np.int64)
        self.predicted: I64 = np.full(n, NEVER, np.int64)
        self.is_new = np.zeros(n, np.bool_)
        """Of whom this version has said nothing yet though it knows their cycles."""
        if setup.fit is not None and OPEN in setup.fit.document:
            self._take_over(setup.fit.document[OPEN], dict(setup.fit.arrays))

    def _places_of_model(self) -> tuple[Rows, Rows]:
        """The columns that the model reads: values and settings."""
        if self.model is None:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        place = {path: i for i, path in enumerate(self.columns)}
        places = (
            [place.get(path, len(place)) for path in paths]
            for paths in (self.model.paths, self.model.settings)
        )
        values, settings = (np.array(p, np.intp) for p in places)
        return values, settings

    def _columns_of(self, age: str) -> NDArray[np.int64]:
        """For each slot, its place in the table of cycles: twin * width + column, or -1."""
        place = {path: i for i, path in enumerate(self.columns)}
        if age:
            place[age] = len(self.columns)
        twins = {twin: i for i, twin in enumerate(self.twins)}
        width = len(self.columns) + 1
        return np.array(
            [
                twins[s.twin] * width + place[s.path] if s.path in place else -1
                for s in self.signals
            ],
            np.int64,
        )

    # ---- readings ------------------------------------------------------------------------------

    def update(self, readings: Readings) -> Found:
        """Folds readings in; cycles that they end are predicted from."""
        column = self._column[readings.slot] if len(readings) else np.empty(0, np.int64)
        mine = column >= 0
        if not mine.any():
            return NOTHING
        column, time, value = column[mine], readings.time[mine], readings.value[mine]
        twin = column // self.total.shape[1]
        number = self._rounds(twin, time // self._width)
        order = np.argsort(number, kind="stable")
        cuts = np.flatnonzero(np.diff(number[order])) + 1
        founds = [self._begin()]
        founds += [
            self._take(twin[rows], column[rows], time[rows], value[rows])
            for rows in np.split(order, cuts)
        ]
        return _joined(founds)

    def _begin(self) -> Found:
        """What a new version says of the lives that it found."""
        twins = np.flatnonzero(self.is_new)
        if not len(twins) or self.model is None:
            return NOTHING
        self.is_new[:] = False
        return self._predict(twins, np.empty(0, np.intp), self.span[twins] * self._width)

    def _rounds(self, twin: NDArray[np.int64], span: I64) -> NDArray[np.int64]:
        """For each reading, how many cycles of its twin these readings have ended before it."""
        order = np.argsort(twin, kind="stable")
        ordered, spans = twin[order], span[order]
        begins = np.flatnonzero(np.diff(ordered, prepend=-1))
        ends = np.append(begins[1:], len(ordered))
        number = np.empty(len(order), np.int64)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):  # twins, not readings
            newest = np.maximum.accumulate(
                np.concatenate((self.span[ordered[begin] : ordered[begin] + 1], spans[begin:end]))
            )
            number[order[begin:end]] = np.cumsum(np.diff(newest) > 0)
        return number

    def _take(
        self, twin: NDArray[np.int64], column: NDArray[np.int64], time: I64, value: F64
    ) -> Found:
        """Readings of at most one cycle of each twin."""
        span = time // self._width
        flags = np.zeros(len(self.twins), np.bool_)
        flags[twin[span > self.span[twin]]] = True
        over = np.flatnonzero(flags)
        found = NOTHING
        if len(over):
            begun = over[self.count[over].any(axis=1)]
            if len(begun):
                found = self._end(begun)
            np.maximum.at(self.span, twin, span)
            self.time[over] = NEVER
        np.add.at(self.total.reshape(-1), column, value)
        np.add.at(self.count.reshape(-1), column, 1.0)
        np.maximum.at(self.time, twin, time)
        return found

    # ---- cycles --------------------------------------------------------------------------------

    def _end(self, over: Rows) -> Found:
        """Closes the open cycles of these twins and predicts."""
        count, total = self.count[over], self.total[over]
        mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        self.count[over] = self.total[over] = 0.0
        before = self.age[over]
        age = before + 1
        if self._has_age:
            age = np.where(np.isfinite(mean[:, -1]), mean[:, -1], before)
        renewed = over[(age < before) & (self.rows[over] > 0)]
        self._renew(renewed)
        self.age[over] = age
        now = self._filled(mean[:, :-1], self.ring[over, 0])
        self.ring[over, 1:] = self.ring[over, :-1]
        self.ring[over, 0] = now
        early = self.rows[over] < OWN
        self.first[over[early], self.rows[over[early]]] = now[early]
        self.rows[over] += 1
        if self.model is None:
            return NOTHING
        self.is_new[over] = False
        return self._predict(over, renewed, self.time[over])

    def _filled(self, read: F64, before: F64) -> F64:
        """A cycle of each twin; what was not read is as far from usual as in the one before."""
        found = np.where(np.isfinite(read), read, before)
        if self.model is None or not np.isnan(read).any():
            return found
        there = self._values < read.shape[1]
        places, scaling = self._values[there], self.model.scaling
        more = np.full((len(read), 1), np.nan)
        old, new = (np.concatenate((part, more), axis=1) for part in (before, found))
        given = [np.nan_to_num(part[:, self._settings]) for part in (old, new)]
        moved = scaling.moved(given[0], old[:, self._values], given[1])[:, there]
        found[:, places] = np.where(np.isfinite(read[:, places]), found[:, places], moved)
        return found

    def _predict(self, over: Rows, renewed: Rows, time: I64) -> Found:
        """What is left of these twins by the cycles that are closed, as of these times."""
        assert self.model is not None
        rows = self._features(over)
        self.low[over], self.middle[over], self.high[over] = self.model.predict(rows)
        self.predicted[over] = time
        notices = self._notices(over, renewed, rows)
        return Found(self._outputs(over), notices)

    def _renew(self, twins: Rows) -> None:
        """A machine is as new: its life begins again."""
        self.rows[twins] = self.below[twins] = 0
        self.first[twins] = self.ring[twins] = np.nan

    def _scaled(self, cycles: F64) -> tuple[F64, F64 | None]:
        """Cycles as the model wants them, and its lines of wear; what was not read is as usual."""
        assert self.model is not None
        more = np.full((*cycles.shape[:-1], 1), np.nan)  # for what nobody reads any more
        flat = np.concatenate((cycles, more), axis=-1).reshape(-1, cycles.shape[-1] + 1)
        given = np.nan_to_num(flat[:, self._settings])
        found = np.nan_to_num(self.model.scaled(given, flat[:, self._values]))
        lines = self.model.lines(given, found)
        shape = cycles.shape[:-1]
        return found.reshape(*shape, -1), None if lines is None else lines.reshape(*shape, -1)

    def _unlike(self, twins: Rows) -> Json | None:
        """How unlike what was learnt these machines are together; None where that is not known."""
        if self.model is None or self.model.learnt is None:
            return None
        twins = twins[self.rows[twins] >= drift.LEAST_CYCLES]
        if not len(twins):
            return None
        there = np.arange(WINDOW) < self.rows[twins, None]
        looks = self.model.learnt.histograms(self._scaled(self.ring[twins])[0], there)
        return drift.document(self.model.paths, self.model.learnt.judge(looks, self.age[twins]))

    def _features(self, twins: Rows) -> F64:
        latest, lines = self._scaled(self.ring[twins])
        first, first_lines = self._scaled(self.first[twins])
        found = self._moment(twins, latest, first)
        found[:, -1] = self.age[twins]
        if lines is None or first_lines is None:
            return found
        return joined(found, self._moment(twins, lines, first_lines), self.age[twins])

    def _moment(self, twins: Rows, latest: F64, first: F64) -> F64:
        """Features of columns from the latest cycles and the first."""
        there = np.arange(WINDOW)[None, :, None] < self.rows[twins, None, None]
        recent = np.ascontiguousarray(np.swapaxes(np.where(there, latest, 0.0), 0, 1))
        begun = np.arange(OWN)[None, :, None] < self.rows[twins, None, None]
        own = np.cumsum(np.where(begun, first, 0.0), axis=1)[:, -1]
        return of_moment(recent, own, self.rows[twins])

    def _outputs(self, twins: Rows) -> Outputs:
        return Outputs(
            twins.astype(np.int32),
            np.zeros(len(twins), np.int32),
            self.predicted[twins],
            self.middle[twins] * self._days,
            self.low[twins] * self._days,
            self.high[twins] * self._days,
        )

    def _judged(self) -> F64:
        """What is held against the limit, in days."""
        return (self.low if self._by_low else self.middle) * self._days

    def _notices(self, over: Rows, renewed: Rows, rows: F64) -> tuple[Notice, ...]:
        is_below = self._judged()[over] <= self._limit
        self.below[over] = np.where(is_below, self.below[over] + 1, 0)
        self.above[over] = np.where(is_below, 0, self.above[over] + 1)
        fresh = np.zeros(len(self.twins), np.bool_)
        fresh[renewed] = True
        notices = []
        for row in np.flatnonzero(
            self.is_told[over] | (self.below[over] >= self._hold)
        ).tolist():  # twins near their end, not all
            twin = int(over[row])
            time = int(self.predicted[twin])
            if time <= self.told_at[twin]:
                continue
            told = bool(self.is_told[twin])
            if told and (fresh[twin] or self.above[twin] >= max(NEW, self._hold)):
                notices.append(Notice(self.twins[twin], "clear", time, self._value(twin)))
            elif not told and self.below[twin] >= self._hold:
                notices.append(self._raised(twin, time, rows[row]))
            else:
                continue
            self.is_told[twin], self.told_at[twin] = not told, time
        return tuple(notices)

    def _value(self, twin: int) -> float:
        return float(self.middle[twin] * self._days)

    def _raised(self, twin: int, time: int, row: F64) -> Notice:
        middle, low, high = (
            float(c[twin] * self._days) for c in (self.middle, self.low, self.high)
        )
        lead = float(self._work["lead"])
        details = {
            **self.prediction(twin, row),
            "work": {
                "title": self._work["work"],
                "parts": self._work["parts"],
                "leadDays": lead,
                "due": to_iso(time + round(max(self._wait(low, middle), lead) * DAY)),
                "earliest": to_iso(time + round(lead * DAY)),
            },
        }
        title = f"Fails in about {middle:.0f} days ({low:.0f} to {high:.0f})"
        return Notice(self.twins[twin], "raise", time, middle, title, details)

    def _wait(self, low: float, middle: float) -> float:
        """Days until it is to be renewed, by what is expected now."""
        return middle - self._due_at if self._due_at else low

    def _is_due(self, twin: int) -> bool:
        """Whether so little is left that it is to be renewed once its parts are there."""
        if not self._due_at:
            return bool(self.is_told[twin])
        return self._value(twin) <= self._due_at

    def prediction(self, twin: int, row: F64 | None = None) -> Json:
        """What is predicted of a twin, and why."""
        assert self.model is not None
        if row is None:
            row = self._features(np.array([twin]))[0]
        return {
            "median": round(self._value(twin), 2),
            "low": round(float(self.low[twin]) * self._days, 2),
            "high": round(float(self.high[twin]) * self._days, 2),
            "unit": "day",
            "share": 0.9,
            "drivers": [
                {**d, "days": round(d.pop("cycles") * self._days, 2)}
                for d in self.model.drivers(row, MOST_DRIVERS)
            ],
            "level": self.model.level,
            "version": self.version,
            "drift": self._unlike(np.array([twin])),
        }

    def fleet(self) -> dict[str, tuple[float, float, float]]:
        """Low, median and high of each machine that was predicted, in days."""
        known = np.flatnonzero(np.isfinite(self.middle)).tolist()
        low, middle, high = (c * self._days for c in (self.low, self.middle, self.high))
        return {self.twins[i]: (float(low[i]), float(middle[i]), float(high[i])) for i in known}

    # ---- for the platform ----------------------------------------------------------------------

    def condition(self) -> Condition:
        return Condition(REMAINING, self._limit, False, "Near its end", "maintenance", 2)

    def status(self) -> Json:
        """Who is next: the predictions of those that have least left."""
        known = np.flatnonzero(np.isfinite(self.middle))
        order = known[np.argsort(self.middle[known], kind="stable")][:MOST_LISTED]
        listed = [
            {
                "twin": self.twins[i],
                "time": to_iso(int(self.predicted[i])),
                "isDue": self._is_due(i),
                **self.prediction(i),
            }
            for i in order.tolist()
        ]
        return {
            "hasModel": self.model is not None,
            "twinsPredicted": len(known),
            "twinsNearTheirEnd": int(self.is_told.sum()),
            "drift": self._unlike(known),
            "predictions": listed,
        }

    def snapshot(self) -> bytes:
        head = {"twins": self.twins, "columns": self.columns, "version": self.version}
        return pack(head, {name: getattr(self, name) for name in (*TWIN_COLUMNS, IS_NEW)})

    def restore(self, data: bytes) -> None:
        """Goes on from a snapshot; another version keeps the cycles and begins its alarms anew."""
        before, arrays = unpack(data)
        if tuple(before.get("columns", ())) != self.columns or TWIN_COLUMNS[-1] not in arrays:
            return
        place = {twin: i for i, twin in enumerate(before["twins"])}
        known = [i for i, twin in enumerate(self.twins) if twin in place]
        here = np.array(known, np.intp)
        there = np.array([place[self.twins[i]] for i in known], np.intp)
        longer = arrays["rows"][there] >= self.rows[here]
        for name in TWIN_COLUMNS:
            getattr(self, name)[here[longer]] = arrays[name][there[longer]]
        if before["version"] != self.version:
            self.is_told[:] = False
            self.is_new = (self.rows > 0) & (self.span != NEVER)
        elif IS_NEW in arrays:
            self.is_new[here[longer]] = arrays[IS_NEW][there[longer]]
        self.told_at[here] = arrays["told_at"][there]

    def _take_over(self, twins: list[str], arrays: dict[str, Any]) -> None:
        """Lives that were open when the version was learnt go on from there."""
        place = {twin: i for i, twin in enumerate(twins)}
        known = [i for i, twin in enumerate(self.twins) if twin in place]
        here, there = np.array(known, np.intp), [place[self.twins[i]] for i in known]
        if arrays["open/ring"].shape[-1] == len(self.columns):
            for name in OPEN_COLUMNS:
                getattr(self, name)[here] = arrays[f"open/{name}"][there]
            self.time[here] = self.span[here] * self._width
            self.is_new[here] = self.rows[here] > 0


def _joined(founds: list[Found]) -> Found:
    found = [f for f in founds if len(f.outputs)]
    if len(found) <= 1:
        return found[0] if found else NOTHING
    columns = [f.outputs for f in found]
    outputs = Outputs(
        *(np.concatenate([getattr(c, name) for c in columns]) for name in Outputs.__slots__)
    )
    return Found(outputs, tuple(notice for f in found for notice in f.notices))
