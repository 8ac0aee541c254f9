"""Judges twins that are behind in their own time, on what history holds of them.

Columns of their own begin a window and a delay before what is to be judged, take the readings in
from history and step as far as the twins' own clocks have come. Where that is as far as the clock
of the others, their columns are handed back and they go on with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.services.rules.behind import Behind
from gemel.services.rules.clocked import ClockedEngine, Flip
from gemel.services.rules.features import longest_window
from gemel.services.rules.members import Members
from gemel.services.rules.table import NEVER

Read = Callable[[int, int, int], tuple[I64, F64]]
"""(series, begin, end) -> times and values from begin up to before end; NaN does not count."""
Last = Callable[[int, int], tuple[int, float] | None]
"""(series, at) -> time and value of the newest reading that counts, not after a moment."""
MOST_TWINS = 250
MOST_SECONDS = 7_200
"""Judged at a time; a longer backlog takes several."""
LONGEST_DELAY = 3_600
"""Looked back for how long a condition has held already; longer is as the clock had it."""
IDLE = 10
"""Seconds after which a twin is judged again that has said nothing new."""
PIECE = 1_800
"""Seconds that are read at a time."""
NEAR = 30
"""Seconds that the others' clock may have gone on meanwhile to be caught up with at once."""


class CatchUp:
    """One go, for some twins of a clock.

    Make it and call `finish` where the engine is used; `judge` may run in a thread.

    Args:
        main: their clock.
        until: by twin, the second up to which it is judged.
        is_whole: whether that is as far as the others are.
    """

    def __init__(self, main: ClockedEngine, until: Mapping[str, int], *, is_whole: bool) -> None:
        self._main, self._until, self._is_whole = main, until, is_whole
        self._before = {twin: main.behind.twins[twin].since for twin in until}
        self._own = ClockedEngine(main.lateness)
        for members in main.members():
            chosen = [pair for pair in members.instances if pair[0] in until]
            if chosen:
                self._own.set_rule(members.rule, chosen, members.kin, members.settings)
        self._own.begin()
        self._begin = min(self._before.values()) - self._look_back()
        self._end = max(until.values())
        self._take_standing()
        self._bound()
        self.flips: list[Flip] = []
        for twin, second in until.items():  # what comes for before that is late to the twin itself
            one = main.behind.twins.pop(twin)
            one.since, one.is_missed = second, False
            main.behind.twins[twin] = one  # behind those that wait for their turn

    def __len__(self) -> int:
        """How many twins are judged."""
        return len(self._until)

    def _look_back(self) -> int:
        window = delay = 0
        for members in self._own.members():
            kernel = members.rule.kernel
            window = max(window, longest_window(kernel.features))
            delay = max(delay, -(-max(kernel.hold, kernel.off) // SECOND))
        return window + min(delay, LONGEST_DELAY) + 1

    def _bound(self) -> None:
        """What was told in the meantime stays told: an instance is judged after that.

        What history says of the meantime is held against it later (`belated`).
        """
        after, until = [], []
        for members in self._own.in_order():
            for twin, flipped in zip(members.twins, members.flipped.tolist(), strict=True):
                since = self._before[twin]
                if flipped > since * SECOND:
                    self._main.doubt(members.rule.id, twin, since * SECOND + 1)
                after.append(max(since, flipped // SECOND))
                until.append(self._until[twin])
        self._own.bounds = np.array(after, np.int64), np.array(until, np.int64)

    def _take_standing(self) -> None:
        for mine, theirs, rows in self._shared():
            mine.active[:], mine.flipped[:] = theirs.active[rows], theirs.flipped[rows]
            since = theirs.since[rows]
            mine.since[:] = np.where(since == NEVER, NEVER, np.minimum(since, self._begin))

    def _shared(self) -> list[tuple[Members, Members, list[int]]]:
        """The own instances of each rule, those of the clock, and which of these they are."""
        found = []
        for mine in self._own.members():
            theirs = self._main.instances(mine.rule.id)
            if theirs is None or theirs.rule is not mine.rule:
                continue
            rows = {twin: row for row, twin in enumerate(theirs.twins)}
            if all(twin in rows for twin in mine.twins):
                found.append((mine, theirs, [rows[twin] for twin in mine.twins]))
        return found

    # -- judging -------------------------------------------------------------------------------

    def judge(self, read: Read, last: Last) -> None:
        """Steps through all there is up to the end; waits for history.

        Args:
            read: reads history.
            last: reads history.
        """
        own, series = self._own, self._own.series_heard()
        known = [
            (n, *found) for n in series if (found := last(n, self._begin * SECOND)) is not None
        ]
        own.start(self._begin, known)
        for second in range(self._begin, self._end, PIECE):
            self._step(read, second, min(second + PIECE, self._end))

    def _step(self, read: Read, begin: int, end: int) -> None:
        """The seconds after one and up to another."""
        for number in self._own.series_heard():
            time, value = read(number, begin * SECOND + 1, end * SECOND + 1)
            self._own.put(np.full(len(time), number, np.int64), time, value)
        self.flips += self._own.run(end)

    def give_up(self) -> None:
        """It could not be judged: they are as far behind as they were."""
        for twin in self._until:
            if twin in self._main.behind:
                one = self._main.behind.twins[twin]
                one.since = one.told

    def let_go(self) -> list[str]:
        """They cannot be judged; from the next reading that comes in time on they are again."""
        for twin in self._until:
            self._main.behind.twins.pop(twin, None)
        self._main.release()
        return list(self._until)

    # -- handing back --------------------------------------------------------------------------

    def finish(self, read: Read) -> list[Flip]:
        """Hands back where instances stand; what rules did."""
        main = self._main
        main.begin()
        clock = main.clock or self._end
        is_whole = self._is_whole and clock - self._end <= NEAR
        if is_whole:
            assert self._own.bounds is not None
            self._own.bounds[1][:] = clock
            self._step(read, self._end, clock)
        shared = self._shared()
        for mine, theirs, rows in shared:
            for name in ("active", "since", "flipped"):
                getattr(theirs, name)[rows] = getattr(mine, name)
        caught_up = []
        for twin in self._until:
            one = main.behind.twins.get(twin)
            if one is not None:
                one.since = max(one.since, clock) if is_whole else one.since
                one.told = one.since
            if one is None or not one.is_missed:
                caught_up.append(twin)
        if is_whole:
            main.take_back(self._own, caught_up, clock)
        told = {id(mine.rule) for mine, _, _ in shared}
        return [flip for flip in self.flips if id(flip.rule) in told]


def due(main: ClockedEngine, now: int, most: int = MOST_TWINS) -> list[CatchUp]:
    """What there is to judge for twins that are behind on one clock, for so many at most."""
    if not len(main.behind):
        return []
    main.begin()
    whole: dict[str, int] = {}
    part: dict[str, int] = {}
    for twin, one in main.behind.items():
        if not main.watches(twin):
            del main.behind.twins[twin]
        elif len(whole) + len(part) < most:
            end = _end_of(main, one, now)
            if end <= one.since:
                continue
            if end == main.clock:
                whole[twin] = end
            elif one.newest > one.since * SECOND or end >= one.since + IDLE:
                part[twin] = end
    return [CatchUp(main, some, is_whole=some is whole) for some in (whole, part) if some]


def _end_of(main: ClockedEngine, one: Behind, now: int) -> int:
    """How far a twin can be judged; the clock if it has caught up with it."""
    clock = main.clock or 0
    own = one.own_second(now, main.lateness)
    if own >= clock - main.lateness // SECOND - 1:
        own = clock
    return min(own, one.since + MOST_SECONDS)
