"""Delays on and off over all moments of a span at once: for how long a condition held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64
from gemel.services.rules.spans import EMPTY
from gemel.services.rules.table import NEVER

Flags = NDArray[np.bool_]


class Alive:
    """Whether a twin was not silent for longer than it may be."""

    def __init__(self, heard: I64, stale: int) -> None:
        self.heard, self.stale = heard, stale

    def within(self, due: I64, before: I64) -> Flags:
        """Whether it was heard between `due` less its limit and `before` (exclusive)."""
        if not len(self.heard):
            return np.zeros(len(due), np.bool_)
        at = np.searchsorted(self.heard, before, "left") - 1
        found: Flags = (at >= 0) & (self.heard[np.maximum(at, 0)] >= due - self.stale)
        return found


class Runs:
    """Delays on and off over all moments of one instance; see `runs` for why marks suffice."""

    def __init__(self, moments: I64, last: int, holds: Flags, is_over: Flags) -> None:
        self.moments, self.last = moments, last
        self.holds, self.is_over = holds, is_over

    def marks(
        self, hold: int, off: int, alive: Alive | None, wait: int | None, begin: int | None = None
    ) -> tuple[I64, I64]:
        """When it has held long enough, and when it has been over long enough; `alternating` joins.

        Args:
            hold: for how long it must hold.
            off: for how long it must be over.
            alive: whether silence may decide; None if it always may.
            wait: None where delays end exactly (clocked rules). Otherwise they end at the first
                moment after, or as of their end if that comes so much later.
            begin: what was decided before is decided then; None: there is no such moment.
        """
        return (
            self._marks(self.holds, hold, alive, wait, begin),
            self._marks(self.is_over, off, alive, wait, begin),
        )

    def begun(self, flags: Flags) -> int:
        """When the run began that goes on at the end; NEVER without one."""
        if not len(flags) or not flags[-1]:
            return NEVER
        others = np.flatnonzero(~flags)
        return int(self.moments[others[-1] + 1 if len(others) else 0])

    def _marks(
        self, flags: Flags, delay: int, alive: Alive | None, wait: int | None, begin: int | None
    ) -> I64:
        """By run of a kind, when it has lasted long enough; runs that never do are left out."""
        if not len(flags):
            return EMPTY
        edge = np.diff(flags.astype(np.int8), prepend=0, append=0)
        first, end = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
        ends = np.append(self.moments, self.last + 1)[end]
        due = self.moments[first] + delay
        if wait is None:
            mark, kept = due, due < ends
            if alive is not None:
                kept &= alive.within(due, ends)
        else:
            mark, kept = self._confirmed(first, end, due, ends, alive, wait)
        if begin is not None:
            mark, kept = np.maximum(mark, begin), kept & (ends > begin)
        found: I64 = mark[kept]
        return found

    def _confirmed(
        self, first: I64, end: I64, due: I64, ends: I64, alive: Alive | None, wait: int
    ) -> tuple[I64, Flags]:
        """A delay that no moment ended in time ended by itself, if the twin lived or it held on."""
        at = np.maximum(np.searchsorted(self.moments, due, "left"), first)
        is_inside = at < end
        moment = np.append(self.moments, self.last + 1)[np.minimum(at, len(self.moments))]
        following = np.where(is_inside, moment, ends)
        by_itself = (following - due >= wait) & (due <= self.last)
        if alive is not None:
            by_itself &= is_inside | alive.within(due, ends)
        return np.where(by_itself, due, moment), by_itself | is_inside


def alternating(on: I64, gone: I64, is_active: bool) -> I64:
    """Times of raise, clear, raise and so on; of clear, raise and so on where an alarm stands."""
    time = np.concatenate((on, gone))
    kind = np.concatenate((np.ones(len(on), np.bool_), np.zeros(len(gone), np.bool_)))
    order = np.argsort(time, kind="stable")
    time, kind = time[order], kind[order]
    before = np.concatenate((np.array([is_active]), kind[:-1]))
    found: I64 = time[kind != before] if len(time) else time
    return found
