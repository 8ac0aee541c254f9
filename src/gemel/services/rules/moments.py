"""A batch as moments: for each instance that a reading touches, when to evaluate and on what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I64
from gemel.services.rules.table import Table


@dataclass(frozen=True, slots=True)
class Moments:
    """Evaluations in order: by instance, then by time.

    `values` holds, for each group that occurs, the rows of this group and their values by slot.
    """

    instance: I64
    time: I64
    is_single: bool
    """No instance occurs twice."""
    values: list[tuple[int, NDArray[np.intp], F64]]

    def subject(self, at: int) -> float:
        """The value of the subject at one moment."""
        for _, rows, values in self.values:
            place = int(np.searchsorted(rows, at))
            if place < len(rows) and int(rows[place]) == at:
                return float(values[0, place])
        return float("nan")


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of a batch that count: new, not bad, and read by some rule."""

    signal: I64
    time: I64
    value: F64


def in_time_order(readings: Readings) -> Readings:
    """In order of signal and time; of readings with one time the later row counts."""
    order = np.lexsort((readings.time, readings.signal))
    signal, time, value = readings.signal[order], readings.time[order], readings.value[order]
    keep = np.ones(len(order), np.bool_)
    keep[:-1] = (signal[1:] != signal[:-1]) | (time[1:] != time[:-1])
    return Readings(signal[keep], time[keep], value[keep])


def expand(table: Table, signal: I64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(reading, entry of the table's index) for each pair of a reading and a reader of it."""
    begin = table.start[signal]
    counts = table.start[signal + 1] - begin
    reading = np.repeat(np.arange(len(signal)), counts)
    before = np.cumsum(counts) - counts
    entry = np.arange(len(reading)) - np.repeat(before - begin, counts)
    return reading, entry


def by_group(table: Table, instance: I64) -> list[tuple[int, NDArray[np.intp]]]:
    """The positions of each group's instances."""
    if len(table.groups) == 1:
        return [(0, np.arange(len(instance)))]
    group = table.group[instance]
    present = np.flatnonzero(np.bincount(group, minlength=len(table.groups)))
    if len(present) == 1:
        return [(int(present[0]), np.arange(len(instance)))]
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], present)
    parts = np.split(order, edges[1:])
    return [(int(g), part) for g, part in zip(present, parts, strict=True)]


def now_known(table: Table, instance: I64, time: I64, known: F64) -> Moments:
    """One moment for each instance, with the values as they are known now."""
    values = [
        (g, rows, known[table.groups[g].slots[:, table.row[instance[rows]]]])
        for g, rows in by_group(table, instance)
    ]
    return Moments(instance, time, True, values)


def in_order(table: Table, instance: I64, slot: I64, time: I64, value: F64, known: F64) -> Moments:
    """Several moments an instance; each sees the values that were known at its time.

    Args:
        table: the instances.
        instance: by event, which instance it touches.
        slot: by event, which of its slots.
        time: by event, the time of the reading.
        value: by event, the value of the reading.
        known: by signal, the values before this batch.
    """
    order = np.lexsort((time, instance))
    instance, slot, value = instance[order], slot[order], value[order]
    moment = np.maximum(time[order], table.moment[instance])
    is_last = np.ones(len(order), np.bool_)
    is_last[:-1] = (instance[1:] != instance[:-1]) | (moment[1:] != moment[:-1])
    at = np.flatnonzero(is_last)
    if all(len(group.slots) == 1 for group in table.groups):
        return _each_its_own(table, instance[at], moment[at], value[at])
    positions = np.arange(len(order))
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = instance[1:] != instance[:-1]
    begin = np.maximum.accumulate(np.where(is_first, positions, 0))[at]
    who = instance[at]
    values = []
    parts = [(g, rows, table.groups[g].slots) for g, rows in by_group(table, who)]
    width = max((len(slots) for _, _, slots in parts), default=0)
    newest = [np.maximum.accumulate(np.where(slot == s, positions, -1))[at] for s in range(width)]
    for g, rows, slots in parts:
        filled = known[slots[:, table.row[who[rows]]]]
        for s in range(len(slots)):
            latest = newest[s][rows]
            is_new = latest >= begin[rows]
            filled[s, is_new] = value[latest[is_new]]
        values.append((g, rows, filled))
    return Moments(who, moment[at], False, values)


def _each_its_own(table: Table, instance: I64, moment: I64, value: F64) -> Moments:
    """As `in_order` where all instances read one signal: what came last is what is known."""
    values = [(g, rows, value[rows][np.newaxis]) for g, rows in by_group(table, instance)]
    return Moments(instance, moment, False, values)
