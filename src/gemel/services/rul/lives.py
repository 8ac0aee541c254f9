"""Readings cut into cycles, and cycles into lives: from one renewal of a machine to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.services.contract import Arrays, Column, Signal
from gemel.services.rul.features import OWN, WINDOW

OPEN = "open"
OPEN_COLUMNS = ("span", "age", "rows", "first", "ring")
LONGEST = 20_000
"""Cycles of a life; later ones are left out of learning."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Which signals an instance reads, and as what."""

    values: tuple[str, ...]
    settings: tuple[str, ...]
    age: str
    failed: str

    @property
    def all(self) -> tuple[str, ...]:
        others = tuple(path for path in (self.age, self.failed) if path)
        return (*self.values, *self.settings, *others)


@dataclass(frozen=True, slots=True)
class Life:
    """Shapes: values (n, k) with NaN where nothing was read, settings (n, s), age (n,)."""

    twin: str
    values: F64
    settings: F64
    age: F64
    has_failed: bool
    is_over: bool
    span: int = 0
    """The number of its last cycle."""
    cycles: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    """Their numbers; empty where none is missing between the first and the last."""

    @property
    def numbers(self) -> I64:
        """The number of each cycle."""
        if len(self.cycles):
            return self.cycles
        return np.arange(self.span - len(self) + 1, self.span + 1)

    def __len__(self) -> int:
        return len(self.age)


def paths_of(signals: Sequence[Signal], parameters: Json) -> Paths:
    """The paths of an instance: `signals`, or all that are nothing else."""
    settings = tuple(parameters["conditions"])
    age, failed = str(parameters["age"]), str(parameters["failed"])
    others = {*settings, age, failed}
    known = sorted({s.path for s in signals} - others)
    wanted = parameters["signals"]
    return Paths(tuple(p for p in known if not wanted or p in wanted), settings, age, failed)


def width_of(parameters: Json) -> int:
    return max(1, round(float(parameters["cycle"]) * SECOND))


def lives_of(
    signals: Sequence[Signal], columns: Sequence[Column], paths: Paths, width: int
) -> list[Life]:
    """All lives of all twins, each twin's in order."""
    found = []
    mine: dict[str, dict[str, Column]] = {}
    for signal, column in zip(signals, columns, strict=True):
        mine.setdefault(signal.twin, {})[signal.path] = column
    for twin, by_path in mine.items():
        found += _lives(twin, by_path, paths, width)
    return found


def _lives(twin: str, columns: dict[str, Column], paths: Paths, width: int) -> list[Life]:
    there = [column.time // width for column in columns.values() if len(column.time)]
    if not there:
        return []
    cycles: I64 = np.unique(np.concatenate(there))
    table = np.full((len(cycles), len(paths.all)), np.nan)
    for i, path in enumerate(paths.all):
        column = columns.get(path)
        if column is not None and len(column.time):
            at = np.searchsorted(cycles, column.time // width)
            count = np.bincount(at, minlength=len(cycles))
            total = np.bincount(at, column.value, minlength=len(cycles))
            table[count > 0, i] = total[count > 0] / count[count > 0]
    k, s = len(paths.values), len(paths.settings)
    age = _carried(table[:, k + s]) if paths.age else np.arange(1.0, len(cycles) + 1)
    failed = table[:, -1] > 0 if paths.failed else np.zeros(len(cycles), bool)
    begins = np.flatnonzero(np.diff(age, prepend=np.inf) < 0)
    ends = np.append(begins[1:], len(cycles))
    lives = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        part = slice(begin, min(end, begin + LONGEST))
        is_over = end < len(cycles)
        has_failed = bool(failed[begin:end].any()) if paths.failed else is_over
        life = Life(
            twin,
            table[part, :k],
            carried(table[part, k : k + s]),
            age[part] if paths.age else np.arange(1.0, len(table[part]) + 1),
            has_failed,
            is_over or has_failed,
            int(cycles[part][-1]),
            cycles[part],
        )
        lives.append(life)
    return lives


def _carried(column: F64) -> F64:
    found: F64 = carried(column[:, None])[:, 0]
    return found


def carried(table: F64, blank: float = 0.0) -> F64:
    """What was not read is as it was before; at the beginning, `blank`."""
    known = np.isfinite(table)
    row = np.where(known, np.arange(len(table))[:, None], -1)
    latest: NDArray[np.intp] = np.maximum.accumulate(row, axis=0)
    found = np.take_along_axis(np.where(known, table, 0.0), np.maximum(latest, 0), axis=0)
    return np.where(latest >= 0, found, blank)


def open_lives(lives: Sequence[Life], filled: Callable[[Life], F64]) -> tuple[list[str], Arrays]:
    """The lives that go on, as the live part remembers them: twins, and their columns.

    Args:
        lives: those that are over are left out.
        filled: gives the values of a life without gaps, NaN where nothing was read yet.
    """
    going = [life for life in lives if not life.is_over and len(life)]
    width = going[0].values.shape[1] + going[0].settings.shape[1] if going else 0
    first = np.full((len(going), OWN, width), np.nan)
    ring = np.full((len(going), WINDOW, width), np.nan)
    for i, life in enumerate(going):
        rows = np.concatenate((filled(life), life.settings), axis=1)
        first[i, : len(rows[:OWN])] = rows[:OWN]
        latest = rows[::-1][:WINDOW]
        ring[i, : len(latest)] = latest
    columns: Arrays = {
        "open/span": np.array([life.span for life in going], np.int64),
        "open/age": np.array([life.age[-1] for life in going]),
        "open/rows": np.array([len(life) for life in going], np.int64),
        "open/first": first,
        "open/ring": ring,
    }
    return [life.twin for life in going], columns
