"""The live part: samples of every twin, judged when the next one begins; outputs and notices.

A sample is what a twin's signals were in one span of `sample` seconds of source time. It is judged
when a reading of a later span comes, so neither how readings are cut into updates nor the clock
matters. A late reading counts for the sample that is open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.services.anomaly.days import HOURS, Days
from gemel.services.anomaly.episodes import NEVER, Episodes, paced
from gemel.services.anomaly.fitted import spaces_of
from gemel.services.anomaly.multivariate import STATISTICS, Multivariate
from gemel.services.anomaly.peaks import Peaks, place
from gemel.services.anomaly.statistics import ALONE, Settings, Statistics
from gemel.services.anomaly.trees import Forests
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

Rows = NDArray[np.intp]
MOST_CONTRIBUTIONS = 5
SCORE = "anomaly.score"
HOUR = 3600 * SECOND


class AnomalyDetector:
    """All signals of one instance at once."""

    def __init__(self, setup: Setup) -> None:
        given = setup.parameters
        self.twins, self.signals = setup.twins, setup.signals
        place = {twin: i for i, twin in enumerate(self.twins)}
        self.twin_of: Rows = np.array([place[s.twin] for s in self.signals], np.intp)
        sample = float(given["sample"])
        self._width = max(1, round(sample * SECOND))
        self._every = round(float(given["every"]) * SECOND)
        self._title = "Unlike its normal"
        self.statistics = Statistics(
            len(self.signals),
            Settings(
                float(given["weight"]),
                float(given["memory"]),
                int(given["warmup"]),
                float(given["sigmas"]),
                float(given["apart"]) / sample,
            ),
        )
        self.episodes = Episodes(len(self.twins), paced(given, sample))
        spaces, slots = spaces_of(setup, self.statistics)
        self.multivariate = Multivariate(spaces, slots, float(given["weight"]))
        self.last = np.full(len(self.signals), np.nan)
        self.is_fresh = np.zeros(len(self.signals), np.bool_)
        self.alone = np.zeros((len(ALONE), len(self.signals)))
        self.span: I64 = np.full(len(self.twins), NEVER, np.int64)
        self.time: I64 = np.full(len(self.twins), NEVER, np.int64)
        self.written: I64 = np.full(len(self.twins), NEVER, np.int64)
        self.hour: I64 = np.full(len(self.twins), -1, np.int64)
        self.score = np.zeros(len(self.twins))
        self.together = np.zeros((len(self.twins), len(STATISTICS)))
        order = np.argsort(self.twin_of, kind="stable")
        is_ordered = bool((order[1:] > order[:-1]).all())
        self._order: Rows | slice = slice(None) if is_ordered else order
        counts = np.bincount(self.twin_of, minlength=len(self.twins))
        self._with_signals = np.flatnonzero(counts)
        self._starts = np.concatenate(([0], np.cumsum(counts)))[self._with_signals]
        self.forests: Forests | None = None
        self.odd = np.zeros(len(self.twins))
        if given["trees"]:
            mine = [np.flatnonzero(self.twin_of == i) for i in range(len(self.twins))]
            self.forests = Forests(self.twins, mine, float(given["treeSigmas"]))
        self._span_of, self._newest = self.span.copy(), self.time.copy()

    # ---- readings ------------------------------------------------------------------------------

    def update(self, readings: Readings) -> Found:
        """Folds readings in; samples that they end are judged."""
        if not len(readings):
            return NOTHING
        slot = readings.slot.astype(np.intp)
        twin = self.twin_of[slot]
        low, high = (int(t) // self._width for t in (readings.time.min(), readings.time.max()))
        span = low if low == high else readings.time // self._width
        self._mark(twin, span)
        if self._is_one_sample_each(slot, twin, span):
            return self._take(slot, twin, readings.time, readings.value)
        founds = []
        spans = np.broadcast_to(np.asarray(span), slot.shape)
        for rows, time, of in self._samples(slot, readings.time, spans):
            self._mark(twin[rows], of)
            founds.append(self._take(slot[rows], twin[rows], time, readings.value[rows]))
        return _joined(founds)

    def _mark(self, twin: Rows, span: I64 | int) -> None:
        """Notes in which span twins have readings now."""
        self._span_of.fill(NEVER)
        self._span_of[twin] = span

    def _is_one_sample_each(self, slot: Rows, twin: Rows, span: I64 | int) -> bool:
        """Whether no signal comes twice and no twin in two spans: usual, and quick in any order."""
        flags = np.zeros(len(self.signals), np.bool_)
        flags[slot] = True
        if np.count_nonzero(flags) < len(slot):
            return False
        return isinstance(span, int) or bool((self._span_of[twin] == span).all())

    def _samples(self, slot: Rows, time: I64, span: I64) -> list[tuple[Rows, I64, I64]]:
        """Rounds of (rows, times, spans): at most one sample of a twin, one reading of a signal.

        Of several readings of a signal in one sample the last counts, at the newest of their times.
        """
        twin = self.twin_of[slot]
        order = np.argsort(twin, kind="stable")
        ordered = twin[order]
        begins = np.flatnonzero(np.diff(ordered, prepend=-1))
        lengths = np.diff(begins, append=len(ordered))
        group = np.repeat(np.arange(len(begins)), lengths)
        # The newest span of each twin so far: ranks, lifted so that no twin sees the one before.
        spans, ranks = np.unique(span, return_inverse=True)
        newest = np.maximum.accumulate(group * len(slot) + ranks.reshape(-1)[order])
        steps = np.cumsum(np.diff(newest, prepend=newest[:1]) > 0)
        number: I64 = steps - np.repeat(steps[begins], lengths)
        keys = number * len(self.signals) + slot[order]
        by_key = np.argsort(keys, kind="stable")
        firsts = np.flatnonzero(np.diff(keys[by_key], prepend=-1))
        lasts = np.append(firsts[1:], len(keys)) - 1
        kept = by_key[lasts]
        times = np.maximum.reduceat(time[order][by_key], firsts)
        of = spans[newest[kept] - group[kept] * len(slot)]
        cuts = np.flatnonzero(np.diff(number[kept])) + 1
        columns = (np.split(column, cuts) for column in (order[kept], times, of))
        return list(zip(*columns, strict=True))

    def _take(self, slot: Rows, twin: Rows, time: I64, value: F64) -> Found:
        """One reading of each signal, one span of each twin, which is marked."""
        found = NOTHING
        over = np.flatnonzero(self._span_of > self.span)
        if len(over):
            begun = over[self.span[over] != NEVER]
            if len(begun):
                found = self._judge(begun)
            self.span[over] = self._span_of[over]
            self.time[over] = NEVER
        self.last[slot] = value
        self.is_fresh[slot] = True
        self._note(twin, time)
        return found

    def _note(self, twin: Rows, time: I64) -> None:
        """Keeps the newest time of each sample; quickly where the readings of a twin have one."""
        newest = self._newest
        newest[twin] = time
        if (newest[twin] == time).all():
            np.maximum(self.time, newest, out=self.time)
        else:
            np.maximum.at(self.time, twin, time)

    # ---- samples -------------------------------------------------------------------------------

    def _judge(self, over: Rows) -> Found:
        """Judges the open samples of these twins and closes them."""
        self._turn(over)
        if len(over) == len(self.twins) and self.is_fresh.all():
            self.alone = self.statistics.step(slice(None), self.last)
            self.is_fresh[:] = False
        else:
            rows = np.flatnonzero(self.is_fresh & self._are_of(over))
            place(self.alone, rows, self.statistics.step(rows, self.last[rows]))
            self.is_fresh[rows] = False
        alone = np.abs(self.alone).max(axis=0)[self._order]
        highest = np.zeros(len(self.twins))
        if len(alone):
            highest[self._with_signals] = np.maximum.reduceat(alone, self._starts)
        score = highest[over]
        places = self.multivariate.place[over]
        has_space = places >= 0
        if has_space.any():
            together = self.multivariate.step(places[has_space], self.last)
            self.together[over[has_space]] = together
            score[has_space] = np.maximum(score[has_space], together.max(axis=1))
        if self.forests is not None:
            self.odd[over] = self.forests.step(over, self.statistics.distances(self.last))
            score = np.maximum(score, self.odd[over])
        self.score[over] = score
        time = self.time[over]
        raises, clears = self.episodes.step(over, time, score)
        notices = [self._raised(int(over[i]), int(time[i])) for i in raises.tolist()]
        notices += [
            Notice(self.twins[over[i]], "clear", int(time[i]), float(score[i]))
            for i in clears.tolist()
        ]
        return Found(self._outputs(over, time, score, raises, clears), tuple(notices))

    def _are_of(self, twins: Rows) -> NDArray[np.bool_]:
        """Which signals are of these twins."""
        flags = np.zeros(len(self.twins), np.bool_)
        flags[twins] = True
        return flags[self.twin_of]

    def _turn(self, over: Rows) -> None:
        """Tells of those whose sample is of another hour than the one before."""
        hour = self.span[over] * self._width // HOUR % HOURS
        if (is_new := hour != self.hour[over]).any():
            self.hour[over] = hour
            rows = np.flatnonzero(self._are_of(over[is_new]))
            self.statistics.turn(rows, self.hour[self.twin_of[rows]])

    def _outputs(self, over: Rows, time: I64, score: F64, raises: Rows, clears: Rows) -> Outputs:
        due = time - self.written[over] >= self._every
        due[raises] = due[clears] = True
        at = over[due]
        self.written[at] = time[due]
        return Outputs(at.astype(np.int32), np.zeros(len(at), np.int32), time[due], score[due])

    def _raised(self, twin: int, time: int) -> Notice:
        score = float(self.score[twin])
        shares = self.contributions(twin)
        first = shares[0]["property"] if shares else "its signals"
        return Notice(
            self.twins[twin],
            "raise",
            time,
            score,
            f"{self._title}: {first}",
            {"contributions": shares, "statistic": self._which(twin)},
        )

    def _which(self, twin: int) -> str:
        """The statistic that is furthest beyond its limit."""
        mine = np.flatnonzero(self.twin_of == twin)
        highest = np.abs(self.alone[:, mine]).max(axis=1, initial=0.0)
        found = dict(zip(ALONE, highest.tolist(), strict=True))
        if self.multivariate.place[twin] >= 0:
            found |= dict(zip(STATISTICS, self.together[twin].tolist(), strict=True))
        found["trees"] = float(self.odd[twin])
        return max(found, key=lambda name: found[name])

    def contributions(self, twin: int) -> list[Json]:
        """The signals that made the score, with their share and what they were."""
        mine = np.flatnonzero(self.twin_of == twin)
        size = np.abs(self.alone[:, mine]).max(axis=0) ** 2
        if (statistic := self._which(twin)) in STATISTICS:
            place = int(self.multivariate.place[twin])
            size = self.multivariate.parts(place, statistic, self.last)[: len(mine)]
        total = float(size.sum()) or 1.0
        order = np.argsort(-size, kind="stable")[:MOST_CONTRIBUTIONS]
        statistics = self.statistics
        normal = statistics.usual(self.last) if statistic == "daily" else statistics.mean
        return [
            {
                "property": self.signals[mine[i]].path,
                "share": round(float(size[i]) / total, 3),
                "value": _plain(self.last[mine[i]]),
                "normal": _plain(normal[mine[i]]),
                "deviation": _plain(np.sqrt(statistics.variance[mine[i]])),
            }
            for i in order.tolist()
            if size[i] > 0
        ]

    # ---- for the platform ----------------------------------------------------------------------

    def condition(self) -> Condition:
        return Condition(SCORE, 1.0, True, self._title, "anomaly", 3)

    def status(self) -> Json:
        """How many signals it knows well enough."""
        known = (self.statistics.seen > self.statistics.settings.warmup) | (
            self.statistics.fixed > 0
        )
        return {
            "signalsKnown": int(known.sum()),
            "signalsLearning": int((~known).sum()),
            "twinsWithSpace": len(self.multivariate.twins),
            "episodes": int(self.episodes.active.sum()),
            "highestScore": round(float(self.score.max(initial=0.0)), 4),
        }

    def _columns(self) -> dict[str, tuple[Any, str]]:
        """Every array it remembers, by name: (array, what its rows are)."""
        found: dict[str, tuple[Any, str]] = {}
        for name in Statistics.FIELDS:
            found["s." + name] = (getattr(self.statistics, name), "signals")
        for name in Peaks.FIELDS:
            found["p." + name] = (getattr(self.statistics.peaks, name).T, "signals")
        for name in Days.FIELDS:
            found["d." + name] = (getattr(self.statistics.days, name).T, "signals")
        for name in ("last", "is_fresh", "alone"):
            found[name] = (getattr(self, name).T, "signals")
        for name in Episodes.FIELDS:
            found["e." + name] = (getattr(self.episodes, name), "twins")
        for name in ("span", "time", "written", "hour", "score", "together", "odd"):
            found[name] = (getattr(self, name), "twins")
        for name in Multivariate.FIELDS:
            found[name if name == "smooth" else "m." + name] = (
                getattr(self.multivariate, name),
                "spaces",
            )
        return found

    def _keys(self) -> dict[str, list[str]]:
        return {
            "signals": [f"{s.twin}\n{s.path}" for s in self.signals],
            "twins": list(self.twins),
            "spaces": [self.twins[i] for i in self.multivariate.twins.tolist()],
        }

    def snapshot(self) -> bytes:
        columns = {name: column for name, (column, _) in self._columns().items()}
        if self.forests is not None:
            columns |= {f"f.{name}": array for name, array in self.forests.arrays().items()}
        return pack(self._keys(), columns)

    def restore(self, data: bytes) -> None:
        """Takes over what is known of signals and twins that are still there."""
        before, arrays = unpack(data)
        rows = {}
        for what, keys in self._keys().items():
            old = {key: i for i, key in enumerate(before[what])}
            pairs = [(i, old[key]) for i, key in enumerate(keys) if key in old]
            rows[what] = np.array(pairs, np.intp).reshape(-1, 2)
        for name, (column, what) in self._columns().items():
            if name in arrays:
                here = np.atleast_2d(column.T).T  # of tables, the columns that both have
                there = np.atleast_2d(arrays[name].T).T
                wide = min(here.shape[1], there.shape[1])
                here[rows[what][:, 0], :wide] = there[rows[what][:, 1], :wide]
        self.statistics.peaks.settle(np.flatnonzero(self.statistics.fixed == 0))
        if self.forests is not None and "f.masses" in arrays:
            mine = {n.removeprefix("f."): a for n, a in arrays.items() if n.startswith("f.")}
            self.forests.restore(rows["twins"][:, 0], rows["twins"][:, 1], mine)


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _joined(founds: list[Found]) -> Found:
    founds = [f for f in founds if f is not NOTHING]
    if len(founds) < 2:
        return founds[0] if founds else NOTHING
    outputs = [f.outputs for f in founds]
    return Found(
        Outputs(
            np.concatenate([o.twin for o in outputs]),
            np.concatenate([o.output for o in outputs]),
            np.concatenate([o.time for o in outputs]),
            np.concatenate([o.value for o in outputs]),
        ),
        tuple(notice for f in founds for notice in f.notices),
    )
