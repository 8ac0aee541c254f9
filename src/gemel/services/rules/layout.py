"""The columns of clocked rules and what is computed into them, in order of depth.

Column 0 is never known. A column is a series, or a computed value of one twin; rules that ask for
the same value of the same twin share its column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.services.rules.expression import Relation
from gemel.services.rules.features import (
    Feature,
    Hours,
    Inner,
    Relatives,
    Silence,
    Window,
)
from gemel.services.rules.hours import changes, within
from gemel.services.rules.parameters import SettingsOf, adjusted
from gemel.services.rules.table import NEVER
from gemel.services.rules.windows import WindowColumns

AHEAD = 100 * 86_400
"""Seconds for which changes of hours are worked out at a time."""
Series = Mapping[str, int]
KinOf = Callable[[str, Relation], Sequence[tuple[str, Series]]]
"""The relatives of a twin, each with the series of its paths."""


def no_relatives(_twin: str, _relation: Relation) -> Sequence[tuple[str, Series]]:
    return ()


@dataclass(slots=True)
class State:
    """The values of all columns at one step."""

    value: F64
    reported: I64
    """The step of the latest reading; NEVER without one."""
    fresh: NDArray[np.bool_]
    """Whether a reading that counts for it came in this step."""


@dataclass(slots=True)
class InnerColumns:
    evaluate: Callable[[F64, F64], F64]
    slots: I64
    parameters: F64
    out: I64

    def step(self, _second: int, state: State, _readings: Readings) -> None:
        with np.errstate(all="ignore"):
            state.value[self.out] = self.evaluate(state.value[self.slots], self.parameters)
        state.fresh[self.out] = state.fresh[self.slots].any(axis=0)

    def next_change(self, _second: int, _state: State) -> int | None:
        return None


@dataclass(slots=True)
class RelativesColumns:
    """All values over relatives of one kind; `member` and `owner` are pairs."""

    statistic: str
    count: int
    member: I64
    owner: I64
    out: I64

    def step(self, _second: int, state: State, _readings: Readings) -> None:
        state.value[self.out] = gathered(
            self.statistic, self.count, state.value[self.member], self.owner, len(self.out)
        )
        fresh = np.bincount(self.owner, state.fresh[self.member], minlength=len(self.out))
        state.fresh[self.out] = fresh > 0

    def next_change(self, _second: int, _state: State) -> int | None:
        return None


def gathered(statistic: str, count: int, values: F64, owner: I64, owners: int) -> F64:
    """A statistic of the known values of each owner's members, or a truth as 1, 0 or NaN.

    Shapes: values and owner (members,) -> (owners,).
    """
    known = np.isfinite(values)
    total = np.bincount(owner, minlength=owners).astype(np.float64)
    filled = np.where(known, values, 0.0)
    there = np.bincount(owner, known, minlength=owners).astype(np.float64)
    if statistic in ("min", "max", "range"):
        low, high = np.full(owners, np.inf), np.full(owners, -np.inf)
        np.minimum.at(low, owner[known], values[known])
        np.maximum.at(high, owner[known], values[known])
        with np.errstate(all="ignore"):
            found: F64 = {"min": low, "max": high, "range": high - low}[statistic]
        return np.where(there > 0, found, np.nan)
    added = np.bincount(owner, filled, minlength=owners).astype(np.float64)
    return judged(statistic, count, added, there, total)


def judged(statistic: str, count: int, added: F64, there: F64, total: F64) -> F64:
    """A sum or a truth from sums over the known members, their number, and that of all."""
    with np.errstate(all="ignore"):
        if statistic == "sum":
            return np.where(there > 0, added, np.nan)
        if statistic == "mean":
            return np.where(there > 0, added / there, np.nan)
    if statistic == "count":
        return np.where((there > 0) | (total == 0), added, np.nan)
    unknown = total - there
    if statistic in ("any", "least"):
        least = 1 if statistic == "any" else count
        return np.where(added >= least, 1.0, np.where(added + unknown < least, 0.0, np.nan))
    if statistic in ("none", "most"):
        most = 0 if statistic == "none" else count
        is_few = (added + unknown <= most) & (total > 0)
        return np.where(added > most, 0.0, np.where(is_few, 1.0, np.nan))
    some_false = there - added > 0
    return np.where(some_false, 0.0, np.where((added == total) & (total > 0), 1.0, np.nan))


@dataclass(slots=True)
class SilenceColumns:
    seconds: int
    source: I64
    out: I64

    def step(self, second: int, state: State, _readings: Readings) -> None:
        reported = state.reported[self.source]
        silent = second - np.where(reported == NEVER, second, reported) >= self.seconds
        state.value[self.out] = np.where(reported == NEVER, np.nan, silent)
        state.fresh[self.out] = state.fresh[self.source]

    def next_change(self, second: int, state: State) -> int | None:
        reported = state.reported[self.source]
        due = reported[reported != NEVER] + self.seconds
        due = due[due > second]
        return int(due.min()) if len(due) else None


class HoursColumns:
    """Whether it is one of the hours; knows the changes of the next months."""

    def __init__(self, hours: Hours, out: I64) -> None:
        self.hours, self.out = hours, out
        self._changes: I64 = np.zeros(0, np.int64)
        self._known: tuple[int, int] = (0, -1)

    def step(self, second: int, state: State, _readings: Readings) -> None:
        state.value[self.out] = float(within(self.hours, np.array([second]))[0])

    def next_change(self, second: int, _state: State) -> int | None:
        if not self._known[0] <= second <= self._known[1]:
            end = second + AHEAD
            self._changes = changes(self.hours, second + 1, end)
            self._known = (second, end - 1)
        at = int(np.searchsorted(self._changes, second, "right"))
        return int(self._changes[at]) if at < len(self._changes) else self._known[1] + 1


@dataclass(slots=True)
class Readings:
    """The counting readings of a step, in order of time."""

    column: I64
    value: F64
    is_once: bool = True
    """No column repeats."""


class WindowsInStep:
    """Windows over series (each reading is a sample) or over what is computed (a step is one)."""

    def __init__(self, columns: WindowColumns, *, is_raw: bool, size: int) -> None:
        self.columns = columns
        self._is_raw = is_raw
        self._of = np.full(size, -1, np.int64)
        self._of[columns.source] = np.arange(len(columns.source))
        self._of[0] = -1

    def step(self, second: int, state: State, readings: Readings) -> None:
        columns = self.columns
        if columns.window.statistic == "edges":
            columns.flow(second, state.value[columns.source], state.value)
        elif self._is_raw:
            mine = self._of[readings.column]
            kept = mine >= 0
            value = readings.value
            if not kept.all():
                mine, value = mine[kept], value[kept]
            columns.step(second, mine, value, state.value, is_once=readings.is_once)
        else:
            now = state.value[columns.source]
            samples = np.flatnonzero(state.fresh[columns.source] & np.isfinite(now))
            columns.step(second, samples, now[samples], state.value, is_once=True)
        state.fresh[columns.out] = state.fresh[columns.source]

    def next_change(self, _second: int, _state: State) -> int | None:
        return self.columns.next_change()


Operation = InnerColumns | RelativesColumns | SilenceColumns | HoursColumns | WindowsInStep


@dataclass(slots=True)
class _Group:
    """What is computed alike: one operation when everything is known."""

    example: Feature
    keys: list[str] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    out: list[int] = field(default_factory=list)
    parameters: list[tuple[float, ...]] = field(default_factory=list)


class Layout:
    """Hands out columns; `operations` computes them."""

    def __init__(self, settings: SettingsOf) -> None:
        self.settings = settings
        self.series: dict[int, int] = {}
        self.computed: dict[str, int] = {}
        self.size = 1
        self._groups: dict[tuple[Any, ...], _Group] = {}

    def _new(self) -> int:
        self.size += 1
        return self.size - 1

    def of_series(self, number: int | None) -> int:
        if number is None:
            return 0
        found = self.series.get(number)
        if found is None:
            found = self.series[number] = self._new()
        return found

    def of(
        self, path: str, features: Mapping[str, Feature], twin: str, series: Series, kin: KinOf
    ) -> int:
        """The column of a path of a twin, measured or computed."""
        feature = features.get(path)
        if feature is None:
            return self.of_series(series.get(path))
        return self.of_feature(feature, twin, series, kin)

    def of_feature(self, feature: Feature, twin: str, series: Series, kin: KinOf) -> int:
        key = feature.key if isinstance(feature, Hours) else f"{twin}\n{feature.key}"
        found = self.computed.get(key)
        if found is not None:
            return found
        inputs: Any
        parameters: tuple[float, ...] = ()
        if isinstance(feature, Inner):
            inputs = [self.of(p, feature.features, twin, series, kin) for p in feature.paths]
            parameters = adjusted(feature.parameters, feature.named, self.settings(twin))
        elif isinstance(feature, Window):
            inputs = self._source(feature, twin, series, kin)
        elif isinstance(feature, Relatives):
            relatives = kin(twin, feature.relation)
            inputs = [self._source(feature, who, of_who, kin) for who, of_who in relatives]
        elif isinstance(feature, Silence):
            inputs = self.of_series(series.get(feature.path))
        else:
            inputs = None
        found = self.computed[key] = self._new()
        group = self._groups.setdefault(_kind(feature), _Group(feature))
        group.keys.append(key)
        group.inputs.append(inputs)
        group.out.append(found)
        group.parameters.append(parameters)
        return found

    def _source(self, feature: Window | Relatives, twin: str, series: Series, kin: KinOf) -> int:
        if feature.inner is None:
            return self.of_series(series.get(feature.source))
        return self.of_feature(feature.inner, twin, series, kin)

    def operations(self) -> list[tuple[str, Operation]]:
        """(name, operation) in the order in which they must be computed."""
        ordered = sorted(self._groups.items(), key=lambda item: item[0][0])
        return [(repr(kind), _operation(group, self.size)) for kind, group in ordered]


def _kind(feature: Feature) -> tuple[Any, ...]:
    """Equal for what one operation computes; the depth comes first."""
    if isinstance(feature, Inner):
        return (feature.depth, "inner", feature.shape, len(feature.paths))
    if isinstance(feature, Window):
        is_raw = feature.inner is None
        return (feature.depth, feature.statistic, feature.seconds, feature.share, is_raw)
    if isinstance(feature, Relatives):
        return (feature.depth, "relatives", feature.statistic, feature.count)
    if isinstance(feature, Silence):
        return (feature.depth, "silence", feature.seconds)
    return (feature.depth, feature.key)


def _operation(group: _Group, size: int) -> Operation:
    example, out = group.example, np.array(group.out, np.int64)
    if isinstance(example, Inner):
        slots = np.array(group.inputs, np.int64).reshape(len(out), len(example.paths)).T
        parameters = np.array(group.parameters, np.float64)
        parameters = parameters.reshape(len(out), len(example.parameters)).T
        evaluate = example.evaluate
        return InnerColumns(
            evaluate, np.ascontiguousarray(slots), np.ascontiguousarray(parameters), out
        )
    if isinstance(example, Window):
        source = np.array(group.inputs, np.int64)
        columns = WindowColumns(example, group.keys, source, out)
        return WindowsInStep(columns, is_raw=example.inner is None, size=size)
    if isinstance(example, Relatives):
        counts = [len(members) for members in group.inputs]
        member = np.array([m for members in group.inputs for m in members], np.int64)
        owner = np.repeat(np.arange(len(out)), counts)
        return RelativesColumns(example.statistic, example.count, member, owner, out)
    if isinstance(example, Silence):
        return SilenceColumns(example.seconds, np.array(group.inputs, np.int64), out)
    return HoursColumns(example, out)
