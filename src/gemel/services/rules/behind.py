"""Twins that have fallen behind their rules' clock: their readings come in order, but late.

A device whose link was down sends what it kept, or its clock is slow. To the clock that the twins
of a model share these readings are late, to the twin itself they are news. Its rules then stand
still here, and `catch_up` judges them in the twin's own time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gemel.core.batch import I64
from gemel.core.clock import SECOND
from gemel.services.rules.belated import by_series

LONGEST_GAP = 3_600
"""Seconds before its first late reading that a twin is judged anew at most: in those that it was
silent for longer nothing happened, and messages of a backlog may come in another order."""


@dataclass(slots=True)
class Behind:
    """How far behind a twin is."""

    since: int
    """The second up to which its rules have been judged, or are being judged."""
    newest: int
    """Source time of its newest reading, ns."""
    lag: int
    """What that took to get here, ns: its own now is ours less this."""
    told: int
    """The second up to which what its rules did is known: a restart goes on from there."""
    is_missed: bool = False
    """Whether readings came that what is being judged may not see."""

    def hear(self, time: int, received: int) -> None:
        if time > self.newest:
            self.newest, self.lag = time, max(received - time, 0)

    def own_second(self, now: int, lateness: int) -> int:
        """Up to here its readings have had time to come."""
        return (now - self.lag - lateness) // SECOND


class BehindTwins:
    """Those of one clock; noticed as readings come."""

    def __init__(self) -> None:
        self.twins: dict[str, Behind] = {}

    def __len__(self) -> int:
        return len(self.twins)

    def __contains__(self, twin: str) -> bool:
        return twin in self.twins

    def hear(self, names: list[str], number: I64, time: I64, received: int) -> None:
        """Readings that came in time; they may show that a twin is up to date again.

        Args:
            names: of twins, by number.
            number: by reading, whose it is.
            time: by reading, ns.
            received: ns.
        """
        for who, times in by_series(number, time):
            found = self.twins.get(names[who])
            if found is not None:
                found.hear(int(times.max()), received)

    def notice(
        self, names: list[str], seen: I64, number: I64, time: I64, received: int
    ) -> list[str]:
        """Late readings; tells which twins are behind from now on.

        Args:
            names: of twins, by number.
            seen: by number, the second of the newest reading that was judged.
            number: by reading, whose it is.
            time: by reading, ns.
            received: ns.
        """
        new = []
        for who, times in by_series(number, time):
            steps = -(-times // SECOND)
            found = self.twins.get(names[who])
            if found is not None:
                found.hear(int(times.max()), received)
                found.is_missed |= bool((steps <= found.since).any())
                continue
            since = max(int(seen[who]), int(steps.min()) - LONGEST_GAP)
            if not (steps > since).any():
                continue  # older than what was judged of it: late to the twin itself
            newest = int(times.max())
            self.twins[names[who]] = Behind(since, newest, max(received - newest, 0), since)
            new.append(names[who])
        return new

    def look_again(self, twin: str, second: int, lag: int) -> None:
        """What is held of a twin lacks readings that came late: it is made again from history.

        Args:
            twin: whose windows, or whose relatives' windows, they are missing in.
            second: up to here its rules have been judged.
            lag: what the newest readings of all took to get here, ns.
        """
        found = self.twins.get(twin)
        if found is None:
            self.twins[twin] = Behind(second, second * SECOND, lag, second)
        else:
            found.is_missed = True

    def is_at_work(self, twin: str) -> bool:
        """Whether it is just being judged."""
        found = self.twins.get(twin)
        return found is not None and found.told != found.since

    def left(self, twin: str, times: I64) -> I64:
        """Those of late readings that its rules will not be judged on."""
        found = self.twins.get(twin)
        return times if found is None else times[-(-times // SECOND) <= found.since]

    def known(self, raised: Mapping[str, int]) -> dict[str, int]:
        """Of alarms (twin to time) those that were not raised by what is judged again."""
        told = {twin: one.told * SECOND for twin, one in self.twins.items()}
        return {twin: time for twin, time in raised.items() if time <= told.get(twin, time)}

    # -- over a restart ------------------------------------------------------------------------

    def snapshot(self) -> dict[str, list[int]]:
        return {twin: [one.told, one.newest, one.lag] for twin, one in self.twins.items()}

    def restore(self, found: Mapping[str, Any]) -> None:
        self.twins = {
            twin: Behind(told, newest, lag, told) for twin, (told, newest, lag) in found.items()
        }

    def items(self) -> Iterator[tuple[str, Behind]]:
        return iter(list(self.twins.items()))
