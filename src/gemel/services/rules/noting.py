"""Notes what rules on single readings could not judge in order, for whoever looks at history.

Such a rule is judged as readings come. What comes late moves it no more or too late, and here is
noted where that may have made a difference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64
from gemel.services.rules.belated import Belated, by_series
from gemel.services.rules.table import NEVER, Table


def note_late(belated: Belated, table: Table, signal: I64, time: I64, received: int) -> None:
    """Readings older than the newest of their series: they move nothing."""
    for number, times in by_series(signal, time):
        for instance in table.reader[table.start[number] : table.start[number + 1]].tolist():
            rule, twin = table.who(instance)
            belated.add(rule.id, twin, number - 1, times, received)


def note_overtaken(
    belated: Belated, table: Table, instance: I64, signal: I64, time: I64, received: int
) -> None:
    """Readings older than the newest moment of an instance: they are taken in as of that moment."""
    for pair, times in by_series(signal * table.size + instance, time):
        number, who = divmod(pair, table.size)
        rule, twin = table.who(who)
        belated.add(rule.id, twin, number - 1, times, received)


def note_doubtful(belated: Belated, table: Table, instance: I64, begin: I64) -> None:
    """Instances for which another order of what came may have told something else."""
    for who, time in zip(instance.tolist(), begin.tolist(), strict=True):
        rule, twin = table.who(who)
        belated.mark(rule.id, twin, time)


def told_in_part(table: Table, instance: I64, moment: I64) -> NDArray[np.bool_]:
    """Which were judged at this very moment before, on a part of its readings, and did not count.

    Ask before they move: what begins a run or flips then may have begun before.
    """
    again: NDArray[np.bool_] = moment == table.moment[instance]
    if not again.any():
        return again
    again &= table.since[instance] == NEVER
    delay = np.where(table.active[instance], table.off[instance], table.hold[instance])
    found: NDArray[np.bool_] = again & ((delay > 0) | (table.flipped[instance] >= moment))
    return found
