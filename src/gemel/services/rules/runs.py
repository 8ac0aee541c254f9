"""Delays on and off: from "the condition holds at this moment" to "raise" and "clear".

An instance counts the unbroken run of moments at which the condition holds (while it is normal) or
is over (while it is active). `since` is the first moment of that run, NEVER without one. A moment
that comes long after a delay has ended says that the run has lasted: the flip is as of its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64
from gemel.services.rules.table import NEVER, Table

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Moved:
    """What moments did, by their positions."""

    flips: NDArray[np.intp]
    time: I64
    """Of each flip."""
    ended: NDArray[np.intp]
    """Moments that ended a run long after its delay, and nothing was told of it ..."""
    begun: I64
    """... and when that run began."""


def advance_single(
    table: Table, instance: I64, moment: I64, holds: Flags, is_over: Flags, wait: int
) -> Moved:
    """Moves each instance by one moment; `wait`: so long after a delay silence has ended it, ns."""
    active = table.active[instance]
    counts = np.where(active, is_over, holds)
    since = table.since[instance]
    begun = np.where(since == NEVER, moment, since)
    due = np.where(active, table.off[instance], table.hold[instance])
    due += begun
    flips = counts & (moment >= due)
    table.since[instance] = np.where(counts & ~flips, begun, NEVER)
    table.moment[instance] = moment
    at = np.flatnonzero(flips)
    if len(at):
        table.active[instance[at]] = ~active[at]
    time, ended = moment[at], at[:0]
    if int((moment - due).max()) >= wait:
        is_long = moment - due >= wait
        time = np.where(is_long[at], due[at], time)
        ended = np.flatnonzero(is_long & ~counts)
    return Moved(at, time, ended, begun[ended])


def advance(
    table: Table, instance: I64, moment: I64, holds: Flags, is_over: Flags, wait: int
) -> Moved:
    """Moves instances by several moments each, in order.

    A moment at which the condition has held long enough is a mark "active", one at which it has
    been over long enough a mark "normal". Runs do not depend on the state (a flip never lies
    inside a run of the other kind), so all marks are found at once; a flip is a mark that differs
    from the mark before it.
    """
    count = len(instance)
    is_first = np.ones(count, np.bool_)
    is_first[1:] = instance[1:] != instance[:-1]
    active = table.active[instance]
    begun_on = _begun(table, instance, moment, holds, is_first)
    begun_off = _begun(table, instance, moment, is_over, is_first)
    hold, off = table.hold[instance], table.off[instance]
    on = holds & (moment - begun_on >= hold)
    off_long = is_over & (moment - begun_off >= off)
    ends = [
        _ended(table, instance, moment, (holds, begun_on, hold, ~active), is_first, wait),
        _ended(table, instance, moment, (is_over, begun_off, off, active), is_first, wait),
    ]

    marks = np.flatnonzero(on | off_long)
    mark = on[marks]
    before = active[marks]
    same = instance[marks[1:]] == instance[marks[:-1]]
    before[1:] = np.where(same, mark[:-1], before[1:])
    flips: NDArray[np.intp] = marks[mark != before]
    table.active[instance[marks]] = mark  # the last mark of an instance is the one that stays
    due = np.where(on[flips], (begun_on + hold)[flips], (begun_off + off)[flips])
    time = np.where(moment[flips] - due >= wait, due, moment[flips])

    last = np.ones(count, np.bool_)
    last[:-1] = is_first[1:]
    at = np.flatnonzero(last)
    who = instance[at]
    is_active = table.active[who]
    counts = np.where(is_active, is_over[at], holds[at])
    begun = np.where(is_active, begun_off[at], begun_on[at])
    table.since[who] = np.where(counts, begun, NEVER)
    table.moment[who] = moment[at]
    ended, since = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    return Moved(flips, time, ended, since)


def _begun(table: Table, instance: I64, moment: I64, flags: Flags, is_first: Flags) -> I64:
    """By position the first moment of the run it lies in; meaningless where `flags` is false.

    The first run of an instance goes on from `since`. If that belongs to the other kind of run,
    no harm is done: the marks it sets are those of the state in which the instance is already.
    """
    positions = np.arange(len(flags))
    starts = flags.copy()
    starts[1:] &= ~flags[:-1] | is_first[1:]
    run = np.maximum.accumulate(np.where(starts, positions, 0))
    begun: I64 = moment[run]
    since = table.since[instance]
    carried = is_first[run] & (since != NEVER)
    begun[carried] = since[carried]
    return begun


def _ended(
    table: Table,
    instance: I64,
    moment: I64,
    run: tuple[Flags, I64, I64, Flags],
    is_first: Flags,
    wait: int,
) -> tuple[NDArray[np.intp], I64]:
    """Positions that end a run of one kind, long after its delay, that has set no mark.

    Args:
        table: the instances.
        instance: by position.
        moment: by position.
        run: by position, whether it counts, when its run began, its delay, and whether the
            instance was in the other state before.
        is_first: by position, whether it is the first of its instance.
        wait: ns.
    """
    flags, begun, delay, is_counted = run
    if not delay.any():
        return np.zeros(0, np.intp), np.zeros(0, np.int64)
    since = table.since[instance]
    went_on = np.where(is_first, is_counted & (since != NEVER), np.roll(flags, 1))
    start = np.where(is_first, np.where(since == NEVER, moment, since), np.roll(begun, 1))
    is_marked = ~is_first & (np.roll(moment, 1) - start >= delay)
    at = np.flatnonzero(went_on & ~flags & ~is_marked & (moment - start - delay >= wait))
    return at, start[at]
