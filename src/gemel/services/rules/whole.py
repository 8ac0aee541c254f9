"""A rule over a whole span of history at once: what it would have done, in columns over time.

Gives what the engine gives for the same readings in order (a property test holds them together),
without stepping through them: every value is a column over the moments at which anything changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.rules.expression import Relation
from gemel.services.rules.features import (
    Feature,
    Hours,
    Inner,
    Relatives,
    Silence,
    Window,
    seconds_of,
)
from gemel.services.rules.holding import Alive, Runs, alternating
from gemel.services.rules.hours import changes, within
from gemel.services.rules.layout import judged
from gemel.services.rules.parameters import SettingsOf, adjusted, no_settings
from gemel.services.rules.rule import Rule
from gemel.services.rules.spans import EMPTY, over_window

Flags = NDArray[np.bool_]
Read = Callable[[str, str], tuple[I64, F64]]
"""(twin, path) -> times (ns) and values of the readings that count, in order of time."""
Kin = Callable[[str, Relation], Sequence[str]]


def nobody(_twin: str, _relation: Relation) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Track:
    """One value of one twin over all moments."""

    value: F64
    fresh: Flags | None
    """Whether a reading that counts came; None if nobody asks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule did on a twin; it begins as normal, so transitions are raise, clear, raise..."""

    time: I64
    value: F64
    """Of the subject at each transition."""

    @property
    def raised(self) -> I64:
        return self.time[::2]

    @property
    def cleared(self) -> I64:
        return self.time[1::2]


class Start(NamedTuple):
    """Where a rule stood on a twin when it is followed from there."""

    time: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What a rule does on a twin from a moment on, and where it stands at the end of the span."""

    stood: bool
    """Whether an alarm stood at the beginning."""
    time: I64
    """Of the flips: raise and clear in turn."""
    value: F64
    """Of the subject at each flip."""
    moments: I64
    """At which anything could change, those before the beginning too."""
    subject: F64
    """The value of the subject at each moment."""
    since: int
    """When the run began that is counted at the end, as the engine has it; NEVER without one."""

    @property
    def is_active(self) -> bool:
        return self.stood ^ bool(len(self.time) % 2)


class Span:
    """Evaluates rules over one span.

    Args:
        read: the readings, from the longest window before `begin` on.
        begin: ns; from here on the rule is judged.
        end: ns; inclusive.
        kin: the relatives of a twin.
        settings: the twin's own values of parameters.
    """

    def __init__(
        self,
        read: Read,
        begin: int,
        end: int,
        kin: Kin = nobody,
        settings: SettingsOf = no_settings,
    ) -> None:
        self.read, self.begin, self.end = read, begin, end
        self.kin, self.settings = kin, settings
        self._raw: dict[tuple[str, str], tuple[I64, F64]] = {}
        self._tracks: dict[tuple[str, str], Track] = {}
        self._moments: I64 = np.zeros(0, np.int64)
        self._quantum = SECOND

    def judge(self, rule: Rule, twin: str, heard: I64 = EMPTY, delivery: float = 2.0) -> Outcome:
        """What the rule would have done on a twin.

        Args:
            rule: clocked or not.
            twin: whose.
            heard: times (ns, in order) of all readings of the twin, of any property and quality;
                empty if only those that the rule reads are known.
            delivery: as of the engine.
        """
        runs, rows = self._runs(rule, twin)
        on, gone = self._marks(runs, rule, heard, delivery)
        time = alternating(on, gone, False)
        return Outcome(time * self._quantum, self._subject(rows, time))

    def follow(
        self,
        rule: Rule,
        twin: str,
        start: Start,
        heard: I64 = EMPTY,
        delivery: float = 2.0,
    ) -> Course:
        """As `judge`, from where the rule stood at a moment within the span on.

        Args:
            rule: clocked or not.
            twin: whose.
            start: from when on, and whether an alarm stood then.
            heard: as for `judge`.
            delivery: as of the engine.
        """
        runs, rows = self._runs(rule, twin, is_all=True)
        begin = -(-start.time // self._quantum)
        on, gone = self._marks(runs, rule, heard, delivery, begin)
        time = alternating(on, gone, start.is_active)
        is_active = bool(start.is_active) ^ bool(len(time) % 2)
        since = runs.begun(runs.is_over if is_active else runs.holds)
        return Course(
            start.is_active,
            time * self._quantum,
            self._subject(rows, time),
            self._moments * self._quantum,
            rows[0] if rows else np.full(len(self._moments), np.nan),
            since,
        )

    def _marks(
        self, runs: Runs, rule: Rule, heard: I64, delivery: float, begin: int | None = None
    ) -> tuple[I64, I64]:
        kernel = rule.kernel
        hold, off = kernel.hold, kernel.off
        if rule.is_clocked:
            hold, off = seconds_of(hold), seconds_of(off)
        alive = None
        if not kernel.features:
            ticks = -(-heard // self._quantum) if len(heard) else self._moments
            alive = Alive(ticks, round(rule.stale_after * SECOND) // self._quantum)
        wait = None if rule.is_clocked else round(delivery * SECOND)
        return runs.marks(hold, off, alive, wait, begin)

    def _subject(self, rows: list[F64], time: I64) -> F64:
        """The value of the subject at each flip."""
        if not len(rows) or not len(time):
            return np.zeros(len(time))
        at = np.searchsorted(self._moments, time, "right") - 1
        found: F64 = rows[0][np.maximum(at, 0)]
        return found

    def values(self, inner: Inner, twin: str) -> tuple[I64, F64]:
        """Times (ns) and values of a formula: one for each second with a reading it looks at."""
        self._quantum = SECOND
        self._raw.clear()
        self._tracks.clear()
        moments = self._changes(inner, twin)
        self._moments = moments[moments <= self.end // SECOND]
        track = self._computed(inner, twin)
        kept = np.isfinite(track.value) & (self._moments >= -(-self.begin // SECOND))
        if track.fresh is not None:
            kept &= track.fresh
        return self._moments[kept] * SECOND, track.value[kept]

    def truth(self, rule: Rule, twin: str) -> bool | None:
        """Whether the condition holds at the end, for as long as it must; None if not known.

        The span begins when it had to begin to hold.
        """
        runs, _ = self._runs(rule, twin)
        if bool(runs.holds.all()):
            return True
        return False if bool(runs.is_over.any()) or bool(runs.holds.any()) else None

    def _runs(self, rule: Rule, twin: str, *, is_all: bool = False) -> tuple[Runs, list[F64]]:
        """When the condition holds and is over; the values by slot at every moment.

        `is_all`: from the first moment on at which all is known that was before the span.
        """
        self._quantum = SECOND if rule.is_clocked else 1
        self._raw.clear()
        self._tracks.clear()
        kernel = rule.kernel
        first, last = -(-self.begin // self._quantum), self.end // self._quantum
        moments = self._moments_of(twin, kernel.paths, kernel.features)
        if rule.is_clocked:
            moments = _merged([moments, np.array([first], np.int64)])
        self._moments = moments[moments <= last]
        parameters = adjusted(kernel.parameters, kernel.named, self.settings(twin))
        rows = [self._track(p, kernel.features, twin).value for p in kernel.paths]
        if is_all and not rule.is_clocked:
            first = self._known_from(twin, kernel.paths, first)
        judged_from = int(np.searchsorted(self._moments, first))
        values = np.stack(rows)[:, judged_from:] if rows else np.zeros((0, 0))
        given = np.array(parameters, np.float64)[:, None]
        holds, is_over = kernel.evaluate(values, given)
        size = len(self._moments) - judged_from
        runs = Runs(
            self._moments[judged_from:],
            last,
            np.broadcast_to(holds, size),
            np.broadcast_to(is_over, size),
        )
        return runs, rows

    def _known_from(self, twin: str, paths: Sequence[str], first: int) -> int:
        times = [self._readings(twin, path)[0] for path in paths]
        found = [int(time[0]) for time in times if len(time) and time[0] < first]
        return max(found, default=first)

    # -- readings ------------------------------------------------------------------------------

    def _readings(self, twin: str, path: str) -> tuple[I64, F64]:
        """Moments and values of a path, in order; a moment may repeat within a second."""
        found = self._raw.get((twin, path))
        if found is None:
            time, value = self.read(twin, path) if path else (EMPTY, np.zeros(0))
            if len(time) > 1 and not bool((time[1:] > time[:-1]).all()):
                order = np.lexsort((value, time))
                time, value = time[order], value[order]
                keep = np.append(time[1:] != time[:-1], True)
                time, value = time[keep], value[keep]
            moment = time if self._quantum == 1 else -(-time // self._quantum)
            found = self._raw[twin, path] = (moment, value)
        return found

    # -- when anything changes -----------------------------------------------------------------

    def _moments_of(
        self, twin: str, paths: Sequence[str], features: dict[str, Feature] | object
    ) -> I64:
        known: dict[str, Feature] = features if isinstance(features, dict) else {}
        parts = [
            self._changes(known[p], twin) if p in known else _distinct(self._readings(twin, p)[0])
            for p in paths
        ]
        return _merged(parts)

    def _changes(self, feature: Feature, twin: str) -> I64:
        if isinstance(feature, Inner):
            return self._moments_of(twin, feature.paths, feature.features)
        if isinstance(feature, Silence):
            at = _distinct(self._readings(twin, feature.path)[0])
            return _merged([at, at + feature.seconds])
        if isinstance(feature, Hours):
            first = self.begin // SECOND - 1
            return changes(feature, first, self.end // SECOND)
        if isinstance(feature, Relatives):
            return _merged(
                [self._source_changes(feature, who) for who in self.kin(twin, feature.relation)]
            )
        inside = self._source_changes(feature, twin)
        leaving = (_distinct(inside // feature.bucket) + feature.buckets) * feature.bucket
        return _merged([inside, leaving])

    def _source_changes(self, feature: Window | Relatives, twin: str) -> I64:
        if feature.inner is not None:
            return self._changes(feature.inner, twin)
        return _distinct(self._readings(twin, feature.source)[0])

    # -- values --------------------------------------------------------------------------------

    def _track(self, path: str, features: object, twin: str) -> Track:
        known = features if isinstance(features, dict) else {}
        feature = known.get(path)
        if feature is not None:
            return self._computed(feature, twin)
        found = self._tracks.get((twin, path))
        if found is None:
            found = self._tracks[twin, path] = self._measured(twin, path)
        return found

    def _measured(self, twin: str, path: str) -> Track:
        moment, value = self._readings(twin, path)
        moments = self._moments
        if not len(moment):
            return Track(np.full(len(moments), np.nan), np.zeros(len(moments), np.bool_))
        if len(moment) == len(moments) and bool((moment == moments).all()):
            return Track(value, np.ones(len(moments), np.bool_))
        at = np.searchsorted(moment, moments, "right") - 1
        filled = value[np.maximum(at, 0)]
        filled = np.where(at >= 0, filled, np.nan)
        return Track(filled, moment[np.maximum(at, 0)] == moments)

    def _computed(self, feature: Feature, twin: str) -> Track:
        key = (twin, feature.key)
        found = self._tracks.get(key)
        if found is None:
            found = self._tracks[key] = self._compute(feature, twin)
        return found

    def _compute(self, feature: Feature, twin: str) -> Track:
        moments = self._moments
        if isinstance(feature, Inner):
            tracks = [self._track(p, feature.features, twin) for p in feature.paths]
            parameters = adjusted(feature.parameters, feature.named, self.settings(twin))
            given = np.array(parameters, np.float64)[:, None]
            with np.errstate(all="ignore"):
                value = feature.evaluate(np.stack([t.value for t in tracks]), given)
            return Track(np.broadcast_to(value, len(moments)), _any([t.fresh for t in tracks]))
        if isinstance(feature, Hours):
            return Track(within(feature, moments).astype(np.float64), None)
        if isinstance(feature, Silence):
            moment, _ = self._readings(twin, feature.path)
            at = np.searchsorted(moment, moments, "right") - 1
            last = moment[np.maximum(at, 0)] if len(moment) else moments
            silent = (moments - last >= feature.seconds).astype(np.float64)
            fresh = self._track(feature.path, {}, twin).fresh
            return Track(np.where(at >= 0, silent, np.nan), fresh)
        if isinstance(feature, Relatives):
            return self._gathered(feature, twin)
        return self._windowed(feature, twin)

    def _source(self, feature: Window | Relatives, twin: str) -> Track:
        if feature.inner is not None:
            return self._computed(feature.inner, twin)
        return self._track(feature.source, {}, twin)

    def _gathered(self, feature: Relatives, twin: str) -> Track:
        size = len(self._moments)
        added, there = np.zeros(size), np.zeros(size)
        low, high = np.full(size, np.inf), np.full(size, -np.inf)
        relatives = self.kin(twin, feature.relation)
        fresh = np.zeros(size, np.bool_)
        for who in relatives:
            track = self._source(feature, who)
            known = np.isfinite(track.value)
            added += np.where(known, track.value, 0.0)
            there += known
            np.fmin(low, track.value, out=low)
            np.fmax(high, track.value, out=high)
            if track.fresh is not None:
                fresh |= track.fresh
        if feature.statistic in ("min", "max", "range"):
            with np.errstate(all="ignore"):
                value = {"min": low, "max": high, "range": high - low}[feature.statistic]
            return Track(np.where(there > 0, value, np.nan), fresh)
        total = np.full(size, float(len(relatives)))
        return Track(judged(feature.statistic, feature.count, added, there, total), fresh)

    def _windowed(self, window: Window, twin: str) -> Track:
        track = self._source(window, twin)
        if window.inner is None and window.statistic != "edges":
            at, value = self._readings(twin, window.source)
        elif window.statistic == "edges":
            at, value = self._moments, track.value
        else:
            chosen = np.isfinite(track.value)
            chosen &= track.fresh if track.fresh is not None else False
            at, value = self._moments[chosen], track.value[chosen]
        found = over_window(window, at, value, self._moments, track.value)
        return Track(found, track.fresh)


def _distinct(moment: I64) -> I64:
    """Of moments in order each once."""
    if len(moment) < 2:
        return moment
    keep = np.append(moment[1:] != moment[:-1], True)
    return moment if bool(keep.all()) else moment[keep]


def _merged(parts: Sequence[I64]) -> I64:
    """All moments in order, each once."""
    there = [part for part in parts if len(part)]
    if not there:
        return EMPTY
    if len(there) == 1:
        return there[0]
    found = np.concatenate(there)
    found.sort(kind="stable")
    return _distinct(found)


def _any(parts: Sequence[Flags | None]) -> Flags | None:
    there = [part for part in parts if part is not None]
    if not there:
        return None
    found: Flags = np.logical_or.reduce(there)
    return found
