"""Delays on and off: from "the condition holds at this moment" to "raise" and "clear".

An instance counts the unbroken run of moments at which the condition holds (while it is normal) or
is over (while it is active). `since` is the first moment of that run, NEVER without one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64
from gemel.services.rules.table import NEVER, Table

Flags = NDArray[np.bool_]


def advance_single(
    table: Table, instance: I64, moment: I64, holds: Flags, is_over: Flags
) -> NDArray[np.intp]:
    """Moves each instance by one moment; returns the positions at which it flips."""
    active = table.active[instance]
    counts = np.where(active, is_over, holds)
    since = table.since[instance]
    begun = np.where(since == NEVER, moment, since)
    delay = np.where(active, table.off[instance], table.hold[instance])
    flips = counts & (moment - begun >= delay)
    table.since[instance] = np.where(counts & ~flips, begun, NEVER)
    table.moment[instance] = moment
    at = np.flatnonzero(flips)
    if len(at):
        table.active[instance[at]] = ~active[at]
    return at


def advance(
    table: Table, instance: I64, moment: I64, holds: Flags, is_over: Flags
) -> NDArray[np.intp]:
    """Moves instances by several moments each, in order; returns the positions of flips.

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
    on = holds & (moment - begun_on >= table.hold[instance])
    off = is_over & (moment - begun_off >= table.off[instance])

    marks = np.flatnonzero(on | off)
    mark = on[marks]
    before = active[marks]
    same = instance[marks[1:]] == instance[marks[:-1]]
    before[1:] = np.where(same, mark[:-1], before[1:])
    flips: NDArray[np.intp] = marks[mark != before]
    table.active[instance[marks]] = mark  # the last mark of an instance is the one that stays

    last = np.ones(count, np.bool_)
    last[:-1] = is_first[1:]
    at = np.flatnonzero(last)
    who = instance[at]
    is_active = table.active[who]
    counts = np.where(is_active, is_over[at], holds[at])
    begun = np.where(is_active, begun_off[at], begun_on[at])
    table.since[who] = np.where(counts, begun, NEVER)
    table.moment[who] = moment[at]
    return flips


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
